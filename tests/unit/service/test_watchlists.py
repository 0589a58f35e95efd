"""Users are told when those they watch come and go. Protocol: §9.3."""

from typing import Any

import pytest

from tests.harness.signing import App
from tests.unit.rooms import APP, Client, Node, application

LIMIT = "Watchlist limit exceeded. Only the first 100 user IDs are accepted."


def told(client: Client) -> list[dict[str, list[str]]]:
    """What a watcher has heard: of each frame, the groups by name."""
    return [groups(event) for event in client.heard()]


def groups(event: dict[str, Any]) -> dict[str, list[str]]:
    assert event["event"] == "pusher_internal:watchlist_events", event
    assert "channel" not in event
    found = {group["name"]: group["user_ids"] for group in event["data"]["events"]}
    assert all(found.values()), "an empty group is left out"
    return found


def watcher(node: Node, *watched: str, app: App = APP) -> Client:
    client = node.client(app)
    client.sign_in("watcher", watchlist=list(watched))
    return client


def user(node: Node, user_id: str) -> Client:
    client = node.client()
    client.sign_in(user_id)
    return client


def test_a_watcher_is_told_at_once_how_everybody_is() -> None:
    """Right after signin_success, in one frame."""
    node = Node()
    user(node, "ann")
    client = node.client()
    first, second = client.sign_in("watcher", watchlist=["ann", "bob", "cid"])
    assert first["event"] == "pusher:signin_success"
    assert groups(second) == {"online": ["ann"], "offline": ["bob", "cid"]}


def test_who_watches_nobody_is_told_nothing() -> None:
    client = Node().client()
    assert [event["event"] for event in client.sign_in("w", watchlist=[])] == [
        "pusher:signin_success"
    ]


def test_coming_is_told_at_once_and_going_after_three_seconds() -> None:
    node = Node()
    client = watcher(node, "ann")
    ann = user(node, "ann")
    assert told(client) == [{"online": ["ann"]}]
    ann.vanish()
    node.turn()
    node.clock.advance(2.9)
    assert told(client) == []
    node.clock.advance(0.2)
    assert told(client) == [{"offline": ["ann"]}]
    assert node.clock.pending == 0


def test_a_page_that_reloads_does_not_flicker() -> None:
    node = Node()
    client = watcher(node, "ann")
    ann = user(node, "ann")
    client.heard()
    for _ in range(3):
        ann.vanish()
        node.turn()
        node.clock.advance(2)
        ann = user(node, "ann")
    node.clock.advance(10)
    assert told(client) == []
    ann.vanish()
    node.turn()
    node.clock.advance(3)
    assert told(client) == [{"offline": ["ann"]}], "the last going counts from its own time"


def test_a_user_is_online_as_long_as_one_tab_is() -> None:
    node = Node()
    client = watcher(node, "ann")
    tabs = [user(node, "ann") for _ in range(2)]
    assert told(client) == [{"online": ["ann"]}]
    tabs[0].vanish()
    node.turn()
    node.clock.advance(10)
    assert told(client) == []
    tabs[1].vanish()
    node.turn()
    node.clock.advance(10)
    assert told(client) == [{"offline": ["ann"]}]


def test_who_begins_to_watch_while_a_user_reloads_sees_it_online() -> None:
    """The first watcher still holds it to be online, and both are told of its end."""
    node = Node()
    first = watcher(node, "ann")
    ann = user(node, "ann")
    first.heard()
    ann.vanish()
    node.turn()
    node.clock.advance(1)
    second = node.client()
    assert groups(second.sign_in("second", watchlist=["ann"])[1]) == {"online": ["ann"]}
    node.clock.advance(2)
    assert told(first) == told(second) == [{"offline": ["ann"]}]


def test_who_begins_to_watch_while_a_user_reloads_is_not_told_twice() -> None:
    node = Node()
    first = watcher(node, "ann")
    ann = user(node, "ann")
    first.heard()
    ann.vanish()
    node.turn()
    second = node.client()
    second.sign_in("second", watchlist=["ann"])
    user(node, "ann")
    node.clock.advance(10)
    assert told(first) == told(second) == []


def test_only_a_sign_in_makes_a_user_online() -> None:
    node = Node()
    client = watcher(node, "ann")
    node.client().subscribe("presence-room", "ann")
    assert told(client) == []


def test_every_connection_of_the_watcher_is_told() -> None:
    node = Node()
    tabs = [watcher(node, "ann") for _ in range(2)]
    user(node, "ann")
    assert [told(tab) for tab in tabs] == [[{"online": ["ann"]}]] * 2


def test_to_watch_oneself_is_no_riddle() -> None:
    node = Node()
    client = node.client()
    _, second = client.sign_in("me", watchlist=["me"])
    assert groups(second) == {"online": ["me"]}
    tab = node.client()
    tab.sign_in("me")
    tab.vanish()
    node.turn()
    node.clock.advance(10)
    assert told(client) == []


def test_a_second_sign_in_replaces_the_watchlist() -> None:
    """Protocol: §9.1."""
    node = Node()
    client = watcher(node, "ann", "bob")
    assert groups(client.sign_in("watcher", watchlist=["bob", "cid"])[1]) == {
        "offline": ["bob", "cid"]
    }
    for name in ("ann", "bob", "cid"):
        user(node, name)
    assert told(client) == [{"online": ["bob"]}, {"online": ["cid"]}]
    client.sign_in("watcher")
    assert node.table().watchers == {}


def test_who_has_gone_watches_no_more() -> None:
    node = Node()
    client, stays = watcher(node, "ann"), watcher(node, "ann")
    client.vanish()
    node.turn()
    user(node, "ann")
    assert told(stays) == [{"online": ["ann"]}]
    stays.vanish()
    node.turn()
    assert node.table().watchers == {}


def test_the_last_watcher_takes_its_question_along() -> None:
    node = Node()
    client = watcher(node, "ann")
    ann = user(node, "ann")
    ann.vanish()
    client.vanish()
    node.turn()
    node.clock.advance(10)
    late = node.client()
    assert groups(late.sign_in("late", watchlist=["ann"])[1]) == {"offline": ["ann"]}
    user(node, "ann")
    assert told(late) == [{"online": ["ann"]}]


def test_a_long_list_is_cut_and_the_client_told_so() -> None:
    """Protocol: §9.3, 4302: signin succeeds and the error follows."""
    node = Node()
    names = [f"u-{number}" for number in range(101)]
    client = node.client()
    success, error, status = client.sign_in("watcher", watchlist=names)
    assert success["event"] == "pusher:signin_success"
    assert error["data"] == {"code": 4302, "message": LIMIT}
    assert groups(status) == {"offline": names[:100]}
    user(node, "u-100")
    user(node, "u-99")
    assert told(client) == [{"online": ["u-99"]}]
    assert client.closed is None


def test_an_application_may_do_without() -> None:
    """Protocol: §9.3, the switch."""
    node = Node(watchlist=False)
    client = node.client()
    assert [event["event"] for event in client.sign_in("w", watchlist=["ann"])] == [
        "pusher:signin_success"
    ]
    user(node, "ann").vanish()
    node.turn()
    node.clock.advance(10)
    assert client.heard() == []
    assert node.clock.pending == 0


def test_users_of_another_application_are_nobody() -> None:
    other = App("1002", "other-key", "other-secret")
    node = Node(application(), application(other))
    client = watcher(node, "ann", app=other)
    ann = user(node, "ann")
    ann.vanish()
    node.turn()
    node.clock.advance(10)
    assert told(client) == []


@pytest.mark.parametrize("watched", [["ann", "ann", "bob"], ["bob", "ann", "bob"]])
def test_a_name_given_twice_is_watched_once(watched: list[str]) -> None:
    node = Node()
    client = node.client()
    status = client.sign_in("watcher", watchlist=watched)[1]
    assert groups(status) == {"offline": list(dict.fromkeys(watched))}
    user(node, "ann")
    assert told(client) == [{"online": ["ann"]}]


def test_who_has_left_counts_as_online_for_whoever_begins_to_watch() -> None:
    """As it does for those who watched before: three seconds, and both are told of the end."""
    node = Node()
    user(node, "ann").vanish()
    node.turn()
    node.clock.advance(1)
    first = node.client()
    assert groups(first.sign_in("first", watchlist=["ann"])[1]) == {"online": ["ann"]}
    node.clock.advance(1.5)
    assert told(first) == []
    second = node.client()
    assert groups(second.sign_in("second", watchlist=["ann"])[1]) == {"online": ["ann"]}
    node.clock.advance(0.5)
    assert told(first) == told(second) == [{"offline": ["ann"]}]
    node.clock.advance(10)
    assert told(first) == told(second) == []


def test_who_returns_to_those_who_began_to_watch_meanwhile_was_never_gone() -> None:
    node = Node()
    user(node, "ann").vanish()
    node.turn()
    client = watcher(node, "ann")
    user(node, "ann")
    node.clock.advance(10)
    assert told(client) == []


def test_what_was_known_of_a_user_is_forgotten_with_its_last_watcher() -> None:
    """Or it would seem to be online for whoever asks next."""
    node = Node()
    client = watcher(node, "ann")
    ann = user(node, "ann")
    client.vanish()
    node.turn()
    ann.vanish()
    node.turn()
    assert node.clock.pending == 0, "nobody is there to be told"
    node.clock.advance(3)
    late = node.client()
    assert groups(late.sign_in("late", watchlist=["ann"])[1]) == {"offline": ["ann"]}


def test_a_question_during_a_reload_does_not_shorten_the_next_one() -> None:
    node = Node()
    first = watcher(node, "ann")
    ann = user(node, "ann")
    first.heard()
    ann.vanish()
    node.turn()
    node.clock.advance(1)
    node.client().sign_in("second", watchlist=["ann"])
    node.clock.advance(1)
    ann = user(node, "ann")
    node.clock.advance(0.5)
    ann.vanish()
    node.turn()
    node.clock.advance(2.9)
    assert told(first) == []
    node.clock.advance(0.1)
    assert told(first) == [{"offline": ["ann"]}]
