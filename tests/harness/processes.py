"""The processes behind a server, as Linux shows them."""

import os
import signal
import sys
from pathlib import Path

import pytest

PROC = Path("/proc")


def require_proc() -> None:
    """Skip the test where processes cannot be looked at."""
    if not sys.platform.startswith("linux"):
        pytest.skip("looks at /proc, which only Linux has")


def is_running(pid: int) -> bool:
    """Tell whether a process still does something; one that only waits to be reaped does not."""
    return _status(pid) not in (None, "Z")


def children(pid: int) -> list[int]:
    """Return the running children of a process, the oldest first."""
    found = []
    for entry in PROC.iterdir() if PROC.exists() else ():
        if entry.name.isdigit():
            child = int(entry.name)
            if _field(child, 1) == str(pid) and is_running(child):
                found.append(child)
    return sorted(found, key=lambda child: int(_field(child, 19) or 0))


def command_line(pid: int) -> str:
    """Return the words that started a process; none where it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def socket_inodes(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process has open."""
    found = set()
    for entry in (PROC / str(pid) / "fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            found.add(target.removeprefix("socket:[").removesuffix("]"))
    return found


def server_side(port: int) -> dict[int, str]:
    """Return the inode of the server's socket for each port of a client connected to ``port``."""
    found = {}
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote, state, inode = fields[1], fields[2], fields[3], fields[9]
        if int(local.rpartition(":")[2], 16) == port and state == "01":
            found[int(remote.rpartition(":")[2], 16)] = inode
    return found


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, number)


def _status(pid: int) -> str | None:
    return _field(pid, 0)


def _field(pid: int, index: int) -> str | None:
    """One of the fields behind the name in ``/proc/PID/stat``: 0 is the state, 1 the parent."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()[index]
