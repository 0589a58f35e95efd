"""What waits in memory outlives the program that it waits in. Protocol: §13."""

import json

from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from tests.unit.webhooks.test_memory_backlog import ROOM, Office, channels


def moved(before: Office) -> Office:
    """The same backlog in another program, handed over as it is at a restart."""
    after = Office()
    after.clock = before.clock
    after.backlog = MemoryBacklog(after.clock, lambda _: after.application)
    after.backlog.unpack(json.loads(json.dumps(before.backlog.packed())))
    assert after.backlog.waiting_count == before.backlog.waiting_count
    return after


def test_what_is_held_goes_on_being_held_and_a_return_cancels_it() -> None:
    """Protocol: §13, delay."""
    before = Office()
    for channel in (ROOM, "orders"):
        before.backlog.turned("app", channel, True)
    before.told()
    for channel in (ROOM, "orders"):
        before.backlog.turned("app", channel, False)
    before.clock.advance(1.0)
    after = moved(before)
    after.backlog.turned("app", "orders", True)
    after.clock.advance(1.9)
    assert after.told() == []
    after.clock.advance(0.11)
    assert after.told() == [("channel_vacated", ROOM)]
    assert after.backlog.left_here() == 0


def test_requests_keep_their_order_their_tries_and_their_bytes() -> None:
    before = Office()
    for channel in ("a", "b"):
        before.note(channel)
    first = before.take()
    for taken in first:
        before.backlog.again(taken, 100.0)
        before.note("a")  # which waits behind the one that failed
    after = moved(before)
    found = after.take()
    assert channels(found) == channels(first)
    assert [taken.delivery for taken in found] == [taken.delivery for taken in first]
    assert [taken.tries for taken in found] == [1, 1]
    for taken in found:
        after.backlog.done(taken)
    behind = after.take()
    assert channels(behind) == ["a"]
    assert behind[0].tries == 0


def test_what_was_given_up_can_still_be_sent_again() -> None:
    before = Office()
    before.note("a")
    (taken,) = before.take()
    before.backlog.give_up(taken, "status 500")
    after = moved(before)
    (failed,) = after.backlog.failed()
    assert (failed.why, failed.delivery) == ("status 500", taken.delivery)
    assert after.backlog.send_again() == 1
