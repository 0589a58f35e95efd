"""Who is at the other end, where a reverse proxy stands between."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address


class Proxies:
    """The proxies whose word about their clients is believed.

    Args:
        networks: Their addresses; a Unix socket's peer is always believed.
    """

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)

    def client_address(self, peer: str, headers: Mapping[str, str]) -> str:
        """The client's address: the last in ``X-Forwarded-For`` that is no trusted proxy.

        Args:
            peer: Who holds the socket's other end; empty for a Unix socket.
            headers: By WSGI's names.
        """
        return self.named_client(peer, headers) or peer

    def named_client(self, peer: str, headers: Mapping[str, str]) -> str:
        """The same; empty where a trusted proxy is the peer and does not say for whom it speaks."""
        if not self.trusts(peer):
            return peer
        client = ""
        for hop in reversed(headers.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            address = _without_port(hop.strip())
            if _parse(address) is None:
                break
            client = address
            if not self.trusts(address):
                break
        return client

    def is_secure(self, peer: str, headers: Mapping[str, str]) -> bool:
        """Whether a trusted proxy says that the client speaks TLS to it."""
        proto = headers.get("HTTP_X_FORWARDED_PROTO", "")
        return proto.rpartition(",")[2].strip().lower() in ("https", "wss") and self.trusts(peer)

    def trusts(self, peer: str) -> bool:
        """Whether this peer's forwarding headers are believed."""
        if not peer:
            return True
        if not self._networks:
            return False
        address = _parse(peer)
        return address is not None and any(
            address in network for network in self._networks if network.version == address.version
        )


def _without_port(hop: str) -> str:
    """Some proxies tell the client's port too: ``192.0.2.7:4711``, ``[2001:db8::5]:4711``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    address, colon, _ = hop.partition(":")
    return address if colon and "." in address and hop.count(":") == 1 else hop


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
