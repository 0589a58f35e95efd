"""Who is in a presence channel, by user and not by connection. Protocol: §7."""

import pytest

from fizz_gevent.protocol.members import ChannelCounts
from tests.harness.signing import compact
from tests.unit.rooms import APP, Node, added, event, refusal, removed, roster

ROOM = "presence-room"


def test_the_others_hear_of_the_first_connection_of_a_user_and_of_the_last() -> None:
    """Protocol: §7.3."""
    node = Node()
    bob, tab, other_tab = node.client(), node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    assert tab.subscribe(ROOM, "ann", {"n": 1}) == [roster(ROOM, bob={}, ann={"n": 1})]
    assert bob.heard() == [added(ROOM, "ann", {"n": 1})]
    assert other_tab.subscribe(ROOM, "ann") == [roster(ROOM, bob={}, ann={})]
    assert (bob.heard(), tab.heard()) == ([], [])
    assert node.directory.channel(node.table().application, ROOM) == ChannelCounts(3, 2)
    tab.unsubscribe(ROOM)
    assert (bob.heard(), other_tab.heard()) == ([], [])
    other_tab.vanish()
    assert bob.heard() == [removed(ROOM, "ann")]
    assert node.directory.users(node.table().application, ROOM) == ["bob"]


def test_a_user_is_not_told_of_itself() -> None:
    """Protocol: §7.3, not sent to the connection that causes it."""
    node = Node()
    ann = node.client()
    assert ann.subscribe(ROOM, "ann") == [roster(ROOM, ann={})]
    assert ann.unsubscribe(ROOM) == []


def test_to_leave_and_return_is_told_both_times() -> None:
    node = Node()
    ann, bob = node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    ann.subscribe(ROOM, "ann")
    ann.unsubscribe(ROOM)
    ann.subscribe(ROOM, "ann")
    assert bob.heard() == [added(ROOM, "ann"), removed(ROOM, "ann"), added(ROOM, "ann")]


def test_a_number_is_the_same_user_as_its_string() -> None:
    """Protocol: §7.3."""
    node = Node()
    number, text = node.client(), node.client()
    assert number.subscribe(ROOM, 10) == [roster(ROOM, **{"10": {}})]
    assert text.subscribe(ROOM, "10") == [roster(ROOM, **{"10": {}})]
    assert number.heard() == []


def test_later_joiners_see_the_newest_info_and_the_present_hear_nothing() -> None:
    """Protocol: §7.3."""
    node = Node()
    bob, tab, newer = node.client(), node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    tab.subscribe(ROOM, "ann", {"tab": 1})
    newer.subscribe(ROOM, "ann", {"tab": 2})
    late = node.client()
    assert late.subscribe(ROOM, "cid") == [roster(ROOM, bob={}, ann={"tab": 2}, cid={})]
    assert bob.heard() == [added(ROOM, "ann", {"tab": 1}), added(ROOM, "cid")]


def test_a_repeat_replaces_the_info_silently() -> None:
    """Protocol: §6.4."""
    node = Node()
    ann, bob = node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    ann.subscribe(ROOM, "ann", {"mood": "calm"})
    bob.heard()
    assert ann.subscribe(ROOM, "ann", {"mood": "merry"}) == [
        roster(ROOM, bob={}, ann={"mood": "merry"})
    ]
    assert bob.heard() == []
    assert bob.subscribe(ROOM, "bob") == [roster(ROOM, bob={}, ann={"mood": "merry"})]
    ann.unsubscribe(ROOM)
    assert bob.heard() == [removed(ROOM, "ann")], "it was one subscription all the time"


def test_a_repeat_as_somebody_else_is_refused_and_the_first_membership_stays() -> None:
    """Protocol: §6.4."""
    node = Node()
    ann, bob = node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    ann.subscribe(ROOM, "ann")
    bob.heard()
    text = f"Already subscribed to channel {ROOM} as another user"
    assert ann.subscribe(ROOM, "eve") == refusal(ROOM, text)
    assert bob.heard() == []
    assert node.registry.users(APP.app_id, ROOM) == ["bob", "ann"]
    ann.say("client-wave", {}, channel=ROOM)
    assert bob.heard() == [event(ROOM, "client-wave") | {"user_id": "ann"}]


def test_a_full_room_takes_no_further_user_but_further_connections() -> None:
    """Protocol: §7.3, §6.3."""
    node = Node(max_presence_members=2)
    ann, bob, cid = node.client(), node.client(), node.client()
    ann.subscribe(ROOM, "ann")
    bob.subscribe(ROOM, "bob")
    full = refusal(ROOM, f"Channel {ROOM} is full: 2 members", "LimitReached", 403, None)
    assert cid.subscribe(ROOM, "cid") == full
    assert node.client().subscribe(ROOM, "ann") == [roster(ROOM, ann={}, bob={})]
    assert ann.heard() == [added(ROOM, "bob")], "nobody hears of who was refused"
    node.publish(ROOM)
    assert cid.heard() == []
    bob.unsubscribe(ROOM)
    assert cid.subscribe(ROOM, "cid") == [roster(ROOM, ann={}, cid={})]


def test_a_signed_in_user_needs_no_channel_data() -> None:
    """Protocol: §7.4."""
    node = Node()
    ann, bob = node.client(), node.client()
    bob.subscribe(ROOM, "bob")
    ann.sign_in("ann", user_info={"name": "Ann"})
    assert ann.subscribe(ROOM) == [roster(ROOM, bob={}, ann={"name": "Ann"})]
    assert bob.heard() == [added(ROOM, "ann", {"name": "Ann"})]


def test_channel_data_wins_over_the_signed_in_user() -> None:
    """Protocol: §7.4."""
    client = Node().client()
    client.sign_in("ann", user_info={"name": "Ann"})
    assert client.subscribe(ROOM, "guest") == [roster(ROOM, guest={})]


def test_nobody_in_particular_cannot_be_present() -> None:
    """Protocol: §7.4, §6.3."""
    client = Node().client()
    text = f"Channel {ROOM} needs channel_data with a user_id, or a signed-in user"
    assert client.subscribe(ROOM) == refusal(ROOM, text)
    assert client.subscribe(ROOM, channel_data="") == refusal(ROOM, text)


@pytest.mark.parametrize(
    ("channel_data", "type", "status", "code"),
    [
        ("not json", "AuthError", 401, 4009),
        ("[]", "AuthError", 401, 4009),
        ("{}", "AuthError", 401, 4009),
        ('{"user_id":""}', "AuthError", 401, 4009),
        ('{"user_id":1.5}', "AuthError", 401, 4009),
        ('{"user_id":true}', "AuthError", 401, 4009),
        (compact({"user_id": "u" * 129}), "LimitReached", 413, None),
        (compact({"user_id": "u", "user_info": "x" * 1023}), "LimitReached", 413, None),
    ],
)
def test_bad_members_are_refused(
    channel_data: str, type: str, status: int, code: int | None
) -> None:
    """Protocol: §6.3, §7.3; signed though they are."""
    node = Node()
    first, last = node.client().subscribe(ROOM, channel_data=channel_data)
    assert first["event"] == "pusher:subscription_error"
    assert (first["data"]["type"], first["data"]["status"]) == (type, status)
    assert last["data"]["code"] == code
    assert node.registry.channels(APP.app_id, "") == {}


def test_one_connection_may_be_a_different_user_in_each_room() -> None:
    node = Node()
    client, other = node.client(), node.client()
    other.subscribe("presence-a", "bob")
    other.subscribe("presence-b", "bob")
    client.subscribe("presence-a", "ann")
    client.subscribe("presence-b", "eve")
    client.vanish()
    assert other.heard() == [
        added("presence-a", "ann"),
        added("presence-b", "eve"),
        removed("presence-a", "ann"),
        removed("presence-b", "eve"),
    ]
