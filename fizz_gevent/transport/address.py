"""Where the server listens: IPv4, IPv6 for both, or a Unix socket."""

import contextlib
import errno
import os
import socket
import stat

from gevent import socket as gevent_socket

from fizz_gevent.errors import StartError

_BACKLOG = 4096
"""As much as the kernel allows: a restart brings all clients back at once."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
        host: An address or a name; ``unix:/path`` for a Unix socket.
        port: 0 lets the system choose.

    Raises:
        StartError: It is in use, not allowed, or no address of this machine.
    """
    if host.startswith("unix:"):
        return _listen_unix(host.removeprefix("unix:"))
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = gevent_socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = gevent_socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"cannot listen on {where}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it, so it is set once here instead of on each of them.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            only_ipv6 = host not in ("::", "")
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only_ipv6))
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {where}: {_reason(error)}") from None
    listener.setblocking(False)
    return listener


def forget(host: str) -> None:
    """Remove what a Unix socket has left in the file system; nothing for other addresses."""
    if host.startswith("unix:"):
        with contextlib.suppress(OSError):
            os.unlink(host.removeprefix("unix:"))


def _listen_unix(path: str) -> socket.socket:
    listener = gevent_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(path)
        # Whoever can reach the socket may speak; what they may do is decided by signatures.
        os.chmod(path, 0o666)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on unix:{path}: {_reason(error)}") from None
    listener.setblocking(False)
    return listener


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more, as a killed server leaves it.

    Raises:
        OSError: Somebody listens, or something that is no socket stands there.
    """
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(errno.EEXIST, "a file that is no socket stands there")
    except FileNotFoundError:
        return
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        os.unlink(path)
    else:
        raise OSError(errno.EADDRINUSE, "")
    finally:
        probe.close()


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "it is in use; another server, or another Fizz, is listening there"
    if error.errno == errno.EACCES:
        return "not allowed; ports below 1024 need the capability CAP_NET_BIND_SERVICE"
    return error.strerror or str(error)
