"""Where webhooks wait, from the event to the receiver's answer."""

from collections.abc import Callable, Mapping
from typing import Protocol

from fizz_gevent.protocol.deliveries import Failed, Taken, Target, Waiting
from fizz_gevent.protocol.webhooks import WebhookEvent


class Backlog(Protocol):
    """Keeps events until they are requests, and requests until they are made.

    Requests of one lane are handed out one at a time, in order. Every method may raise
    ClusterUnavailable where it may yield.

    Attributes:
        on_more: Called when there may be something to do; never yields.
        waiting_count: How much waits here, as far as is known: events, and requests to be made.
        dropped_count: What was refused because too much waited, or is of no webhook any more.
        is_shared: Other nodes send what this one leaves.
    """

    on_more: Callable[[], None]
    waiting_count: int
    dropped_count: int
    is_shared: bool

    def note(self, app_id: str, event: WebhookEvent) -> None:
        """Take in an event; where too much waits it is dropped and counted. Never yields."""

    def note_miss(self, app_id: str, event: WebhookEvent) -> None:
        """Take in a ``cache_miss``, unless the channel had one a moment ago. Never yields."""

    def forget_miss(self, app_id: str, channel: str) -> None:
        """The next ``cache_miss`` of a channel counts again. Never yields."""

    def advance(self) -> None:
        """Let go what was held for long enough, and make requests of events. May yield."""

    def take(self, occupied: Mapping[Target, int], most: int, in_all: int) -> list[Taken]:
        """Requests to make now. May yield.

        Args:
            occupied: What of ``most`` a target may not have, where that is anything.
            most: Of one target.
            in_all: Of all together.
        """

    def seconds_to_wait(self) -> float | None:
        """When to come again if ``on_more`` is not called before; None for never."""

    def done(self, taken: Taken) -> None:
        """A request was taken by its receiver. May yield."""

    def again(self, taken: Taken, seconds: float) -> None:
        """A request is to be made again after so many seconds. May yield."""

    def give_up(self, taken: Taken, why: str) -> None:
        """A request is not to be made any more; it is kept among the failed. May yield."""

    def discard(self, taken: Taken) -> None:
        """A request is of no webhook any more; it counts as dropped. May yield."""

    def waiting(self) -> list[Waiting]:
        """What waits for each webhook for which anything does. May yield."""

    def failed(self) -> list[Failed]:
        """What was given up, the latest first; older ones are forgotten. May yield."""

    def send_again(self, app_id: str | None = None) -> int:
        """Put what was given up in line once more, with the time of now; how much. May yield.

        Args:
            app_id: Only what is this application's.
        """

    def hurry(self) -> None:
        """This node stops: hold nothing back any more. Never yields."""

    def left_here(self) -> int:
        """How much would be lost with this process. Never yields."""
