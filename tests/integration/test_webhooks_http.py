"""The requests themselves, over real sockets. Protocol: §13."""

import socket
import threading
from collections.abc import Iterator

import pytest

from fizz_gevent.webhooks.http_client import NotReached, PooledClient
from tests.harness.receiver import Receiver
from tests.harness.server import free_port

BODY = b'{"time_ms":1,"events":[]}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def client() -> PooledClient:
    return PooledClient(seconds=0.5)


def post(client: PooledClient, url: str, *, allow_private: bool = True) -> int:
    headers = {"Content-Type": "application/json", "X-Pusher-Key": "k"}
    return client.post(url, BODY, headers, allow_private=allow_private)


def test_names_of_headers_keep_their_spelling(receiver: Receiver, client: PooledClient) -> None:
    """PHP looks them up so."""
    assert post(client, receiver.url + "?a=1") == 200
    (request,) = receiver.requests
    assert request.path == "/hook?a=1"
    assert request.body == BODY
    assert request.headers["X-Pusher-Key"] == "k"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"


def test_a_name_and_password_in_the_address_become_a_header(
    receiver: Receiver, client: PooledClient
) -> None:
    assert post(client, f"http://me:p%40ss@127.0.0.1:{receiver.port}/hook") == 200
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Basic bWU6cEBzcw=="
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, client: PooledClient, status: int) -> None:
    receiver.answer = lambda _: (status, {"Location": receiver.url + "/other"})
    assert post(client, receiver.url) == status
    assert len(receiver.requests) == 1


def test_a_receiver_that_hangs_is_left(receiver: Receiver, client: PooledClient) -> None:
    may_end = threading.Event()

    def hang(_: object) -> int:
        may_end.wait(10)
        return 200

    receiver.answer = hang
    with pytest.raises(NotReached, match=r"no answer within 0\.5 s|timed out"):
        post(client, receiver.url)
    may_end.set()


def test_a_receiver_that_dribbles_has_no_more_time_than_others(client: PooledClient) -> None:
    """Each byte comes in time, and the whole never."""
    may_end = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def dribble() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    while not may_end.wait(0.05):
                        connection.sendall(b"H")
                except OSError:
                    pass

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        with pytest.raises(NotReached):
            post(client, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        may_end.set()
        thread.join(10)


def test_an_endless_answer_costs_the_receiver_its_connection(client: PooledClient) -> None:
    """What counts is the status, which has come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pour() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    while True:
                        connection.sendall(b"x" * 65536)
                except OSError:
                    pass

        thread = threading.Thread(target=pour, daemon=True)
        thread.start()
        assert post(client, f"http://127.0.0.1:{listener.getsockname()[1]}/") == 200
        thread.join(10)
        assert not thread.is_alive()


def test_nobody_there(client: PooledClient) -> None:
    with pytest.raises(NotReached, match="refused"):
        post(client, f"http://127.0.0.1:{free_port()}/")


def test_a_name_that_does_not_exist(client: PooledClient) -> None:
    with pytest.raises(NotReached):
        PooledClient(5).post("http://no-such-name.invalid/", BODY, {}, allow_private=True)


def test_something_else_than_http(client: PooledClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail.test ESMTP\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(NotReached):
            post(client, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join(10)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1"])
def test_private_networks_are_refused_where_they_are_to_be(
    receiver: Receiver, client: PooledClient, host: str
) -> None:
    """Protocol: §13; however the address is written."""
    with pytest.raises(NotReached, match="inside a private network"):
        post(client, f"http://{host}:{receiver.port}/hook", allow_private=False)
    assert receiver.requests == []


def test_a_connection_that_was_allowed_is_not_used_where_it_is_not(
    receiver: Receiver, client: PooledClient
) -> None:
    assert post(client, receiver.url) == 200
    with pytest.raises(NotReached, match="inside a private network"):
        post(client, receiver.url, allow_private=False)


def test_connections_are_kept_open(receiver: Receiver, client: PooledClient) -> None:
    accepted = []
    process = receiver._server.process_request

    def count(request: object, address: object) -> None:
        accepted.append(address)
        process(request, address)  # type: ignore[arg-type]

    receiver._server.process_request = count  # type: ignore[method-assign, assignment]
    for _ in range(5):
        assert post(client, receiver.url) == 200
    assert len(accepted) == 1
