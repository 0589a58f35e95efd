"""The requests themselves, over real sockets. Protocol: §13."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import gevent
import pytest

from fizz_gevent.application import Application, Webhook
from fizz_gevent.ports import Timer
from fizz_gevent.protocol import webhooks
from fizz_gevent.webhooks.http_client import NotReached, PooledClient
from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from fizz_gevent.webhooks.sender import Sender
from tests.harness.receiver import Failing, Receiver
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


class RealTime:
    """The machine's time; nobody asks to be called."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        raise AssertionError("a backlog sets no timers")


WAITS = (0.01, 0.02, 0.04, 0.04, 0.04, 0.04, 0.04, 0.04)
"""The schedule of a sender in a hurry."""


def sender_to(receiver: Receiver, last_try_at: float) -> tuple[Sender, MemoryBacklog]:
    """A sender that tries for ``last_try_at`` seconds; it runs whenever the test waits."""
    application = Application("app", "key", "secret", webhooks=(Webhook(receiver.url),))
    backlog = MemoryBacklog(RealTime(), lambda _: application)
    sender = Sender(
        backlog, PooledClient(5), lambda _: application, waits=WAITS, last_try_at=last_try_at
    )
    sender.start()
    return sender, backlog


def run_until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        gevent.sleep(0.005)
    raise AssertionError("not within 10 s")


def test_a_receiver_that_answers_500_nine_times_gets_each_event_in_order(
    receiver: Receiver,
) -> None:
    """Protocol: §13, retries: the tenth try is the last."""
    receiver.answer = Failing(9)
    sender, backlog = sender_to(receiver, last_try_at=2)
    for number in range(3):
        for channel in ("a", "b"):
            backlog.note("app", webhooks.subscription_count(channel, number))
    run_until(lambda: sender.sent_count == 6 and sender.running_count == 0)
    for channel in ("a", "b"):
        mine = [each for each in receiver.requests if each.events[0]["channel"] == channel]
        assert [each.status for each in mine] == [500] * 9 + [200] * 3
        counts = [each.events[0]["subscription_count"] for each in mine]
        assert counts == [0] * 10 + [1, 2]
        same = {(each.body, each.headers["X-Pusher-Signature"]) for each in mine[:10]}
        assert len(same) == 1
    assert (sender.failed_count, sender.retried_count, sender.given_up_count) == (18, 18, 0)
    sender.drain(0)


def test_what_a_receiver_never_takes_is_kept_and_sent_again_when_asked(receiver: Receiver) -> None:
    receiver.answer = lambda _: 503
    sender, backlog = sender_to(receiver, last_try_at=0.5)
    backlog.note("app", webhooks.subscription_count("a", 1))
    run_until(lambda: sender.given_up_count == 1 and backlog.waiting_count == 0)
    receiver.answer = lambda _: 200
    assert backlog.send_again() == 1
    run_until(lambda: sender.sent_count == 1)
    (taken,) = receiver.taken
    assert json.loads(taken.body)["time_ms"] > json.loads(receiver.requests[0].body)["time_ms"]
    sender.drain(0)


def test_a_reset_while_connecting_is_told_as_what_it_is(
    client: PooledClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library passes over a plain reset, and then reads from a connection that is none."""

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr("fizz_gevent.webhooks.addresses.connect", refuse)
    with pytest.raises(NotReached, match="Connection reset by peer"):
        client.post("http://127.0.0.1:1/hook", b"{}", {}, allow_private=True)
