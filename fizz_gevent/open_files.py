"""How many files the system lets this process open, and how many connections that allows."""

import contextlib
import resource
from dataclasses import dataclass
from pathlib import Path

_FEWEST_RESERVED = 32
_MOST_RESERVED = 1024
"""Files for other things than clients: listeners, logs, Redis, webhooks."""

_FOR_REQUESTS = 64
"""Sockets for HTTP requests, and for clients who are told that there is no room for them."""

_UNBOUNDED = 10240
"""What to ask for where the hard limit is "unlimited" and the system refuses that as a value."""


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """The limits of this process: :attr:`soft` holds now, up to :attr:`hard` it may be raised."""

    soft: int
    hard: int


def limits() -> OpenFiles:
    """The limits as they are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OpenFiles(_number(soft), _number(hard))


def raise_limit() -> int:
    """Raise the soft limit to the hard one, or as far as the system lets us.

    Returns:
        The limit that holds from now on.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _UNBOUNDED):
        if wanted == soft or (wanted == _UNBOUNDED and _number(soft) >= _UNBOUNDED):
            break
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            break
    return limits().soft


@dataclass(frozen=True, slots=True)
class Capacity:
    """What this process takes.

    Attributes:
        open_files: The limit that holds.
        sockets: How many accepted sockets of every kind fit below it.
        connections: How many of these may be WebSockets.
    """

    open_files: int
    sockets: int
    connections: int

    @classmethod
    def of(cls, open_files: int, max_connections: int | None) -> "Capacity":
        """What a limit allows, where an operator wants at most ``max_connections``."""
        own = min(_MOST_RESERVED, max(_FEWEST_RESERVED, open_files // 16))
        sockets = max(1, open_files - own)
        connections = max(1, sockets - _FOR_REQUESTS)
        if max_connections is not None:
            connections = min(connections, max_connections)
        return cls(open_files, sockets, connections)

    @classmethod
    def of_this_machine(cls, max_connections: int | None) -> "Capacity":
        """Raise the limit as far as the system lets us, and take what it allows then."""
        return cls.of(raise_limit(), max_connections)

    def together(self, processes: int, max_connections: int | None) -> "Capacity":
        """What so many processes like this one take, each up to a limit of its own."""
        connections = self.connections * processes
        if max_connections is not None:
            connections = min(connections, max_connections)
        return Capacity(self.open_files, self.sockets * processes, connections)


def system_setting(name: str) -> str | None:
    """A setting of the kernel, such as ``net/core/somaxconn``; None where it cannot be known."""
    try:
        return " ".join(Path("/proc/sys", name).read_text().split())
    except OSError:
        return None


def _number(limit: int) -> int:
    # "unlimited" is bounded by what one process may open at all
    if limit != resource.RLIM_INFINITY:
        return limit
    ceiling = system_setting("fs/nr_open")
    return int(ceiling) if ceiling else 1048576
