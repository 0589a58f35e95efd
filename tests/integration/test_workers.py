"""Several processes on one port: how they start, what they share, what is refused."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.harness import processes
from tests.harness.eventually import eventually
from tests.harness.pusher_client import PusherClient
from tests.harness.server import ROOT, FizzServer, clean_environ, free_port
from tests.harness.signing import App
from tests.harness.websocket import RawWebSocket, websocket_target
from tests.harness.workers import (
    Settings,
    owners,
    port_of,
    redis_of,
    two_workers,
    wait_for_all,
    workers_of,
)

pytestmark = pytest.mark.needs_redis


@pytest.fixture(autouse=True)
def _linux() -> None:
    processes.require_proc()


@pytest.fixture
def settings() -> Iterator[Settings]:
    with two_workers() as how:
        yield how


def test_one_banner_and_nothing_else(fizz: Start, settings: Settings) -> None:
    server = fizz(apps=[], **settings)
    eventually(lambda: "pusher.subscribe" in server.stdout, what="the whole banner")
    assert server.stdout.count("Listening") == 1
    assert "Workers        2, with a private Redis between them" in server.stdout
    assert len(workers_of(server)) == 2
    assert server.stderr == ""


def test_made_up_credentials_are_those_of_every_worker(fizz: Start, settings: Settings) -> None:
    server = fizz(apps=[], **settings)
    text = eventually(lambda: server.stdout if "pusher.subscribe" in server.stdout else "")
    words = dict(line.split("=", 1) for line in text.split() if line.startswith("FIZZ_APP_"))
    app = App(words["FIZZ_APP_ID"], words["FIZZ_APP_KEY"], words["FIZZ_APP_SECRET"])
    pids = workers_of(server)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client(app)) for _ in range(6)]
        for client in clients:
            client.subscribe("private-x")
        owner = owners(server, [port_of(client.websocket) for client in clients])
    assert set(owner.values()) == set(pids)


def test_no_secret_stands_where_other_users_see_it(fizz: Start, settings: Settings) -> None:
    server = fizz(**settings)
    for pid in processes.children(server.pid):
        assert server.app.secret not in processes.command_line(pid)
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        assert server.app.secret.encode() not in environ
    redis = redis_of(server)
    assert redis is not None
    folder = Path(os.readlink(f"/proc/{redis}/cwd"))
    assert folder.stat().st_mode & 0o777 == 0o700
    # A Unix socket alone: nothing of the network.
    tcp = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
    assert not tcp & processes.socket_inodes(redis)


def test_a_burst_of_connections_spreads_evenly(fizz: Start, settings: Settings) -> None:
    settings["server"] = {**settings["server"], "workers": 4}
    server = fizz(**settings)
    wait_for_all(server)
    assert len(workers_of(server)) == 4
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(400)
        ]
        clients = []
        for each in sockets:
            websocket = RawWebSocket(each)
            clients.append(PusherClient(_upgraded(websocket, server), server.app))
        owner = owners(server, [each.getsockname()[1] for each in sockets])
        counts = Counter(owner.values())
        assert len(owner) == 400
        assert len(counts) == 4
        assert max(counts.values()) <= 120, counts
        assert min(counts.values()) >= 80, counts


def test_connections_one_by_one_spread_evenly(fizz: Start, settings: Settings) -> None:
    server = fizz(**settings)
    wait_for_all(server)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(60)]
        owner = owners(server, [port_of(client.websocket) for client in clients])
        counts = Counter(owner.values())
    assert sorted(counts.values())[0] >= 24, counts


def test_without_redis_server_one_line_says_what_to_install(
    tmp_path: Path, settings: Settings
) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    environ = {**settings["environ"], "PATH": str(empty)}
    code, line = refused(tmp_path, **{**settings, "environ": environ})
    assert code == 1
    assert "apt install redis-server" in line
    assert "workers: 1" in line


def test_a_port_in_use_is_one_line(tmp_path: Path, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings["server"] = {**settings["server"], "port": port}
        code, line = refused(tmp_path, **settings)
    assert code == 1
    assert line.startswith(f"fizz: cannot listen on 127.0.0.1:{port}: ")


def test_what_only_workers_find_out_is_one_line(tmp_path: Path, settings: Settings) -> None:
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    environ = {**settings["environ"], "PATH": str(broken.parent)}
    code, line = refused(tmp_path, **{**settings, "environ": environ})
    assert code == 1
    assert "the private redis-server ended with exit code 3" in line


def test_a_redis_that_refuses_is_one_line_of_all_workers(
    tmp_path: Path, settings: Settings
) -> None:
    scaling = {"enabled": True, "server": {"url": "redis+sentinel://127.0.0.1"}}
    settings["server"] = {**settings["server"], "scaling": scaling}
    code, line = refused(tmp_path, **settings)
    assert code == 2
    assert "scaling.server" in line


def test_the_limit_of_connections_holds_for_all_workers_together(
    fizz: Start, settings: Settings
) -> None:
    """Protocol: §1.3, 4100."""
    settings["server"] = {**settings["server"], "max_connections": 7}
    server = fizz(**settings)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(7)]
        owner = owners(server, [port_of(client.websocket) for client in clients])
        assert len(set(owner.values())) == 2
        for _ in range(4):
            with server.websocket() as websocket:
                assert websocket.recv_event()["data"]["code"] == 4100
        clients[0].close()
        eventually(lambda: _is_let_in(server), what="there is room again")


def test_the_rate_of_a_back_end_is_that_of_the_whole_server(
    fizz: Start, settings: Settings
) -> None:
    """Protocol: §12.2, 429."""
    rate = 20
    limited = App().settings(max_backend_events_per_second=rate)
    server = fizz(apps=[limited], **settings)
    began = time.monotonic()
    accepted = 0
    while server.api().post("/events", {"name": "e", "channel": "c", "data": ""}).status == 200:
        accepted += 1
    seconds = time.monotonic() - began
    assert rate <= accepted <= rate + seconds * rate


def test_a_reload_reaches_every_worker_and_those_to_come(fizz: Start, settings: Settings) -> None:
    new = App("2002", "new-key", "new-secret")
    server = fizz(**settings)
    path = server.folder / "fizz.yaml"
    config = json.loads(path.read_text())
    config["apps"]["apps"].append(new.settings())
    path.write_text(json.dumps(config))
    processes.kill(server.pid, signal.SIGHUP)
    eventually(lambda: server.stderr.count("the configuration is reloaded") == 2)
    assert "restart" not in server.stderr
    for victim in workers_of(server):
        processes.kill(victim)
    eventually(
        lambda: (
            server.stderr.count("another one takes its place") == 2 and len(workers_of(server)) == 2
        ),
        what="two new workers",
    )
    wait_for_all(server)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client(new)) for _ in range(8)]
        owner = owners(server, [port_of(client.websocket) for client in clients])
    assert set(owner.values()) == set(workers_of(server))


def test_check_says_what_start_would_miss(tmp_path: Path) -> None:
    (tmp_path / "fizz.yaml").write_text("servers: {fizz: {workers: 2}}")
    command = [sys.executable, "-P", "-W", "error", "-m", "fizz_gevent", "check"]
    done = subprocess.run(
        [*command, f"--config={tmp_path}/fizz.yaml"],
        env=clean_environ(PYTHONPATH=str(ROOT), PATH=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt install redis-server" in done.stderr


def test_a_server_on_a_unix_socket(fizz: Start, settings: Settings) -> None:
    path = Path(str(settings["environ"]["TMPDIR"])) / "s"
    settings["server"] = {**settings["server"], "host": f"unix:{path}"}
    server = fizz(**settings)
    with server.client() as client:
        client.subscribe("private-x")


def test_debug_output_names_the_worker(fizz: Start, settings: Settings) -> None:
    server = fizz(options=["--debug"], **settings)
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(server.client()).ping()

        def both() -> bool:
            return "Z [0] < " in server.stderr and "Z [1] < " in server.stderr

        eventually(both, what="frames of both workers")


def test_the_variable_that_workers_are_started_with_is_no_setting(tmp_path: Path) -> None:
    code, line = refused(tmp_path, environ={"_FIZZ_WORKER": "99"})
    assert (code, line) == (2, "fizz: _FIZZ_WORKER: this variable is Fizz's own\n")


def _upgraded(websocket: RawWebSocket, server: FizzServer) -> RawWebSocket:
    websocket.handshake(websocket_target(server.app.key), host="127.0.0.1")
    return websocket


def _is_let_in(server: FizzServer) -> bool:
    with server.websocket() as websocket:
        return bool(websocket.recv_event()["event"] == "pusher:connection_established")


def refused(folder: Path, **how: Any) -> tuple[int, str]:
    """The exit code and stderr of a server that does not start; it prints nothing else."""
    server = FizzServer(folder, **how)
    server.port = server.port or free_port()
    server.launch()
    try:
        code = server.wait()
    finally:
        server.kill()
    assert server.stdout == ""
    assert server.stderr.count("\n") == 1, server.stderr
    return code, server.stderr
