"""``fizz webhooks`` beside a running server: what waits, what was given up, sending it again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fizz_gevent.application import Application, Webhook
from fizz_gevent.protocol import webhooks
from fizz_gevent.protocol.deliveries import LAST_TRY_AT
from tests.conftest import Start
from tests.harness.cluster import Cluster
from tests.harness.commands import run_command
from tests.harness.control import ask
from tests.harness.eventually import eventually
from tests.harness.receiver import Receiver
from tests.harness.redis_server import RedisServer
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.workers import two_workers

OTHER = App("2", "other-key", "other-secret")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        made.answer = lambda _: 500
        yield made


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def hooks(receiver: Receiver, app: App, **settings: object) -> dict[str, object]:
    secret = receiver.url.replace("http://", "http://me:password@")
    return app.settings(webhooks=[{"url": f"{secret}?token=abc"}], **settings)


def requests_waiting(server: FizzServer) -> int:
    """Asked without a command, which takes its time."""
    found = ask(server, "webhooks")["answer"]["waiting"]
    return sum(each["requests"] for each in found)


def test_what_waits_in_one_process(fizz: Start, receiver: Receiver) -> None:
    server = fizz(apps=[hooks(receiver, App())], server={"workers": 1})
    with server.client() as client:
        for channel in ("a", "b", "c"):
            client.subscribe(channel)
        eventually(lambda: requests_waiting(server) == 3, what="three requests wait")
        app_id = server.app.app_id
        # neither a password nor what else may be secret
        assert run_command(server, "webhooks", "--json").json == {
            "waiting": [{"app_id": app_id, "url": receiver.url, "requests": 3}],
            "failed": 0,
        }
        assert run_command(server, "webhooks").lines == [
            ["APPLICATION", "WEBHOOK", "REQUESTS"],
            [app_id, receiver.url, "3"],
            ["3", "requests", "waiting,", "0", "given", "up"],
        ]
        receiver.answer = lambda _: 200
        receiver.wait_for(3, within=40)  # the waits between tries grow
        eventually(lambda: requests_waiting(server) == 0, what="nothing waits")
        assert run_command(server, "webhooks", "--failed").out == "0 requests given up\n"


@pytest.mark.needs_redis
def test_what_waits_for_several_workers(fizz: Start, receiver: Receiver) -> None:
    """Whichever of them answers."""
    with two_workers() as settings:
        server = fizz(apps=[hooks(receiver, App())], **settings)
        with server.client() as client:
            client.subscribe("a")
            eventually(lambda: requests_waiting(server) == 1, what="one request waits")
            assert run_command(server, "webhooks", "--failed", "--json").json == {"failed": []}
        receiver.answer = lambda _: 200
        server.stop()


@pytest.mark.needs_redis
def test_what_any_node_gave_up_is_listed_and_sent_again_by_any(
    fizz: Start, redis: RedisServer, receiver: Receiver
) -> None:
    apps = [hooks(receiver, app) for app in (App(), OTHER)]
    first, second = Cluster(fizz, redis, 2, apps=apps).nodes
    with redis.client() as admin:
        for app, channel in ((App(), "a"), (App(), "b"), (OTHER, "c")):
            admin.lpush("fizz:w:failed", given_up(app, receiver, channel))
    assert ask(first, "webhooks")["answer"] == {"waiting": [], "failed": 3}
    newest, *_ = run_command(second, "webhooks", "--failed", "--json").json["failed"]
    assert newest == {
        "app_id": OTHER.app_id,
        "url": receiver.url,
        "time_ms": 1_700_000_000_000,
        "failed_ms": 1_700_000_285_000,
        "why": "status 500",
        "events": [{"name": "channel_occupied", "channel": "c"}],
    }
    shown = run_command(second, "webhooks", "--failed", f"--app={App().app_id}").lines
    assert [line[2:] for line in shown[1:3]] == [
        [App().app_id, receiver.url, "channel_occupied", channel, "status", "500"]
        for channel in ("b", "a")
    ]
    assert shown[-1] == ["2", "requests", "given", "up", "(fizz", "webhooks", "retry)"]
    # One application's first, by the one node; then what is left, by the other.
    receiver.answer = lambda _: 200
    assert run_command(first, "webhooks", "retry", f"--app={OTHER.app_id}", "--json").json == {
        "sent_again": 1
    }
    (event,) = receiver.wait_for(1)
    assert event["channel"] == "c"
    assert run_command(second, "webhooks", "retry").out == "2 requests will be sent again.\n"
    receiver.wait_for(3)
    assert sorted(event["channel"] for event in receiver.events()) == ["a", "b", "c"]
    assert ask(first, "webhooks")["answer"]["failed"] == 0
    for request in receiver.taken:
        assert request.json["time_ms"] > 1_700_000_285_000
        app = OTHER if request.headers["X-Pusher-Key"] == OTHER.key else App()
        assert request.headers["X-Pusher-Signature"] == app.sign(request.body.decode())


def given_up(app: App, receiver: Receiver, channel: str) -> bytes:
    """A request as it stands in Redis when it was given up; to wait for one takes five minutes."""
    url = str(hooks(receiver, app)["webhooks"][0]["url"])  # type: ignore[index]
    application = Application(app.app_id, app.key, app.secret, webhooks=(Webhook(url),))
    event = (1_700_000_000_000, webhooks.occupancy(channel, True))
    (delivery,) = webhooks.deliveries(
        application, [event], now=1_700_000_000, new_id=lambda: f"id-{channel}"
    )
    return b"1700000285000 status 500\n" + delivery.encoded()


def test_who_is_unknown_and_who_does_not_run(fizz: Start, receiver: Receiver) -> None:
    server = fizz(apps=[hooks(receiver, App())])
    complaint = run_command(server, "webhooks", "--app=nobody").complaint
    assert "the server has no application 'nobody'" in complaint
    found = run_command(server, "webhooks", "retry", "--failed")
    assert (found.code, found.out) == (2, "")
    assert "'webhooks retry' does not take --failed" in found.err
    server.stop()
    assert "no server is running" in run_command(server, "webhooks").complaint


@pytest.mark.long
def test_what_one_process_gave_up_is_listed_and_sent_again(fizz: Start, receiver: Receiver) -> None:
    """Over the real time that a request is tried."""
    app = hooks(receiver, App(), ping_interval=1000)  # nobody answers pings here
    server = fizz(apps=[app], server={"workers": 1})
    with server.client() as client:
        client.subscribe("orders")
        within = LAST_TRY_AT + 30
        eventually(
            lambda: ask(server, "webhooks")["answer"] == {"waiting": [], "failed": 1},
            within=within,
            what="the request is given up",
        )
        (failed,) = run_command(server, "webhooks", "--failed", "--json").json["failed"]
        assert (failed["why"], failed["url"]) == ("status 500", receiver.url)
        assert failed["events"] == [{"name": "channel_occupied", "channel": "orders"}]
        assert "1 requests given up; the last: status 500" in server.stderr
        receiver.answer = lambda _: 200
        assert run_command(server, "webhooks", "retry", "--json").json == {"sent_again": 1}
        receiver.wait_for(1)
