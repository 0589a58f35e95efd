"""Whether this node wants new clients."""


class Readiness:
    """What ``GET /ready`` tells, and what new connections are refused by.

    Attributes:
        is_draining: The node has begun to stop.
    """

    __slots__ = ("is_draining",)

    def __init__(self) -> None:
        self.is_draining = False

    @property
    def reason(self) -> str | None:
        """Why the node is not ready, in one word; None while it is. Protocol: §12.10."""
        return "draining" if self.is_draining else None
