"""What a running server tells back ends, checked with the official libraries. Protocol: §13."""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pusher
import pytest

from tests.conftest import Start
from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.node import NodeScript
from tests.harness.receiver import Failing, Receiver
from tests.harness.scripted import Scripted
from tests.harness.server import WORKERS, FizzServer
from tests.harness.signing import App

ROOM = "presence-room"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def app_of(receiver: Receiver, *others: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """An application with one webhook, and perhaps others."""
    return App().settings(webhooks=[{"url": receiver.url}, *others], **settings)


def named(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((event["name"], event["channel"]) for event in events)


def all_seven_kinds(server: FizzServer) -> None:
    """Do what raises each kind of event, once at least."""
    with server.client() as client:
        client.request_subscription(ROOM, user_id="ann")
        client.wait_for("pusher_internal:subscription_succeeded", ROOM)
        client.request_subscription("private-x")
        client.wait_for("pusher_internal:subscription_succeeded", "private-x")
        client.request_subscription("cache-x")
        client.wait_for("pusher:cache_miss", "cache-x")
        client.trigger("client-move", ROOM, {"x": 1})
        client.trigger("client-move", "private-x", {"ä": "ö"})
        client.pending()
        client.close()


EXPECTED = [
    *[("cache_miss", "cache-x")],
    *[("channel_occupied", name) for name in ("cache-x", ROOM, "private-x")],
    *[("channel_vacated", name) for name in ("cache-x", ROOM, "private-x")],
    *[("client_event", name) for name in (ROOM, "private-x")],
    *[("member_added", ROOM), ("member_removed", ROOM)],
    *[("subscription_count", name) for name in ("cache-x", "cache-x", "private-x", "private-x")],
]


def test_all_seven_kinds_as_the_official_python_library_reads_them(
    fizz: Start, receiver: Receiver
) -> None:
    server = fizz(apps=[app_of(receiver, subscription_counts=True)])
    all_seven_kinds(server)
    events = receiver.wait_for(len(EXPECTED))
    assert named(events) == sorted(EXPECTED)
    app = App()
    library = pusher.Pusher(app_id=app.app_id, key=app.key, secret=app.secret)
    try:
        for request in receiver.requests:
            key, signature = (request.headers[f"X-Pusher-{name}"] for name in ("Key", "Signature"))
            body = request.body.decode()
            assert library.validate_webhook(key, signature, body) == request.json
            assert library.validate_webhook(key, signature, f"{body} ") is None
            assert request.headers["Content-Type"] == "application/json"
            assert len(request.events) == 1
    finally:
        library._pusher_client.http.session.close()
    (move,) = [each for each in events if each["name"] == "client_event" and "user_id" in each]
    assert (move["channel"], move["event"], move["data"]) == (ROOM, "client-move", '{"x":1}')
    (other,) = [each for each in events if each.get("channel") == "private-x" and "data" in each]
    assert json.loads(other["data"]) == {"ä": "ö"}
    assert other["socket_id"] == move["socket_id"]


def test_batches_as_the_official_node_library_reads_them(
    fizz: Start, receiver: Receiver, node: Callable[..., NodeScript]
) -> None:
    server = fizz(apps=[app_of(receiver, subscription_counts=True, webhook_batching=True)])
    all_seven_kinds(server)
    events = receiver.wait_for(len(EXPECTED))
    assert named(events) == sorted(EXPECTED)
    assert len(receiver.requests) < len(EXPECTED)
    script = Scripted(node, "webhook.js", server, App())
    for request in receiver.requests:
        headers = {name.lower(): value for name, value in request.headers.items()}
        shown = {"headers": headers, "body": request.body.decode()}
        assert script.do("read", shown) == {
            "valid": True,
            "time": request.json["time_ms"],
            "events": request.events,
        }
        assert script.do("read", {**shown, "body": shown["body"] + " "}) == {"valid": False}


def test_a_page_that_reloads_within_two_seconds_is_not_noticed(
    fizz: Start, receiver: Receiver
) -> None:
    server = fizz(apps=[app_of(receiver)])
    client = server.client()
    client.subscribe(ROOM, user_id="ann")
    client.subscribe("orders")
    assert len(receiver.wait_for(3)) == 3
    left_at = time.monotonic()
    client.close()
    other = server.client()
    other.subscribe(ROOM, user_id="ann")
    other.subscribe("orders")
    assert time.monotonic() - left_at < 2
    # Somebody who leaves for good later than that is told of, and those two still are not.
    with server.client() as stranger:
        stranger.subscribe("marker")
        stranger.close()
    receiver.wait_for(1, "channel_vacated")
    assert named(receiver.events()) == [
        *[("channel_occupied", name) for name in ("marker", "orders", ROOM)],
        *[("channel_vacated", "marker"), ("member_added", ROOM)],
    ]
    other.close()


def test_a_failing_receiver_gets_everything_in_the_end_and_in_order(
    fizz: Start, receiver: Receiver
) -> None:
    receiver.answer = Failing(2)
    server = fizz(apps=[app_of(receiver)])
    with server.client() as client:
        client.subscribe("private-x")
        client.subscribe("private-y")
        for number in range(5):
            for channel in ("private-x", "private-y"):
                client.trigger("client-n", channel, {"n": number})
        receiver.wait_for(12)
    for channel in ("private-x", "private-y"):
        found = [each for each in receiver.taken if each.events[0]["channel"] == channel]
        assert found[0].events[0]["name"] == "channel_occupied"
        assert [json.loads(each.events[0]["data"])["n"] for each in found[1:6]] == [*range(5)]
        tries = [each for each in receiver.requests if each.events[0]["channel"] == channel]
        assert len({(each.body, each.headers["X-Pusher-Signature"]) for each in tries[:3]}) == 1
    assert "fails: status 500" in server.stderr
    eventually(lambda: "works again" in server.stderr, what="the log says so")


def test_a_receiver_that_hangs_holds_up_no_other(fizz: Start, receiver: Receiver) -> None:
    may_end = threading.Event()
    with Receiver() as hanging:

        def hang(_: object) -> int:
            may_end.wait(20)
            return 200

        hanging.answer = hang
        server = fizz(apps=[app_of(receiver, {"url": hanging.url})])
        with server.client() as client:
            for number in range(40):
                client.subscribe(f"orders-{number}")
            receiver.wait_for(40)
            client.ping()
            assert hanging.taken == []
            may_end.set()
            hanging.wait_for(40)


def test_webhooks_filter_and_carry_their_headers(fizz: Start, receiver: Receiver) -> None:
    with Receiver() as other:
        hook = {
            "url": other.url,
            "event_types": ["channel_occupied"],
            "channel_prefix": "orders-",
            "channel_suffix": "-eu",
            "headers": {"Authorization": "Bearer abc", "X-Pusher-Key": "forged"},
        }
        server = fizz(apps=[app_of(receiver, hook)])
        with server.client() as client:
            for channel in ("orders-1-us", "orders-1-eu", "private-eu"):
                client.subscribe(channel)
            receiver.wait_for(3)
            other.wait_for(1)
        server.stop()
        (request,) = other.requests
        assert named(request.events) == [("channel_occupied", "orders-1-eu")]
        assert request.headers["Authorization"] == "Bearer abc"
        assert request.headers["X-Pusher-Key"] == App().key


def test_the_oldest_active_key_signs(fizz: Start, receiver: Receiver) -> None:
    old = App(App().app_id, "old-key", "old-secret")
    previous = {"key": old.key, "secret": old.secret, "until": "2999-01-01T00:00:00Z"}
    server = fizz(apps=[app_of(receiver, previous=previous)])
    with server.client() as client:
        client.subscribe("orders")
        receiver.wait_for(1)
    request = receiver.requests[0]
    assert request.headers["X-Pusher-Key"] == old.key
    assert request.headers["X-Pusher-Signature"] == old.sign(request.body.decode())


def test_addresses_inside_private_networks_are_refused_where_that_is_wished(
    fizz: Start, receiver: Receiver
) -> None:
    server = fizz(apps=[app_of(receiver, webhook_private_networks=False)], server=_DRAIN_SHORTLY)
    with server.client() as client:
        client.subscribe("orders")
        words = "fails: 127.0.0.1 is at 127.0.0.1, inside a private network"
        eventually(lambda: words in server.stderr, what="the log says why")
    server.stop()
    assert receiver.requests == []


def test_certificates_are_checked(
    fizz: Start, receiver: Receiver, certificate: Certificate
) -> None:
    """One address has a certificate that this server trusts; to another it has no name."""
    with Receiver(certificate) as trusted:
        port = trusted.port
        hooks = [{"url": f"https://localhost:{port}/a"}, {"url": f"https://127.0.0.2:{port}/b"}]
        server = fizz(
            apps=[app_of(receiver, *hooks)],
            server=_DRAIN_SHORTLY,
            environ={"SSL_CERT_FILE": str(certificate.cert)},
        )
        with server.client() as client:
            client.subscribe("orders")
            assert named(trusted.wait_for(1)) == [("channel_occupied", "orders")]
            eventually(lambda: "/b of application 1001 fails" in server.stderr)
            receiver.wait_for(1)
        server.stop()
        assert {request.path for request in trusted.requests} == {"/a"}


def test_redirects_are_not_followed(fizz: Start, receiver: Receiver) -> None:
    with Receiver() as other:
        receiver.answer = lambda _: (307, {"Location": other.url})
        server = fizz(apps=[app_of(receiver)], server=_DRAIN_SHORTLY)
        with server.client() as client:
            client.subscribe("orders")
            eventually(lambda: len(receiver.requests) >= 2, what="it is tried again")
        server.stop()
        assert other.requests == []


_DRAIN_SHORTLY = {"drain_seconds": 0}


def test_a_server_that_stops_sends_what_is_left(fizz: Start, receiver: Receiver) -> None:
    """Nothing is held back any more, and what failed is tried once more."""
    receiver.answer = Failing(1)
    server = fizz(apps=[app_of(receiver)])
    with contextlib.ExitStack() as stack:
        for number in range(20):
            client = stack.enter_context(server.client())
            client.subscribe(f"orders-{number}")
        server.stop()
    assert len(receiver.events("channel_occupied")) == 20
    assert len(receiver.events("channel_vacated")) == 20


def test_one_webhook_has_a_variable(fizz: Start, receiver: Receiver) -> None:
    app = App("7", "k7", "s7")
    environ = {
        **{"FIZZ_APP_ID": "7", "FIZZ_APP_KEY": "k7", "FIZZ_APP_SECRET": "s7"},
        "FIZZ_APP_WEBHOOK_URL": receiver.url,
    }
    server = fizz(config={"apps": {}}, environ=environ)
    with server.client(app) as client:
        client.subscribe("orders")
        assert named(receiver.wait_for(1)) == [("channel_occupied", "orders")]


def test_a_reload_brings_and_takes_webhooks(fizz: Start, receiver: Receiver) -> None:
    server = fizz(apps=[App().settings()])
    path = server.folder / "fizz.yaml"
    config = json.loads(path.read_text())

    def reload(*urls: str) -> None:
        count = server.stderr.count("the configuration is reloaded")
        config["apps"]["apps"][0]["webhooks"] = [{"url": url} for url in urls]
        path.write_text(json.dumps(config))
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        wanted = count + int(WORKERS or 1)
        eventually(lambda: server.stderr.count("the configuration is reloaded") >= wanted)

    with server.client() as client:
        client.subscribe("before")
        reload(receiver.url)
        client.subscribe("during")
        receiver.wait_for(1)
        reload()
        client.subscribe("after")
        client.ping()
    server.stop()
    assert named(receiver.events()) == [("channel_occupied", "during")]


def test_tries_go_on_over_real_time(fizz: Start, receiver: Receiver) -> None:
    """The first waits are a second and two, and each a tenth more or less."""
    moments: list[float] = []

    def answer(_: object) -> int:
        moments.append(time.monotonic())
        return 200 if len(moments) > 2 else 500

    receiver.answer = answer
    server = fizz(apps=[app_of(receiver)])
    with server.client() as client:
        client.subscribe("orders")
        receiver.wait_for(1)
    first, second = moments[1] - moments[0], moments[2] - moments[1]
    assert first >= 0.9
    assert second >= 1.8
