"""The files of a running server, and the socket that it can be asked at."""

import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness import control, processes
from tests.harness.eventually import eventually
from tests.harness.server import FizzServer


@pytest.fixture(scope="module")
def alone(module_fizz: Start) -> FizzServer:
    """A server of one process."""
    return module_fizz(server={"workers": 1})


def test_the_files_are_there_for_this_user_alone_and_go_with_the_server(fizz: Start) -> None:
    server = fizz(server={"workers": 1})
    pid_file, sock = control.run_file(server, "pid"), control.run_file(server, "sock")
    assert pid_file.read_text() == f"{server.pid}\n"
    for path in (pid_file, sock):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer = control.ask(server, "status")["answer"]
    assert answer["pid"] == server.pid
    server.stop()
    assert list(pid_file.parent.iterdir()) == []


def test_what_a_killed_server_left_is_taken_over(fizz: Start, tmp_path: Path) -> None:
    first = fizz(server={"workers": 1, "run_directory": str(tmp_path)})
    first.kill()
    assert control.run_file(first, "sock").exists()
    settings = {"workers": 1, "run_directory": str(tmp_path), "port": first.port}
    second = fizz(server=settings)
    assert control.run_file(second, "pid").read_text() == f"{second.pid}\n"
    assert control.ask(second, "status")["answer"]["pid"] == second.pid


def test_a_second_server_does_not_touch_the_files_of_the_first(fizz: Start, tmp_path: Path) -> None:
    """One on the same port is refused it; one on another address may have the port."""
    first = fizz(server={"workers": 1, "run_directory": str(tmp_path)})
    settings = {"workers": 1, "run_directory": str(tmp_path), "port": first.port}
    refused = FizzServer(tmp_path / "refused", server=settings)
    refused.folder.mkdir()
    refused.launch()
    try:
        assert refused.wait() == 1
    finally:
        refused.kill()
    other = fizz(server={**settings, "host": "127.0.0.2"})
    assert "another running server has" in other.stderr
    assert control.ask(first, "status")["answer"]["pid"] == first.pid
    other.stop()
    assert control.ask(first, "status")["answer"]["pid"] == first.pid
    assert control.run_file(first, "pid").read_text() == f"{first.pid}\n"


def test_a_path_too_long_for_a_socket_is_not_too_long(fizz: Start, tmp_path: Path) -> None:
    processes.require_proc()
    folder = tmp_path / ("long" * 30)
    server = fizz(server={"workers": 1, "run_directory": str(folder)})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700  # as it had to be made
    assert server.stderr == ""
    assert (folder / f"fizz-{server.port}.sock").is_socket()


def test_without_a_place_for_them_clients_are_served(fizz: Start, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    server = fizz(server={"workers": 1, "run_directory": str(in_the_way)})
    assert "status, reload and restart cannot find this server" in server.stderr
    with server.client() as client:
        client.ping()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "no question"),
        (b"\n", "no question"),
        (b"[" * 20000 + b"\n", "no question"),
        (b'{"question": "status", "arguments": 1}\n', "no question"),
        (b'{"question": "nonsense"}\n', "cannot be asked 'nonsense'"),
        (b"x" * 70000, "too long"),
    ],
)
def test_whatever_is_said_there_the_server_lives(
    alone: FizzServer, data: bytes, words: str
) -> None:
    assert words in control.raw(alone, data)["error"]
    assert "Traceback" not in alone.stderr


def test_who_says_nothing_keeps_nobody_from_asking(alone: FizzServer) -> None:
    path = str(control.run_file(alone, "sock"))
    silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        for each in silent:
            each.connect(path)
        assert "answer" in control.ask(alone, "status")
    finally:
        for each in silent:
            each.close()


def test_a_server_that_drains_says_so(fizz: Start) -> None:
    server = fizz(server={"workers": 1})
    held = socket.create_connection(server.address)  # type: ignore[arg-type]
    with held:
        held.sendall(b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        os.kill(server.pid, signal.SIGTERM)
        eventually(lambda: control.ask(server, "status")["answer"]["is_draining"])
    assert server.wait() == 0
