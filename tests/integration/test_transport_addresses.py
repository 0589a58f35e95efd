"""Where the server listens: IPv4, IPv6, both, or a Unix socket; and what is in the way there."""

import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import Start
from tests.harness.http_socket import HttpSocket, request
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.websocket import Address, RawWebSocket, websocket_target

UP = request("GET", "/up")


def expect_served(server: FizzServer, address: Address) -> None:
    """Demand HTTP and WebSockets at an address."""
    with HttpSocket.open(address) as http:
        assert http.ask(UP).json == {"health": "OK"}
    websocket = RawWebSocket.connect(address, websocket_target(server.app.key))
    with PusherClient(websocket, server.app) as client:
        client.subscribe("presence-hall", user_id="ann")
        client.ping()
        client.close()


def refused(server: FizzServer, *, code: int = 1) -> str:
    """Start a server that cannot; return the one line it says."""
    server.launch()
    try:
        assert server.wait() == code
    finally:
        server.kill()
    assert server.stdout == ""
    assert server.stderr.count("\n") == 1, server.stderr
    return server.stderr


def require_ipv6() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")


def test_ipv4_only(fizz: Start) -> None:
    server = fizz(server={"host": "127.0.0.1"})
    expect_served(server, ("127.0.0.1", server.port))
    with pytest.raises(OSError, match=r"refused|unreachable|assign"):
        HttpSocket.open(("::1", server.port))


def test_the_wildcard_of_ipv6_serves_ipv4_too(fizz: Start) -> None:
    require_ipv6()
    server = fizz(server={"host": "::"})
    expect_served(server, ("::1", server.port))
    expect_served(server, ("127.0.0.1", server.port))


def test_an_address_of_ipv6_serves_no_ipv4(fizz: Start) -> None:
    require_ipv6()
    server = fizz(server={"host": "::1"})
    expect_served(server, ("::1", server.port))
    with pytest.raises(ConnectionRefusedError):
        HttpSocket.open(("127.0.0.1", server.port))


def test_a_name_is_looked_up(fizz: Start) -> None:
    server = fizz(server={"host": "localhost"})
    found = socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM)[0][4]
    expect_served(server, (str(found[0]), server.port))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_a_port_in_use_is_one_line(tmp_path: Path, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if family == socket.AF_INET6:
        require_ipv6()
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        line = refused(FizzServer(tmp_path, server={"host": host, "port": port}))
    shown = f"[{host}]" if ":" in host else host
    assert line.startswith(f"fizz: cannot listen on {shown}:{port}: it is in use")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_one_line(tmp_path: Path, host: str) -> None:
    line = refused(FizzServer(tmp_path, server={"host": host, "port": 4000}))
    assert line.startswith(f"fizz: cannot listen on {host}:4000: ")


def test_a_port_that_was_used_a_moment_ago_is_free(fizz: Start) -> None:
    """What its old connections leave behind in the kernel keeps no new server out."""
    first = fizz()
    client = first.client()
    first.process.kill()  # type: ignore[union-attr]
    first.wait()
    second = fizz(server={"port": first.port})
    expect_served(second, second.address)
    client.websocket.abandon()


@pytest.fixture
def path() -> Iterator[Path]:
    """A short one: the kernel takes no more than a hundred bytes."""
    with TemporaryDirectory(prefix="fizz-") as folder:
        yield Path(folder) / "fizz.sock"


def test_a_unix_socket(fizz: Start, path: Path) -> None:
    server = fizz(server={"host": f"unix:{path}"})
    for _ in range(3):  # peers of a Unix socket all have the same address: none
        expect_served(server, str(path))
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    with server.client() as one, server.client() as other:
        one.subscribe("ocean")
        other.subscribe("ocean")
        server.api().trigger("ocean", "drop", "1")
        assert one.expect("drop", "ocean") == other.expect("drop", "ocean") == 1


def test_a_socket_left_behind_is_replaced(fizz: Start, path: Path) -> None:
    """By a server that was killed; one that was stopped is gone without that."""
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        server = fizz(server={"host": f"unix:{path}"})
        expect_served(server, str(path))
        server.process.send_signal(number)  # type: ignore[union-attr]
        server.wait()


def test_a_socket_that_somebody_listens_on_stays_theirs(
    fizz: Start, path: Path, tmp_path: Path
) -> None:
    server = fizz(server={"host": f"unix:{path}"})
    line = refused(FizzServer(tmp_path, server={"host": f"unix:{path}"}))
    assert line.startswith(f"fizz: cannot listen on unix:{path}: it is in use")
    expect_served(server, str(path))


def test_a_file_in_the_way_is_one_line_and_stays(path: Path, tmp_path: Path) -> None:
    path.write_text("precious")
    line = refused(FizzServer(tmp_path, server={"host": f"unix:{path}"}))
    assert line.startswith(f"fizz: cannot listen on unix:{path}: a file that is no socket")
    assert path.read_text() == "precious"


def test_a_path_where_no_socket_can_be_is_one_line(path: Path, tmp_path: Path) -> None:
    missing = path.parent / "missing" / "fizz.sock"
    line = refused(FizzServer(tmp_path, server={"host": f"unix:{missing}"}))
    assert line.startswith(f"fizz: cannot listen on unix:{missing}: ")
    too_long = path.parent / ("x" * 200)
    line = refused(FizzServer(tmp_path, server={"host": f"unix:{too_long}"}), code=2)
    assert "servers.fizz.host" in line


def test_a_unix_socket_is_gone_when_its_server_is(fizz: Start, tmp_path: Path) -> None:
    path = tmp_path / "fizz.sock"
    server = fizz(server={"host": f"unix:{path}"})
    assert path.is_socket()
    server.stop()
    assert not path.exists()
