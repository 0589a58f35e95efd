"""After a rotation both pairs of key and secret are good everywhere, the older until its date."""

from datetime import UTC, datetime, timedelta

import pytest

from fizz_gevent.application_changes import rotated
from fizz_gevent.application_document import encode, read
from fizz_gevent.errors import ConnectionRejected
from fizz_gevent.protocol.webhooks import signed
from fizz_gevent.service.admission import Admission, Handshake
from fizz_gevent.service.readiness import Readiness
from tests.harness.signing import App
from tests.unit.clockwork import UNIX_START
from tests.unit.rooms import Node, roster, succeeded

OLD = App("1001", "old-key", "old-secret")
NEW = App("1001", "new-key", "new-secret")
SECONDS = timedelta(days=7).total_seconds()


@pytest.fixture
def node() -> Node:
    """A node at the moment of the rotation, which ``fizz apps rotate`` has made."""
    document = rotated(
        {"1001": encode(OLD.settings())},
        "1001",
        days=7,
        now=datetime.fromtimestamp(UNIX_START, UTC),
        is_forced=False,
        make_up=lambda: ("", NEW.key, NEW.secret),
    )
    return Node(read("1001", encode(document)))


def may_connect(node: Node, app: App) -> bool:
    room = {"has_room": lambda: True, "has_room_from": lambda address: True}
    admission = Admission(node.tables, node.registry, Readiness(), node.clock, **room)
    try:
        admission.admit(Handshake(app.key, "7", "8.6.0", None, True))
    except ConnectionRejected as rejection:
        assert rejection.code == 4001
        return False
    return True


def test_clients_connect_with_either_key_until_the_date(node: Node) -> None:
    """Protocol: §1.3, check 3."""
    assert (may_connect(node, NEW), may_connect(node, OLD)) == (True, True)
    node.clock.advance(SECONDS - 1)
    assert (may_connect(node, NEW), may_connect(node, OLD)) == (True, True)
    node.clock.advance(1)
    assert (may_connect(node, NEW), may_connect(node, OLD)) == (True, False)


def test_channels_and_users_are_authorized_by_either_secret_until_the_date(node: Node) -> None:
    """Protocol: §6.2, §9.1. A connection that is there stays, whatever key it came with."""
    client, other = node.client(NEW), node.client(NEW)
    client.app = OLD
    assert client.subscribe("private-a") == [succeeded("private-a")]
    assert client.subscribe("presence-a", "ann") == [roster("presence-a", ann={})]
    assert other.subscribe("private-a") == [succeeded("private-a")]
    assert client.sign_in("ann")[0]["event"] == "pusher:signin_success"
    node.clock.advance(SECONDS)
    assert client.subscribe("private-b")[0]["event"] == "pusher:subscription_error"
    assert other.sign_in("bob")[0]["event"] == "pusher:signin_success"
    other.app = OLD
    assert other.sign_in("bob")[0]["event"] == "pusher:error"
    client.app = NEW
    assert client.subscribe("private-b") == [succeeded("private-b")]


def test_a_key_goes_with_its_own_secret_only(node: Node) -> None:
    client = node.client(NEW)
    client.app = App("1001", OLD.key, NEW.secret)
    assert client.subscribe("private-a")[0]["event"] == "pusher:subscription_error"


def test_the_older_key_signs_webhooks_until_the_date(node: Node) -> None:
    """Protocol: §13, "Several active keys"."""
    application = node.table(NEW).application
    assert signed(application, b"{}", node.clock.now()) == (OLD.key, OLD.sign("{}"))
    node.clock.advance(SECONDS)
    assert signed(application, b"{}", node.clock.now()) == (NEW.key, NEW.sign("{}"))
