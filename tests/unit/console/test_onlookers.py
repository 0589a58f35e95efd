"""What a node tells those who look, and that it tells nobody who does not."""

from typing import Any

import pytest

from fizz_gevent.console.keys import HIDDEN_ID, make_keys
from fizz_gevent.service.incidents import Incidents
from fizz_gevent.service.live_stream import LiveStream
from fizz_gevent.service.onlookers import Onlookers
from fizz_gevent.service.samples import Sampler
from tests.harness.signing import App
from tests.unit.rooms import APP, Client, Node, application

OTHER = App("2002", "other-key", "other-secret")
KEYS = make_keys(None, seed=b"x" * 32, salt="fizz")
HIDDEN = App(HIDDEN_ID, KEYS.application.key, KEYS.application.secret)


class Watched(Node):
    """A node with a console."""

    def __init__(self) -> None:
        super().__init__(application(), application(OTHER))
        self.incidents = self.sessions.complaints = Incidents(self.clock)
        self.incidents.ignored = HIDDEN_ID
        self.stream = LiveStream(self.tables, self.clock, mask=_mask, prefix="/fizz")
        self.hung: list[tuple[bool, bool]] = []
        self.hidden = self.tables.hide(KEYS.application)
        sampler = Sampler(
            self.tables.configured,
            self.clock,
            refusals=lambda: {"over_quota": 3, "unknown": 1},
            answers=lambda: {("/up", "200"): 7},
            resident_bytes=lambda: 1000,
        )
        self.onlookers = Onlookers(
            "node-a",
            self.hidden,
            self.registry,
            self.publisher,
            self.clock,
            sampler=sampler,
            stream=self.stream,
            incidents=self.incidents,
            hang=self.hang,
        )
        self.onlookers.start()

    def hang(self, is_watched: bool, with_frames: bool) -> None:
        self.hung.append((is_watched, with_frames))
        self.sessions.tap = self.publisher.audience = self.stream if is_watched else None

    def page(self, *channels: str) -> Client:
        socket_id = f"9.{len(self.hidden.connections) + 1}"
        client = Client(self, HIDDEN, socket_id, 7, 1 << 20)
        assert self.registry.connect(HIDDEN_ID, socket_id, None)
        self.sessions.opened(client.connection)
        for channel in channels:
            client.subscribe(channel)
        client.heard()
        return client

    def table(self, app: App = APP) -> Any:
        return self.hidden if app is HIDDEN else super().table(app)


def _mask(text: str) -> str:
    return text.replace("fizz-secret", "***")


@pytest.fixture
def node() -> Watched:
    return Watched()


def told(client: Client, event: str) -> list[dict[str, Any]]:
    return [each["data"] for each in client.heard() if each["event"] == event]


def test_the_hidden_application_is_found_by_its_key_alone(node: Watched) -> None:
    assert node.tables.by_key(HIDDEN.key, 0) is node.hidden
    assert node.tables.by_id(HIDDEN_ID) is None
    assert node.tables.application(HIDDEN_ID) is None
    assert node.tables.receiving(HIDDEN_ID) is node.hidden
    assert node.hidden not in list(node.tables.configured)
    assert len(list(node.tables.configured)) == 2
    assert node.hidden in list(node.tables)  # whoever looks after connections meets its own
    assert node.tables.replace([application()]) != [node.hidden]
    assert node.tables.by_key(HIDDEN.key, 0) is node.hidden


def test_nothing_is_published_while_nobody_looks(node: Watched) -> None:
    page = node.page()
    client = node.client()
    client.subscribe("orders")
    node.publish(["orders"], "news")
    node.clock.advance(10)
    assert node.hidden.tally.http_events == 0
    assert node.hung == []
    assert page.heard() == []


def test_samples_come_each_second(node: Watched) -> None:
    for _ in range(3):
        node.client().subscribe("orders")
    page = node.page("private-samples")
    node.publish(["orders"], "news")
    node.clock.advance(3)
    samples = told(page, "sample")
    assert len(samples) == 3
    assert samples[0]["node"] == "node-a"
    assert samples[0]["apps"].keys() == {"1001", "2002"}
    assert samples[0]["apps"]["1001"]["connections"] == 3
    assert samples[0]["apps"]["1001"]["subscriptions"] == 3
    assert samples[0]["apps"]["1001"]["http_events"] == 1
    assert (samples[0]["refusals"], samples[0]["requests"], samples[0]["memory"]) == (4, 7, 1000)


def test_each_refusal_is_told_once_and_to_newcomers_again(node: Watched) -> None:
    client = node.client()
    client.subscribe("private-x", auth="fizz-key:wrong")
    first = node.page("private-samples")
    node.clock.advance(2)
    samples = told(first, "sample")
    assert [len(sample["incidents"]) for sample in samples] == [1, 0]
    incident = samples[0]["incidents"][0]
    assert (incident["what"], incident["who"], incident["app"]) == (
        "client",
        client.socket_id,
        "1001",
    )
    assert "private-x" in incident["why"]
    second = node.page("private-samples")
    node.clock.advance(1)
    assert [each["number"] for each in told(second, "sample")[0]["incidents"]] == [1]


def test_mistakes_of_pages_are_no_incidents(node: Watched) -> None:
    node.page("private-samples").subscribe("private-y", auth="console:wrong")
    assert node.incidents.count == 0


def test_what_happens_is_streamed_of_the_application_that_is_watched(node: Watched) -> None:
    page = node.page("private-stream-1001")
    client, other = node.client(), node.client(OTHER)
    node.clock.advance(1)
    assert node.hung == [(True, False)]
    page.heard()
    client.subscribe("orders")
    other.subscribe("orders")
    node.publish(["orders"], "news", '{"a":"fizz-secret"}')
    node.stream.request("POST", "/fizz/apps/1001/events?auth_key=x", "200 OK")
    node.stream.request("POST", "/fizz/apps/2002/events?auth_key=x", "200 OK")
    client.vanish()
    node.turn()
    node.clock.advance(0.3)
    (batch,) = told(page, "entries")
    assert [each["kind"] for each in batch["entries"]] == [
        "received",
        "event",
        "request",
        "connection",
    ]
    received, event, request, connection = batch["entries"]
    assert received["who"] == connection["who"] == client.socket_id
    assert (event["name"], event["channels"], event["text"]) == ("news", ["orders"], '{"a":"***"}')
    assert request["text"] == "POST /fizz/apps/1001/events 200 OK"


def test_the_stream_is_taken_down_when_the_last_one_leaves(node: Watched) -> None:
    page = node.page("private-stream-1001", "private-frames-2002")
    node.clock.advance(1)
    page.unsubscribe("private-frames-2002")
    node.clock.advance(1)
    page.vanish()
    node.turn()
    node.clock.advance(1)
    assert node.hung == [(True, True), (True, False), (False, False)]
    published = node.hidden.tally.http_events
    node.clock.advance(5)
    assert node.hidden.tally.http_events == published


def test_frames_to_clients_only_where_they_are_asked_for(node: Watched) -> None:
    page = node.page("private-stream-1001")
    client = node.client()
    node.clock.advance(1)
    node.stream.sent(client.socket_id, b"{}")
    framed = node.page("private-frames-1001")
    node.clock.advance(1)
    node.stream.sent(client.socket_id, b'{"event":"x"}')
    node.clock.advance(0.3)
    for watching in (page, framed):
        (batch,) = told(watching, "entries")
        assert [(each["kind"], each["text"]) for each in batch["entries"]] == [
            ("sent", '{"event":"x"}')
        ]


def test_a_flood_is_cut_and_counted(node: Watched) -> None:
    page = node.page("private-stream-1001")
    node.clock.advance(1)
    for _ in range(500):
        node.publish(["orders"], "news", "x" * 9000)
    node.clock.advance(0.3)
    (batch,) = told(page, "entries")
    assert len(batch["entries"]) + batch["left_out"] == 500
    assert sum(len(each["text"]) for each in batch["entries"]) <= 65536
    assert batch["entries"][0]["length"] == 9000


def test_connections_are_listed_the_youngest_first(node: Watched) -> None:
    for _ in range(105):
        node.clock.advance(0.001)
        node.client()
    youngest = node.client()
    youngest.sign_in("ann")
    youngest.subscribe("orders")
    page = node.page("private-connections-1001", "private-connections-nobody")
    node.clock.advance(1)
    (listed,) = told(page, "connections")
    assert (listed["total"], len(listed["connections"])) == (106, 100)
    first = next(each for each in listed["connections"] if each["socket_id"] == youngest.socket_id)
    assert (first["user"], first["channels"], first["channel_count"]) == ("ann", ["orders"], 1)


def test_incidents_are_bounded(node: Watched) -> None:
    for number in range(1000):
        node.incidents.refused("request", "x" * 1000, str(number))
    kept = node.incidents.since(0)
    assert len(kept) == 200
    assert kept[-1]["why"] == "999"
    assert len(str(kept[-1]["who"])) == 300
    assert node.incidents.since(1000) == []
    assert [each["number"] for each in node.incidents.since(998)] == [999, 1000]
