"""Requests to back ends on their way: waiting, handed out, given up. Protocol: §13."""

from dataclasses import dataclass
from urllib.parse import urlsplit

HOLD_SECONDS = 3.0
"""A channel that was left, or a member that went, may be back before anybody is told."""
BATCH_SECONDS = 0.05
MISS_SECONDS = 10.0
"""Between two ``cache_miss`` webhooks of one channel. Protocol: §10."""
MOST_WAITING = 100_000
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_FAILED = 1000

LAST_TRY_AT = 285.0
"""Seconds after which nothing is tried any more: receivers refuse what is older than 300."""

Target = tuple[str, str]
"""An application's id, and which of its webhooks."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to a receiver: the same to the byte on each try.

    Attributes:
        delivery_id: Unlike that of any other.
        target: Which webhook of the application, see ``target_of``.
        lane: Requests of one lane are made one after another, the next only when the one before
            was taken or given up: so each channel keeps its order.
        time_ms: When it was created, as the body says.
        key: Of the credentials that signed it.
        event_count: How many events the body holds.
    """

    delivery_id: str
    app_id: str
    target: str
    lane: str
    time_ms: int
    key: str
    signature: str
    event_count: int
    body: bytes

    def encoded(self) -> bytes:
        """As it is kept outside of this process; begins with the id."""
        fields = [
            self.delivery_id,
            self.app_id,
            self.lane,
            str(self.time_ms),
            self.key,
            self.signature,
            str(self.event_count),
            self.target,
        ]
        return " ".join(fields).encode() + b"\n" + self.body

    @classmethod
    def decoded(cls, data: bytes) -> "Delivery":
        """What ``encoded`` has made.

        Raises:
            ValueError: Of something else.
        """
        head, _, content = data.partition(b"\n")
        parts = head.decode().split(" ", 7)
        if len(parts) != 8:
            raise ValueError("not a delivery")
        delivery_id, app_id, lane, time_ms, key, signature, count, target = parts
        return cls(
            *(delivery_id, app_id, target, lane, int(time_ms)), key, signature, int(count), content
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is this node's to make.

    Attributes:
        tries: How often it has been made in vain.
        age: Seconds since it was created.
    """

    delivery: Delivery
    tries: int
    age: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits for one webhook.

    Attributes:
        request_count: Requests that were not taken yet, those that are being made included.
    """

    app_id: str
    target: str
    request_count: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that was given up.

    Attributes:
        why: What its last try met.
        failed_ms: When that was, in milliseconds since 1970.
    """

    delivery: Delivery
    why: str
    failed_ms: int


def public_url(url: str) -> str:
    """An address without what may be secret in it: name, password, query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def shown_url(target: str) -> str:
    """The address of a webhook, as far as anybody may see it.

    Args:
        target: As ``target_of`` names it.
    """
    return target.partition(" ")[2]
