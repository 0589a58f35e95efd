"""Applications come, change and go, and only their own clients notice."""

import logging

import gevent
import pytest

from fizz_gevent.application import Application
from fizz_gevent.application_document import encode
from fizz_gevent.applications import Applications
from tests.harness.signing import App
from tests.unit.rooms import APP, Client, Node, application

OTHER = App("2002", "other-key", "other-secret")
GONE = (4001, "Application does not exist")
DISABLED = (4003, "Application disabled")


class House:
    """A node whose applications are changed."""

    def __init__(self) -> None:
        self.node = Node(application(), application(OTHER))
        self.forgotten: list[str] = []
        self.changes = 0
        self.applications = Applications(
            self.node.tables,
            on_change=self._changed,
            forget=self.forgotten.append,
            now=self.node.clock.monotonic,
        )

    def _changed(self) -> None:
        self.changes += 1

    def sweep_after(self, seconds: float) -> None:
        self.node.clock.advance(seconds)
        self.applications.sweep()


def test_clients_of_what_is_gone_and_disabled_are_closed_and_the_others_stay() -> None:
    """Protocol: §4.3, 4001 and 4003."""
    house = House()
    ann, bob = house.node.client(), house.node.client(OTHER)
    house.applications.replace([application(max_event_size=5)])
    assert (ann.closed, bob.closed) == (None, GONE)
    assert ann.connection.table.application.max_event_size == 5
    house.applications.replace([application(enabled=False)])
    assert ann.closed == DISABLED
    assert house.changes == 2


@pytest.mark.parametrize(
    ("left", "closed"),
    [([application()], GONE), ([application(), application(OTHER, enabled=False)], DISABLED)],
    ids=["gone", "disabled"],
)
def test_who_was_being_admitted_meanwhile_is_closed_as_well(
    left: list[Application], closed: tuple[int, str]
) -> None:
    house = House()
    late = Client(house.node, OTHER, "9.9", 7, 1 << 20)  # holds the table already
    house.applications.replace(left)
    house.node.registry.connect(OTHER.app_id, late.socket_id, None)
    house.node.sessions.opened(late.connection)
    assert late.closed is None
    house.sweep_after(0.5)
    assert late.closed == closed


def test_what_one_leaves_is_cleared_away_when_its_clients_are_gone() -> None:
    house = House()
    house.node.client(OTHER)
    house.applications.replace([application()])
    house.sweep_after(10)
    house.sweep_after(10)
    assert house.forgotten == []  # its connection has not ended yet
    house.node.turn()
    house.applications.sweep()
    gevent.sleep(0)
    assert house.forgotten == [OTHER.app_id]
    house.sweep_after(10)
    gevent.sleep(0)
    assert house.forgotten == [OTHER.app_id]


def test_nothing_is_cleared_away_at_once_or_of_one_that_is_back() -> None:
    house = House()
    house.applications.replace([application()])
    house.applications.sweep()
    house.applications.replace([application(), application(OTHER)])
    house.sweep_after(10)
    gevent.sleep(0)
    assert house.forgotten == []


def document(app: App, **settings: object) -> bytes:
    return encode(app.settings(**settings))


def test_a_damaged_document_is_told_of_once_and_the_rest_is_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    ann, bob = house.node.client(), house.node.client(OTHER)
    new = App("3003", "new-key", "new-secret")
    documents = {APP.app_id: document(APP), OTHER.app_id: b"{", new.app_id: b"[]"}
    with caplog.at_level(logging.ERROR):
        house.applications.take(documents)
        house.applications.take({**documents, APP.app_id: document(APP, max_event_size=5)})
    assert len(caplog.records) == 2
    assert "'2002' in Redis: not JSON" in caplog.messages[0]
    assert "it stays as it was" in caplog.messages[0]
    assert "'3003' in Redis: expected a mapping" in caplog.messages[1]
    assert "it is not served" in caplog.messages[1]
    assert (ann.closed, bob.closed) == (None, None)
    assert ann.connection.table.application.max_event_size == 5
    house.applications.take({**documents, new.app_id: document(new)})
    assert house.node.tables.by_id(new.app_id) is not None
    house.applications.take({APP.app_id: document(APP)})
    assert (ann.closed, bob.closed) == (None, GONE)


def test_the_same_documents_change_nothing() -> None:
    house = House()
    documents = {APP.app_id: document(APP), OTHER.app_id: document(OTHER)}
    house.applications.take(documents)
    house.applications.take(documents)
    assert house.changes == 0
