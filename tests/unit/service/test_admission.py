"""Who may connect, and by which code the others are refused. Protocol: §1.2, §1.3."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fizz_gevent.application import PreviousCredentials
from fizz_gevent.channels.tables import Tables
from fizz_gevent.cluster.memory import MemoryRegistry
from fizz_gevent.errors import ConnectionRejected
from fizz_gevent.service.admission import Admission, Handshake
from fizz_gevent.service.readiness import Readiness
from tests.unit.clockwork import UNIX_START, HandClock, HandFlusher
from tests.unit.rooms import APP, application

GOOD = Handshake(
    key=APP.key,
    protocol="7",
    version="8.6.0",
    origin=None,
    is_secure=True,
    address="198.51.100.1",
)


@dataclass
class Door:
    """An admission with everything that it looks at."""

    settings: dict[str, Any] = field(default_factory=dict)
    is_draining: bool = False
    has_room: bool = True
    crowded: str = ""
    connections: int = 0

    def __post_init__(self) -> None:
        self.clock = HandClock()
        self.tables = Tables([application(**self.settings)], HandFlusher())
        self.registry = MemoryRegistry(self.clock)
        self.readiness = Readiness()
        self.readiness.is_draining = self.is_draining
        self.admission = Admission(
            self.tables,
            self.registry,
            self.readiness,
            self.clock,
            has_room=lambda: self.has_room,
            has_room_from=lambda address: address != self.crowded,
        )
        for number in range(self.connections):
            self.registry.connect(APP.app_id, f"1.{number + 1}", None)

    def outcome(self, handshake: Handshake = GOOD, **changes: Any) -> int:
        """The code of the refusal, or the protocol version to be spoken."""
        try:
            table, protocol = self.admission.admit(replace(handshake, **changes))
            self.admission.enter(table, "9.9")
        except ConnectionRejected as rejection:
            return int(rejection.code)
        return protocol


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (None, 7),
        ("5", 5),
        ("6", 6),
        ("7", 7),
        ("4", 4007),
        ("8", 4007),
        ("1", 4007),
        ("", 4007),
        ("seven", 4007),
        ("7.0", 4007),
        ("-7", 4007),
        ("7 ", 4007),
        ("07", 4007),
        ("٧", 4007),
        ("9" * 5000, 4007),
    ],
)
def test_protocols_5_6_and_7_are_spoken(said: str | None, outcome: int) -> None:
    """Protocol: §1.2."""
    assert Door().outcome(protocol=said) == outcome
    if said is not None:
        assert Door({"strict_protocol": True}).outcome(protocol=said) == outcome


@pytest.mark.parametrize(
    ("version", "code"),
    [(None, 4008), ("8.6.0", 4008), ("8", 4008), ("v8", 4006), ("", 4006), ("٨", 4006)],
)
def test_a_strict_application_wants_to_be_told(version: str | None, code: int) -> None:
    """Protocol: §1.2, strict mode: 4006 before 4008."""
    assert Door({"strict_protocol": True}).outcome(protocol=None, version=version) == code
    assert Door().outcome(protocol=None, version=version) == 7


# From the last check to the first: each line adds a reason to refuse that outdoes those before.
WORSE: list[tuple[int, dict[str, Any], dict[str, Any]]] = [
    # code, what is wrong with the server, what is wrong with the handshake
    (4004, {"settings": {"max_connections": 1}, "connections": 1}, {}),
    (4009, {"settings": {"allowed_origins": ("example.com",)}}, {"origin": "https://evil.test"}),
    (4007, {}, {"protocol": "3"}),
    (4000, {"settings": {"require_tls": True}}, {"is_secure": False}),
    (4003, {"settings": {"enabled": False}}, {}),
    (4001, {}, {"key": "unknown"}),
    (4100, {"crowded": "192.0.2.7"}, {"address": "192.0.2.7"}),
    (4100, {"has_room": False}, {}),
    (4200, {"is_draining": True}, {}),
]


@pytest.mark.parametrize("position", range(len(WORSE)))
def test_the_first_check_that_fails_decides(position: int) -> None:
    """Protocol: §1.3, the order of checks."""
    here: dict[str, Any] = {}
    said: dict[str, Any] = {}
    for _, server, handshake in WORSE[: position + 1]:
        settings = {**here.get("settings", {}), **server.get("settings", {})}
        here = {**here, **server, "settings": settings}
        said |= handshake
    assert Door(**here).outcome(**said) == WORSE[position][0]


@pytest.mark.parametrize("position", range(len(WORSE)))
def test_each_check_fails_by_itself(position: int) -> None:
    """Protocol: §1.3."""
    code, server, handshake = WORSE[position]
    assert Door(**server).outcome(**handshake) == code


def test_a_refusal_says_why_in_the_protocols_words() -> None:
    """Protocol: §4.3."""
    door = Door({"allowed_origins": ("example.com",)})
    with pytest.raises(ConnectionRejected) as caught:
        door.admission.admit(GOOD)
    assert (caught.value.code, caught.value.reason) == (4009, "Origin not allowed")


def test_tls_is_asked_only_of_applications_that_want_it() -> None:
    """Protocol: §1.3, check 5."""
    assert Door().outcome(is_secure=False) == 7
    assert Door({"require_tls": True}).outcome(is_secure=True) == 7


def test_the_quota_counts_the_connections_of_the_application() -> None:
    """Protocol: §1.3, check 8."""
    door = Door({"max_connections": 2}, connections=1)
    assert door.outcome() == 7
    assert door.registry.connections(APP.app_id) == 2
    assert door.outcome() == 4004
    assert door.registry.connections(APP.app_id) == 2, "who is refused is not counted"
    door.registry.disconnect(APP.app_id, "9.9")
    assert door.outcome() == 7


def test_a_refused_client_has_spent_nothing_of_the_quota() -> None:
    door = Door({"max_connections": 1, "require_tls": True})
    assert door.outcome(is_secure=False) == 4000
    assert door.registry.connections(APP.app_id) == 0


def test_a_previous_key_opens_the_door_until_its_date() -> None:
    until = datetime.fromtimestamp(UNIX_START + 60, UTC)
    door = Door({"previous": PreviousCredentials("old-key", "old-secret", until)})
    assert door.outcome(key="old-key") == 7
    door.clock.advance(60)
    assert door.outcome(key="old-key") == 4001
    assert door.outcome() == 7


def test_a_node_that_drains_refuses_from_that_moment_on() -> None:
    door = Door()
    assert door.readiness.reason is None
    assert door.outcome() == 7
    door.readiness.is_draining = True
    assert door.readiness.reason == "draining"
    assert door.outcome() == 4200
