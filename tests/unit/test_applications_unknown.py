"""A node that does not know yet which applications there are denies none of them."""

import json

import pytest

from fizz_gevent.channels.tables import Tables
from fizz_gevent.cluster.memory import MemoryRegistry
from fizz_gevent.errors import ConnectionRejected
from fizz_gevent.service.admission import Admission, Handshake
from fizz_gevent.service.readiness import Readiness
from tests.harness.signing import App
from tests.unit.api.house import House, error_of
from tests.unit.clockwork import HandClock, HandFlusher

STRANGER = App("7007", "strange-key", "strange-secret")


def test_a_client_is_told_to_come_again_and_not_that_its_application_does_not_exist() -> None:
    """Protocol: §4.2, a client does not come back after 4001 but after 4100."""
    tables, clock = Tables([], HandFlusher()), HandClock()
    room = {"has_room": lambda: True, "has_room_from": lambda address: True}
    admission = Admission(tables, MemoryRegistry(clock), Readiness(), clock, **room)
    stranger = Handshake(STRANGER.key, "7", "8.6.0", None, True)
    tables.knows_all = lambda: False
    with pytest.raises(ConnectionRejected) as raised:
        admission.admit(stranger)
    assert raised.value.code == 4100
    tables.knows_all = lambda: True
    with pytest.raises(ConnectionRejected) as raised:
        admission.admit(stranger)
    assert raised.value.code == 4001


def test_a_back_end_is_told_to_try_again() -> None:
    """Protocol: §12.2."""
    house = House()
    house.tables.knows_all = lambda: False
    for method, path in (
        ("GET", "/apps/7007/channels"),
        ("POST", "/users/u-7/terminate_connections"),
    ):
        response = house.signed(method, path, app=STRANGER)
        assert error_of(response) == (503, "Applications are not known here yet, try again")
        assert response.headers["Retry-After"] == "1"
    assert house.get("/channels").status_code == 200


def test_the_node_wants_no_clients_meanwhile() -> None:
    """Protocol: §12.10."""
    house = House()
    house.readiness.knows_applications = lambda: False
    response = house.request("GET", "/ready")
    assert response.status_code == 503
    assert json.loads(response.data) == {"ready": False, "reason": "applications"}
