"""``fizz restart``: another program in the same process, and nobody is refused meanwhile."""

import json
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness import control, processes
from tests.harness.certificates import make_certificate
from tests.harness.commands import run_command
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.receiver import Receiver
from tests.harness.server import ROOT, FizzServer, free_port
from tests.harness.signing import App
from tests.harness.visitors import Visitors
from tests.harness.workers import gone, redis_of, two_workers, workers_of

ENDS_WITHIN = 40.0
RESTARTS_WITHIN = 90.0
"""Two starts one after the other, beside all that visitors want; the machine is shared."""

SETUPS = [
    pytest.param(1, id="alone"),
    pytest.param(2, id="workers", marks=pytest.mark.needs_redis),
]
Launch = Callable[..., FizzServer]


@pytest.fixture(autouse=True)
def _linux() -> None:
    processes.require_proc()


@pytest.fixture
def launch(fizz: Start) -> Iterator[Launch]:
    """Starts a server with so many workers."""
    with two_workers() as how:

        def start(workers: int, *, path: Path | None = None, **settings: Any) -> FizzServer:
            server = {**how["server"], "workers": workers, **settings.pop("server", {})}
            environ = dict(how["environ"])
            if path is not None:  # where a test may put code that goes before Fizz's own
                environ |= {"PYTHONPATH": f"{path}:{ROOT}", "GO": str(path / "go")}
            return fizz(server=server, environ=environ, **settings)

        yield start


def rewrite(server: FizzServer, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the file of a running server, and tell nobody."""
    path = server.folder / "fizz.yaml"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def restarted(server: FizzServer) -> str:
    """What ``fizz restart`` prints where it succeeds."""
    outcome = run_command(server, "restart", within=RESTARTS_WITHIN)
    assert (outcome.code, outcome.err) == (0, ""), (outcome, server.logs())
    return outcome.out


@pytest.mark.parametrize("workers", SETUPS)
def test_under_load_nobody_is_refused_and_no_request_fails(launch: Launch, workers: int) -> None:
    """Protocol: §4.3, 4200."""
    server = launch(workers)
    pid, files = server.pid, len(os.listdir(f"/proc/{server.pid}/fd"))
    old = workers_of(server)
    redis = redis_of(server)
    client = server.client()
    with Visitors(server, rate=50) as visitors:
        eventually(lambda: visitors.counts["connection"] > 50 < visitors.counts["request"])
        words = restarted(server)
        assert client.expect_close()[0] == 4200
        before = dict(visitors.counts)
        eventually(
            lambda: all(visitors.counts[what] > before[what] + 50 for what in before),
            within=ENDS_WITHIN,
            what="the new program serves",
        )
    assert visitors.failures == []
    assert words.startswith("restarted in ")
    assert f"process {pid}" in words
    assert server.process is not None
    assert server.process.poll() is None
    assert control.run_file(server, "pid").read_text() == f"{pid}\n"
    eventually(lambda: gone(*old), within=ENDS_WITHIN, what="the old workers have ended")
    assert set(old).isdisjoint(workers_of(server))
    assert redis_of(server) == redis
    assert len(os.listdir(f"/proc/{pid}/fd")) <= files + 2
    assert server.stdout.count("Listening") == 1
    (line,) = server.stderr.splitlines()
    assert " info restarted in " in line


@pytest.mark.long
@pytest.mark.parametrize("workers", SETUPS)
def test_what_only_a_restart_brings_is_there_and_made_up_credentials_stay(
    launch: Launch, workers: int
) -> None:
    server = launch(workers, apps=[])
    text = eventually(lambda: server.stdout if "pusher.subscribe" in server.stdout else "")
    words = dict(line.split("=", 1) for line in text.split() if line.startswith("FIZZ_APP_"))
    app = App(words["FIZZ_APP_ID"], words["FIZZ_APP_KEY"], words["FIZZ_APP_SECRET"])
    rewrite(server, lambda config: config["servers"]["fizz"].update(path="/new"))
    assert "servers.fizz.path" in run_command(server, "reload").err
    restarted(server)
    server.settings["path"] = "/new"
    with server.client(app) as client:
        client.subscribe("private-x")


@pytest.mark.long
@pytest.mark.needs_redis
def test_the_number_of_workers_may_change_to_one_and_back(launch: Launch) -> None:
    server = launch(1)
    for workers, count in ((3, 3), (1, 0)):
        old = workers_of(server)
        rewrite(server, lambda config: config["servers"]["fizz"].update(workers=workers))  # noqa: B023
        restarted(server)
        eventually(lambda: gone(*old), within=ENDS_WITHIN, what="the old workers have ended")  # noqa: B023
        assert len(workers_of(server)) == count
        with server.client() as client:
            client.ping()
    eventually(lambda: redis_of(server) is None, what="the Redis between them has ended")


def test_what_is_broken_is_found_while_the_old_program_serves(
    launch: Launch, tmp_path: Path
) -> None:
    server = launch(1, path=tmp_path)
    good = (server.folder / "fizz.yaml").read_text()
    with server.client() as client:
        rewrite(server, lambda config: config["servers"]["fizz"].update(drain_seconds="soon"))
        named = f"--config={good_file(server, good)}"
        for command in ("reload", "restart"):
            complaint = run_command(server, command, named, within=RESTARTS_WITHIN).complaint
            assert f"{server.folder}/fizz.yaml:" in complaint
            assert "servers.fizz.drain_seconds" in complaint
        (server.folder / "fizz.yaml").write_text(good)
        # New code that does not even load.
        broken = tmp_path / "orjson.py"
        broken.write_text("raise ImportError('half of an upgrade')")
        environ = {"PYTHONPATH": str(ROOT)}
        complaint = run_command(
            server, "restart", environ=environ, within=RESTARTS_WITHIN
        ).complaint
        assert complaint == "fizz: ImportError: half of an upgrade"
        client.ping()


def good_file(server: FizzServer, text: str) -> Path:
    """A configuration that says where the server is, while its own is broken."""
    path = server.folder / "good.yaml"
    path.write_text(text)
    return path


@pytest.mark.long
def test_a_server_does_not_move_while_it_runs(launch: Launch) -> None:
    server = launch(1)
    good = good_file(server, (server.folder / "fizz.yaml").read_text())
    rewrite(server, lambda config: config["servers"]["fizz"].update(host="127.0.0.2"))
    complaint = run_command(server, "restart", f"--config={good}", within=RESTARTS_WITHIN).complaint
    assert "servers.fizz.host is '127.0.0.2' now and was '127.0.0.1'" in complaint
    assert "stop it and start it" in complaint


@pytest.mark.needs_redis
def test_where_new_workers_cannot_start_the_old_ones_go_on(launch: Launch, tmp_path: Path) -> None:
    server = launch(2, path=tmp_path)
    old = workers_of(server)
    trap = tmp_path / "sitecustomize.py"
    trap.write_text("import os, sys\nif '_FIZZ_WORKER' in os.environ: os._exit(3)")
    environ = {"PYTHONPATH": str(ROOT)}
    with server.client() as client:
        complaint = run_command(
            server, "restart", environ=environ, within=RESTARTS_WITHIN
        ).complaint
        assert "the old program goes on serving" in complaint
        assert "ended with exit code 3 before it was ready" in complaint
        client.ping()
        assert workers_of(server) == old
        status = json.loads(run_command(server, "status", "--json", environ=environ).out)
        assert status["last_restart"]["ok"] is False
        trap.unlink()
        restarted(server)
        assert client.expect_close()[0] == 4200
    eventually(lambda: gone(*old), within=ENDS_WITHIN, what="the old workers have ended")


@pytest.mark.long
@pytest.mark.needs_redis
def test_a_parent_that_is_killed_while_workers_start_leaves_nothing(
    launch: Launch, tmp_path: Path
) -> None:
    server = launch(2, path=tmp_path)
    old, redis = workers_of(server), redis_of(server)
    go = tmp_path / "go"
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "while '_FIZZ_WORKER' in os.environ and not os.path.exists(os.environ['GO']):\n"
        "    time.sleep(0.02)\n"
    )
    with server.client() as client:
        assert "attempt" in control.ask(server, "restart")["answer"]
        eventually(
            lambda: len(workers_of(server)) == 4, within=ENDS_WITHIN, what="old and new workers"
        )
        everybody = [*workers_of(server), *filter(None, [redis])]
        assert set(old) < set(everybody)
        processes.kill(server.pid)
        assert client.expect_close()[0] == 4200
    go.touch()
    eventually(lambda: gone(*everybody), within=ENDS_WITHIN, what="no process is left")


@pytest.mark.long
@pytest.mark.parametrize(
    "becomes", ["secure", pytest.param("several", marks=pytest.mark.needs_redis)]
)
def test_where_idle_connections_cannot_be_kept_they_end(
    launch: Launch, tmp_path: Path, becomes: str
) -> None:
    """Neither workers nor TLS can go on with what one process has spoken in plain."""
    certificate = make_certificate(tmp_path)
    tls = {"tls": {"cert": str(certificate.cert), "key": str(certificate.key)}}
    change = {"options": tls} if becomes == "secure" else {"workers": 2}
    server = launch(1)
    connection = HttpSocket.open(server.address, within=ENDS_WITHIN)
    with connection.socket:
        assert connection.ask(request("GET", "/up")).status == 200
        rewrite(server, lambda config: config["servers"]["fizz"].update(change))
        restarted(server)
        assert connection.is_at_end()
    server.tls = certificate.client_context() if becomes == "secure" else None
    with server.client() as client:
        client.ping()


@pytest.mark.long
def test_idle_connections_are_kept_and_what_comes_on_them_is_answered(launch: Launch) -> None:
    server = launch(1)
    connection = HttpSocket.open(server.address, within=ENDS_WITHIN)
    with connection.socket:
        assert connection.ask(request("GET", "/up")).status == 200
        restarted(server)
        answer = connection.ask(request("GET", "/up"))
        assert answer.status == 200
        assert "connection" not in answer.headers


@pytest.mark.long
def test_webhooks_that_wait_outlive_it(launch: Launch) -> None:
    """Protocol: §13, at least once, and the three seconds of a channel that is left."""
    receiver = Receiver()
    try:
        kinds = ["channel_occupied", "channel_vacated"]
        webhook = {"url": receiver.url, "event_types": kinds}
        receiver.answer = lambda _: 500
        server = launch(1, apps=[App().settings(webhooks=[webhook])])
        client = server.client()
        client.subscribe("orders")
        eventually(lambda: receiver.requests, what="a first try")
        restarted(server)
        receiver.answer = lambda _: 200
        assert client.expect_close()[0] == 4200
        with server.client() as again:
            again.subscribe("orders")
            eventually(lambda: receiver.events("channel_occupied"), within=ENDS_WITHIN)
        eventually(lambda: receiver.events()[-1:] == receiver.events("channel_vacated")[-1:])
        # Where the machine was slower than those three seconds, the channel was left in between.
        names = [event["name"] for event in receiver.events()]
        assert names == ["channel_occupied", "channel_vacated"] * (len(names) // 2)
    finally:
        receiver.close()


@pytest.mark.long
def test_over_tls_with_a_new_certificate_and_metrics(launch: Launch, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = (make_certificate(tmp_path / name) for name in ("first", "second"))
    port = free_port()
    server = launch(
        1,
        server={
            "options": {"tls": {"cert": str(first.cert), "key": str(first.key)}},
            "metrics": {"enabled": True, "port": port},
        },
        tls=first.client_context(),
    )
    tls = {"cert": str(second.cert), "key": str(second.key)}
    rewrite(server, lambda config: config["servers"]["fizz"].update(options={"tls": tls}))
    with server.client() as client:
        restarted(server)
        assert client.expect_close()[0] == 4200
    server.tls = second.client_context()
    with server.client() as client:
        client.ping()
    with socket.create_connection(("127.0.0.1", port)) as scrape:
        scrape.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert b" 200 " in scrape.recv(100)


@pytest.mark.long
@pytest.mark.parametrize("workers", SETUPS)
def test_on_a_unix_socket(launch: Launch, tmp_path: Path, workers: int) -> None:
    with tempfile.TemporaryDirectory(prefix="fizz-test-") as folder:
        path = Path(folder) / "s"
        server = launch(workers, server={"host": f"unix:{path}"})
        with server.client() as client:
            restarted(server)
            assert client.websocket.recv_frame().close[0] == 4200
        with server.client() as client:
            client.ping()
        server.stop()
        assert not path.exists()


@pytest.mark.long
def test_a_signal_in_the_middle_of_it_ends_the_server_properly(launch: Launch) -> None:
    server = launch(1)
    assert "attempt" in control.ask(server, "restart")["answer"]
    processes.kill(server.pid, signal.SIGTERM)
    processes.kill(server.pid, signal.SIGHUP)
    assert server.wait() == 0
    assert not control.run_file(server, "sock").exists()
