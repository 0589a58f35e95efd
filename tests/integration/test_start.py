"""``fizz start`` as an operator sees it: exit codes, the banner, what is refused."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.server import ROOT, FizzServer, clean_environ
from tests.harness.signing import App


def refused(folder: Path, **how: object) -> tuple[int, str]:
    """The exit code and stderr of a server that does not start; it prints nothing else."""
    server = FizzServer(folder, **how)  # type: ignore[arg-type]
    server.launch()
    try:
        code = server.wait()
    finally:
        server.kill()
    assert server.stdout == ""
    assert server.stderr.count("\n") == 1
    return code, server.stderr


def banner(server: FizzServer) -> str:
    return eventually(
        lambda: server.stdout if "Open files" in server.stdout else "", what="the banner"
    )


def test_made_up_credentials_are_printed_once_and_work(fizz: Start) -> None:
    server = fizz(apps=[])
    eventually(lambda: "pusher.subscribe" in server.stdout, what="the whole banner")
    printed = dict(re.findall(r"FIZZ_APP_(\w+)=(\w+)", server.stdout))
    app = App(printed["ID"], printed["KEY"], printed["SECRET"])
    assert server.logs().count(app.secret) == 1
    with server.client(app) as client:
        client.subscribe("private-x")
    assert server.api(app).request("GET", f"/apps/{app.app_id}/channels").status == 200


def test_the_banner_and_nothing_else(fizz: Start) -> None:
    server = fizz()
    text = banner(server)
    assert f"ws://127.0.0.1:{server.port}/app/{server.app.key}" in text
    assert f"http://127.0.0.1:{server.port}/apps/{server.app.app_id}" in text
    assert server.app.secret not in text
    with server.client() as client:
        client.subscribe("quiet")
    assert server.stderr == ""


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refused(tmp_path, server={"port": port})
    assert code == 1
    assert line.startswith(f"fizz: cannot listen on 127.0.0.1:{port}: ")


def test_a_mistake_in_the_file_is_one_line(tmp_path: Path) -> None:
    code, line = refused(tmp_path, config="servers:\n  fizz:\n    prot: 1\n")
    assert code == 2
    assert line == (
        f"fizz: {tmp_path}/fizz.yaml:3: servers.fizz.prot: unknown key 'prot';"
        " the nearest known one is 'port'\n"
    )


def test_the_development_credentials_are_not_served_to_the_network(tmp_path: Path) -> None:
    app = {"app_id": "1001", "key": "fizz-key", "secret": "fizz-secret"}
    code, line = refused(tmp_path, apps=[app], server={"host": "0.0.0.0"})
    assert code == 2
    assert "development credentials" in line


def test_on_loopback_they_are_served_with_a_warning(fizz: Start) -> None:
    app = {"app_id": "1001", "key": "fizz-key", "secret": "fizz-secret"}
    assert "Warning: these are the development credentials" in banner(fizz(apps=[app]))


def test_a_wrong_certificate_is_one_line(tmp_path: Path, certificate: Certificate) -> None:
    tls = {"cert": str(certificate.key), "key": str(certificate.key)}
    code, line = refused(tmp_path, server={"options": {"tls": tls}})
    assert code == 2
    assert f"servers.fizz.options.tls.cert: {certificate.key} holds no certificate" in line


def test_warnings_are_told_once_on_stderr(fizz: Start) -> None:
    server = fizz(environ={"FIZZ_ALOWED_ORIGINS": "a.test", "FIZZ_LOG_FORMAT": "json"})
    lines = eventually(lambda: server.stderr.splitlines(), what="a warning")
    assert len(lines) == 1
    fields = json.loads(lines[0])
    assert fields["level"] == "warning"
    assert "'FIZZ_ALLOWED_ORIGINS'" in fields["message"]


def test_debug_shows_the_stream_with_signatures_masked(fizz: Start) -> None:
    server = fizz(options=["--debug"])
    with server.client() as client:
        client.subscribe("private-x")
        socket_id = client.socket_id
    name = f"/apps/{server.app.app_id}/channels"
    server.api().request("GET", name)
    shown = eventually(lambda: server.stderr if f"GET {name}" in server.stderr else "")
    assert re.search(rf"Z (\[\d\] )?< {socket_id} .*pusher:subscribe", shown)
    assert re.search(rf"Z (\[\d\] )?> {socket_id} .*subscription_succeeded", shown)
    assert server.app.channel_auth(socket_id, "private-x") not in shown
    assert f"{server.app.key}:********" in shown
    assert "auth_signature=********" in shown
    assert not re.search(r"[0-9a-f]{64}", shown)


def test_a_signal_toggles_the_stream(fizz: Start) -> None:
    server = fizz(config={"logging": {"level": "error"}})
    paths = (f"/up?{number}." for number in range(10_000))

    def is_shown() -> bool:
        """Whether a request is shown, looked at when a later one has been answered too."""
        path = next(paths)
        server.api().request("GET", path, query="")
        server.api().request("GET", "/ready", query="")
        return path in server.stderr

    assert not is_shown()
    os.kill(server.pid, signal.SIGUSR1)
    eventually(is_shown, what="the stream is shown")
    os.kill(server.pid, signal.SIGUSR1)
    eventually(lambda: not is_shown(), what="the stream is silent again")


@pytest.mark.parametrize("words", [["version"], ["help"], ["check"]])
def test_the_other_commands(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "fizz_gevent", *words],
        cwd=ROOT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
