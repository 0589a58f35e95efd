"""Clients that do not read: they are closed, and cost those who do nothing.

Protocol: §15, slow consumers; §4.3, 4100.
"""

import contextlib
from collections.abc import Callable

import pytest

from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.narrow import narrow_client
from tests.harness.pusher_client import Closed, PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact
from tests.harness.websocket import PING, encode_frame

APP = App()
LIMIT = 200_000
OVER_CAPACITY = (4100, "Over capacity")
EVENT_BYTES = 5_000

Start = Callable[..., FizzServer]


@pytest.fixture(scope="module", params=["plain", "tls"])
def over(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start(module_fizz: Start, over: str, certificate: Certificate, limit: int) -> FizzServer:
    settings: dict[str, object] = {"max_outbox_size": limit, "close_timeout": 60}
    if over == "tls":
        files = {"cert": str(certificate.cert), "key": str(certificate.key)}
        settings["options"] = {"tls": files}
    return module_fizz(
        apps=[APP.settings(ping_interval=3600)],
        server=settings,
        tls=certificate.client_context() if over == "tls" else None,
    )


@pytest.fixture(scope="module")
def server(module_fizz: Start, over: str, certificate: Certificate) -> FizzServer:
    return start(module_fizz, over, certificate, LIMIT)


@pytest.fixture(scope="module")
def patient(module_fizz: Start, over: str, certificate: Certificate) -> FizzServer:
    """A server that keeps much more for its clients than any kernel does."""
    return start(module_fizz, over, certificate, 100_000_000)


class Source:
    """Publishes numbered events on one channel."""

    def __init__(self, server: FizzServer, channel: str) -> None:
        self.server = server
        self.channel = channel
        self.count = 0

    def publish_ten(self) -> None:
        events = [
            {
                "channel": self.channel,
                "name": "drop",
                "data": compact([number, "x" * EVENT_BYTES]),
            }
            for number in range(self.count, self.count + 10)
        ]
        assert self.server.api().post("/batch_events", {"batch": events}).status == 200
        self.count += 10

    def subscriber_count(self) -> int:
        path = f"/channels/{self.channel}"
        answer = self.server.api().get(path, info="subscription_count").json
        return int(answer["subscription_count"])


def read_to_the_end(client: PusherClient) -> list[int]:
    """The numbers of all events up to the close frame, which has to say why."""
    numbers = []
    while True:
        try:
            numbers.append(client.expect("drop")[0])
        except Closed as closed:
            assert (closed.code, closed.reason) == OVER_CAPACITY
            return numbers


def test_slow_clients_are_closed_and_the_others_get_everything_in_order(
    server: FizzServer,
) -> None:
    source = Source(server, "flood")
    slow = [narrow_client(server) for _ in range(5)]
    quick = [server.client() for _ in range(5)]
    for client in (*slow, *quick):
        client.subscribe("flood")
    elsewhere = server.client()
    elsewhere.subscribe("presence-calm", user_id="calm")

    def all_slow_ones_are_gone() -> bool:
        source.publish_ten()
        for client in quick:
            first = source.count - 10
            assert [client.expect("drop")[0] for _ in range(10)] == list(range(first, first + 10))
        elsewhere.ping()
        return source.subscriber_count() == len(quick)

    eventually(all_slow_ones_are_gone, within=60)
    for client in quick:
        client.expect_nothing()
        client.close()
    for client in slow:
        numbers = read_to_the_end(client)
        assert numbers == list(range(len(numbers)))  # none is missing in between, none twice
        assert 0 < len(numbers) < source.count
        client.websocket.expect_end()
        client.websocket.abandon()
    elsewhere.close()


def test_a_slow_client_leaves_its_channels_before_it_has_read_why(server: FizzServer) -> None:
    """Protocol: §15, slow consumers: "go to CLOSED without waiting"."""
    watcher = server.client()
    watcher.subscribe("presence-hall", user_id="watcher")
    slow = narrow_client(server)
    slow.subscribe("presence-hall", user_id="slow")
    assert watcher.expect("pusher_internal:member_added")["user_id"] == "slow"
    slow.subscribe("flood")
    source = Source(server, "flood")

    def is_gone() -> bool:
        source.publish_ten()
        return [event["event"] for event in watcher.pending()] == ["pusher_internal:member_removed"]

    eventually(is_gone, within=60)
    read_to_the_end(slow)
    slow.websocket.expect_end()
    slow.websocket.abandon()
    watcher.close()


def test_a_client_that_reads_again_in_time_misses_nothing(patient: FizzServer) -> None:
    """What its socket did not take follows when it can, to the last byte, by itself."""
    slow = [narrow_client(patient) for _ in range(3)]
    for client in slow:
        client.subscribe("flood")
    source = Source(patient, "flood")
    for _ in range(150):
        source.publish_ten()
    for client in slow:
        assert [client.expect("drop")[0] for _ in range(source.count)] == list(range(source.count))
        client.ping()
        client.close()


def test_what_is_queued_goes_before_a_close_frame(patient: FizzServer) -> None:
    """Protocol: §4.3: the close frame comes behind the rest, and not without it."""
    slow = narrow_client(patient)
    slow.signin("slow")
    slow.subscribe("flood")
    source = Source(patient, "flood")
    for _ in range(100):
        source.publish_ten()
    assert patient.api().post("/users/slow/terminate_connections", {}).status == 200
    assert [slow.expect("drop")[0] for _ in range(source.count)] == list(range(source.count))
    assert slow.expect_close()[0] == 4009


def test_a_client_that_only_asks_is_closed_by_its_own_answers(server: FizzServer) -> None:
    """Pongs wait in the same outbox as events."""
    slow = narrow_client(server)
    slow.subscribe("asking")
    source = Source(server, "asking")
    slow.websocket.socket.settimeout(0.1)
    pings = encode_frame(PING, b"x" * 125) * 1000
    rest = b""

    def is_gone() -> bool:
        nonlocal rest
        rest = rest or pings
        with contextlib.suppress(OSError):  # full, as the server takes turns; or closed
            rest = rest[slow.websocket.socket.send(rest) :]
        return source.subscriber_count() == 0

    eventually(is_gone, within=60)
    slow.websocket.abandon()


def test_an_event_larger_than_an_outbox_closes_with_the_same_code(
    fizz: Start,
) -> None:
    """However quickly the client reads; and those it does not concern stay."""
    server = fizz(
        apps=[APP.settings(ping_interval=3600)],
        server={"max_outbox_size": 4_000, "close_timeout": 60},
    )
    with server.client() as other, server.client() as client:
        other.subscribe("calm")
        client.subscribe("flood")
        server.api().trigger("flood", "drop", "x" * 3_000)
        assert client.expect("drop") == "x" * 3_000
        server.api().trigger(["flood", "calm"], "drop", "small")
        assert client.expect("drop") == other.expect("drop") == "small"
        server.api().trigger("flood", "drop", "x" * 5_000)
        assert client.expect_close() == OVER_CAPACITY
        other.expect_nothing()
