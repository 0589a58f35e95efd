"""Whether a client may connect."""

from collections.abc import Callable
from dataclasses import dataclass

from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.channels.tables import Tables
from fizz_gevent.errors import ConnectionRejected
from fizz_gevent.ports import Clock, Registry
from fizz_gevent.protocol.close_codes import CloseCode
from fizz_gevent.service.readiness import Readiness

PROTOCOLS = (5, 6, 7)
"""The protocol versions Fizz speaks. Protocol: §1.2."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a client says when it asks for a connection.

    Attributes:
        key: The application key of the path.
        protocol: The parameter as it came, None where it is missing.
        version: The client library's version, None where it is missing.
        origin: The ``Origin`` header, None where it is missing.
        is_secure: It came over TLS, directly or by the word of a trusted proxy.
        address: The client's, directly or by the word of a trusted proxy; empty where nobody says.
    """

    key: str
    protocol: str | None
    version: str | None
    origin: str | None
    is_secure: bool
    address: str = ""


class Admission:
    """Checks a handshake in the order that the protocol gives.

    Args:
        has_room: Whether this server may have the client that was counted just now.
        has_room_from: Whether it may have it from this address.

    Protocol: §1.3.
    """

    def __init__(
        self,
        tables: Tables,
        registry: Registry,
        readiness: Readiness,
        clock: Clock,
        *,
        has_room: Callable[[], bool],
        has_room_from: Callable[[str], bool],
    ) -> None:
        self._tables = tables
        self._registry = registry
        self._readiness = readiness
        self._clock = clock
        self._has_room = has_room
        self._has_room_from = has_room_from

    def admit(self, handshake: Handshake) -> tuple[ChannelTable, int]:
        """The application's table and the protocol version of a client that may connect.

        The connection quota is not spent here but in ``enter``, as it may yield. Never yields.

        Raises:
            ConnectionRejected: With the code of the first check that fails.
        """
        if self._readiness.is_draining:
            raise ConnectionRejected(CloseCode.RECONNECT)
        if not self._has_room():
            raise ConnectionRejected(CloseCode.OVER_CAPACITY)
        if not self._has_room_from(handshake.address):
            # Not 4004, which ends a client for good: who shares an address may find room later.
            raise ConnectionRejected(
                CloseCode.OVER_CAPACITY,
                "Too many connections from this address",
                counted_as="address_limit",
            )
        table = self._tables.by_key(handshake.key, self._clock.now())
        if table is None and not self._tables.knows_all():
            # 4001 ends a client for good, and its application may only be unknown here yet.
            raise ConnectionRejected(
                CloseCode.OVER_CAPACITY, "Applications are not known here yet, try again"
            )
        if table is None:
            raise ConnectionRejected(CloseCode.UNKNOWN_APPLICATION)
        application = table.application
        if not application.enabled:
            raise ConnectionRejected(CloseCode.APPLICATION_DISABLED)
        if application.require_tls and not handshake.is_secure:
            raise ConnectionRejected(CloseCode.TLS_REQUIRED)
        protocol = _protocol_of(handshake, is_strict=application.strict_protocol)
        if not application.allows_origin(handshake.origin):
            raise ConnectionRejected(CloseCode.UNAUTHORIZED, "Origin not allowed")
        return table, protocol

    def enter(self, table: ChannelTable, socket_id: str) -> None:
        """Count the connection in its application's quota; the session takes it back. May yield.

        Raises:
            ConnectionRejected: The application has as many connections as it may.
        """
        application = table.application
        if not self._registry.connect(application.app_id, socket_id, application.max_connections):
            raise ConnectionRejected(CloseCode.OVER_QUOTA)


def _protocol_of(handshake: Handshake, *, is_strict: bool) -> int:
    """The version to speak. Protocol: §1.2, "Fizz"."""
    if handshake.protocol is None:
        if not is_strict:
            return 7
        version = handshake.version
        if version is not None and not "0" <= version[:1] <= "9":
            raise ConnectionRejected(CloseCode.INVALID_VERSION)
        raise ConnectionRejected(CloseCode.NO_PROTOCOL)
    for supported in PROTOCOLS:
        if handshake.protocol == str(supported):
            return supported
    raise ConnectionRejected(CloseCode.UNSUPPORTED_PROTOCOL)
