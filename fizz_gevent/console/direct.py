"""Whether a request comes from this very machine, with nobody in between."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

_FORWARDING = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_REAL_IP",
    "HTTP_X_CLIENT_IP",
    "HTTP_CLIENT_IP",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_CF_CONNECTING_IP",
    "HTTP_X_ORIGINAL_HOST",
    "HTTP_X_REWRITE_URL",
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


def is_direct(environ: Mapping[str, object]) -> bool:
    """Tell whether the peer is on loopback, asks for a loopback host, and no proxy left a trace.

    The host is looked at because a page of another site can make its own name point here. A proxy
    that was told nothing may leave no header at all, but then most of them (nginx among them) speak
    HTTP/1.0 to whom they forward, and browsers behind them still say which origin they are at.

    Args:
        environ: By WSGI's names.
    """
    if any(name in environ for name in _FORWARDING):
        return False
    if any(name.startswith("HTTP_X_FORWARDED") for name in environ):
        return False
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        return False
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _is_loopback_host(_host_in(str(origin))):
        return False
    return _is_loopback(str(environ.get("REMOTE_ADDR", ""))) and _is_loopback_host(
        str(environ.get("HTTP_HOST", ""))
    )


def host_of(environ: Mapping[str, object]) -> str:
    """The host, with its port, that was asked for; empty where that is no proper one."""
    host = str(environ.get("HTTP_HOST", ""))
    return host if _HOST.fullmatch(host) else ""


def _host_in(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_loopback_host(host: str) -> bool:
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found[1].strip("[]").lower()
    return name == "localhost" or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((parsed if mapped is None else mapped).is_loopback)
