"""``fizz status`` and ``fizz reload``, as an operator types them."""

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness import control, processes
from tests.harness.commands import run_command
from tests.harness.eventually import eventually
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App

NOBODY = 65534


@pytest.fixture(scope="module")
def alone(module_fizz: Start) -> FizzServer:
    """A server of one process."""
    return module_fizz(server={"workers": 1})


def test_status_says_what_there_is_to_know(alone: FizzServer) -> None:
    with alone.client(), alone.client():
        status = run_command(alone, "status", "--json").json
        text = run_command(alone, "status").out
    assert status["pid"] == alone.pid
    assert status["connections"] == 2
    assert status["applications"] == {alone.app.app_id: 2}
    assert status["address"] == f"127.0.0.1:{alone.port}"
    assert status["configuration"] == [str(alone.folder / "fizz.yaml")]
    assert (status["is_draining"], status["is_restarting"]) == (False, False)
    assert (status["redis_seconds_away"], status["last_restart"]) == (None, None)
    assert f"Process        {alone.pid}, since 20" in text
    assert "is running: serving" in text


@pytest.mark.needs_redis
def test_status_adds_up_what_workers_say(fizz: Start) -> None:
    processes.require_proc()
    server = fizz(server={"workers": 2})
    clients = [server.client() for _ in range(4)]

    def is_told() -> bool:
        status = run_command(server, "status", "--json").json
        assert [worker["state"] for worker in status["workers"]] == ["serving"] * 2
        assert sum(worker["connections"] for worker in status["workers"]) == len(clients)
        assert status["connections"] == len(clients)
        assert status["applications"] == {server.app.app_id: len(clients)}
        assert status["redis_seconds_away"] == 0
        assert set(processes.children(server.pid)) > {each["pid"] for each in status["workers"]}
        return True

    eventually(is_told, within=20)
    for client in clients:
        client.close()


def test_without_a_server_one_line_says_where_it_was_looked_for(
    alone: FizzServer, tmp_path: Path
) -> None:
    port = free_port()
    other = tmp_path / "other.yaml"
    config = json.loads((alone.folder / "fizz.yaml").read_text())
    config["servers"]["fizz"]["port"] = port
    other.write_text(json.dumps(config))
    for command in ("status", "reload", "restart"):
        complaint = run_command(alone, command, f"--config={other}").complaint
        assert f"no server is running on port {port}" in complaint
        assert f"beside it fizz-{alone.port}" in complaint


def test_a_reload_is_reported_as_it_went(fizz: Start) -> None:
    server = fizz(server={"workers": 1})
    path = server.folder / "fizz.yaml"
    good = path.read_text()
    config = json.loads(good)
    new = App("2002", "new-key", "new-secret")
    config["apps"]["apps"].append(new.settings())
    config["servers"]["fizz"]["path"] = "/elsewhere"
    path.write_text(json.dumps(config))
    with server.client() as client:
        outcome = run_command(server, "reload")
        assert (outcome.code, outcome.out) == (0, "the configuration is reloaded\n")
        assert outcome.err == "fizz: only a restart brings into effect: servers.fizz.path\n"
        server.client(new).close()
        for text, words in (
            (good.replace('"apps"', '"appz"', 1), "appz"),
            (good.replace("{", "", 1), f"{path}:"),
        ):
            path.write_text(text)
            complaint = run_command(server, "reload").complaint
            assert "the configuration stays as it was" in complaint
            assert words in complaint
        client.ping()
        status = run_command(server, "status", "--json").json
    assert status["last_reload"]["ok"] is False
    assert words in status["last_reload"]["error"]
    path.write_text(good)
    processes.kill(server.pid, signal.SIGHUP)
    eventually(lambda: control.ask(server, "status")["answer"]["last_reload"]["ok"])


def test_another_user_is_told_whose_it_is(fizz: Start) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="fizz-test-") as folder:
        os.chmod(folder, 0o755)
        server = fizz(server={"workers": 1, "run_directory": folder})
        config = Path(folder) / "fizz.yaml"
        config.write_text((server.folder / "fizz.yaml").read_text())
        code = (  # once as root, as others may not read where Python is
            "import os, sys, fizz_gevent.__main__\n"
            "from fizz_gevent.cli import main\n"
            f"words = ['status', '--config={config}']\n"
            f"main(words), os.setgroups([]), os.setuid({NOBODY}), sys.exit(main(words))\n"
        )
        command = [*server.command[:-2], "-c", code]
        done = subprocess.run(
            command, env=server.environ, cwd="/", capture_output=True, text=True, check=False
        )
        server.stop()
    assert done.returncode == 1, done
    assert "is for another user alone: run this as root" in done.stderr
