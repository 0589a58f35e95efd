"""Whether this node wants new clients."""

from collections.abc import Callable

_SECONDS_WITHOUT_REDIS = 10.0


class Readiness:
    """What ``GET /ready`` tells, and what new connections are refused by.

    Attributes:
        is_draining: The node has begun to stop.
        seconds_without_redis: How long a cluster's Redis has been out of reach; 0 where it is not
            or where there is no cluster.
        knows_applications: Whether it has been read which applications there are.
    """

    __slots__ = ("is_draining", "knows_applications", "seconds_without_redis")

    def __init__(self) -> None:
        self.is_draining = False
        self.seconds_without_redis: Callable[[], float] = lambda: 0.0
        self.knows_applications: Callable[[], bool] = lambda: True

    @property
    def reason(self) -> str | None:
        """Why the node is not ready, in one word; None while it is. Protocol: §12.10."""
        if self.is_draining:
            return "draining"
        if self.seconds_without_redis() >= _SECONDS_WITHOUT_REDIS:
            return "redis"
        if not self.knows_applications():
            return "applications"
        return None
