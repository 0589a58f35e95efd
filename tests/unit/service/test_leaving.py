"""A connection that goes out of thousands of channels lets others live in between.

Protocol: §15.
"""

from fizz_gevent.protocol import frames
from fizz_gevent.service.subscriptions import Subscriptions
from tests.harness.signing import compact
from tests.unit.rooms import APP, Node

MANY = 1000


def test_leaving_many_channels_pauses_and_ends_complete() -> None:
    node = Node()
    goer, stayer = node.client(), node.client()
    for number in range(MANY):
        goer.subscribe(f"room-{number}")
    stayer.subscribe(f"room-{MANY - 1}")
    seen: list[int] = []

    def pause() -> None:
        left = len(goer.connection.subscriptions)
        seen.append(left)
        # Whoever publishes meanwhile reaches those who stay.
        payload = compact({"event": "x", "data": str(left)}).encode()
        node.table().broadcast(f"room-{MANY - 1}", frames.text_frame(payload))

    subscriptions = Subscriptions(node.registry, node.cache, node.counts, node.clock, pause=pause)
    goer.connection.is_open = False
    goer.outbox.discard()
    subscriptions.leave_all(goer.connection)
    assert MANY / 100 < len(seen) < MANY / 10
    assert seen == sorted(seen, reverse=True)
    assert [event["data"] for event in stayer.heard()] == seen
    assert goer.heard() == []
    assert goer.connection.subscriptions == {}
    assert list(node.registry.channels(APP.app_id, "")) == [f"room-{MANY - 1}"]
    assert node.table().channels.keys() == {f"room-{MANY - 1}"}
