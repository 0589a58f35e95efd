"""When ``fizz listen`` comes again, and when it gives up. Protocol: §4.2, §3."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from fizz_gevent.application import Application
from fizz_gevent.client.address import ServerAddress
from fizz_gevent.client.back_off import BackOff
from fizz_gevent.client.connect import Unreachable
from fizz_gevent.client.listener import Listener
from fizz_gevent.client.websocket import ClientWebSocket, Closed
from fizz_gevent.errors import CommandError

APP = Application("1", "the/key", "secret")
ADDRESS = ServerAddress("http", "127.0.0.1", 8080, "", "127.0.0.1", None, "by the test")
ESTABLISHED = json.dumps(
    {
        "event": "pusher:connection_established",
        "data": json.dumps({"socket_id": "1.1", "activity_timeout": 30}),
    }
)
EVENT = json.dumps({"event": "e", "channel": "a", "data": "{}"})
AWAY = Unreachable("nobody is there")


class Interrupted(Exception):
    """The script is over: somebody presses Ctrl+C."""


class FakeWebSocket(ClientWebSocket):
    """Plays one connection: texts to receive, and errors to raise."""

    def __init__(self, script: Iterable[str | Exception]) -> None:
        self.script = list(script)
        self.sent: list[dict[str, Any]] = []
        self.waits: list[float] = []
        self.is_closed = False

    def receive(self) -> str:
        if not self.script:
            raise Interrupted
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def send_text(self, payload: bytes) -> None:
        self.sent.append(json.loads(payload))

    def wait_at_most(self, seconds: float) -> None:
        self.waits.append(seconds)

    def close(self) -> None:
        self.is_closed = True


class Play:
    """A listener among connections that were written down before."""

    def __init__(
        self, *connections: list[str | Exception] | Exception, application: Application = APP
    ) -> None:
        self.connections = list(connections)
        self.sockets: list[FakeWebSocket] = []
        self.targets: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.told: list[str] = []
        self.said: list[str] = []
        self.pauses: list[float] = []
        self.listener = Listener(
            ADDRESS,
            application,
            ["a"],
            tell=lambda event: self.told.append(event.name),
            say=self.said.append,
            back_off=BackOff(noise=lambda: 0.0),
            connect=self._connect,
            pause=self.pauses.append,
        )

    def _connect(
        self, address: ServerAddress, target: str, headers: Mapping[str, str]
    ) -> ClientWebSocket:
        self.targets.append(target)
        self.headers.append(headers)
        if not self.connections:
            raise Interrupted
        step = self.connections.pop(0)
        if isinstance(step, Exception):
            raise step
        self.sockets.append(FakeWebSocket(step))
        return self.sockets[-1]

    def until_interrupted(self) -> "Play":
        with pytest.raises(Interrupted):
            self.listener.run()
        assert all(each.is_closed for each in self.sockets)
        return self


def test_events_arrive_and_ctrl_c_closes_the_connection() -> None:
    play = Play([ESTABLISHED, EVENT, EVENT]).until_interrupted()
    assert play.told == ["e", "e"]
    assert play.targets == ["/app/the%2Fkey?protocol=7&client=fizz-listen"]
    assert play.sockets[0].sent[0]["event"] == "pusher:subscribe"


@pytest.mark.parametrize(
    ("end", "pauses"),
    [
        (Closed(4200, "restart"), [0.0]),
        (Closed(4201, "no pong"), [0.0]),
        (Closed(4100, "Over capacity"), [1.0]),
        (Closed(1006, "gone"), [1.0]),
        (Closed(None, "the connection broke"), [1.0]),
    ],
)
def test_it_comes_again_and_subscribes_again(end: Closed, pauses: list[float]) -> None:
    """Protocol: §4.2, §6.4: a new connection subscribes again by itself."""
    play = Play([ESTABLISHED, EVENT, end], [ESTABLISHED, EVENT]).until_interrupted()
    assert play.told == ["e", "e"]
    assert play.pauses == pauses
    assert [each.sent[0]["event"] for each in play.sockets] == ["pusher:subscribe"] * 2
    assert play.said == [
        f"connection ended ({end}); connecting again {'in 1 s' if pauses[0] else 'at once'}"
    ]


def test_it_waits_longer_each_time_while_the_server_is_away() -> None:
    play = Play([ESTABLISHED, Closed(4200, "")], AWAY, AWAY, AWAY, [ESTABLISHED, EVENT])
    play.until_interrupted()
    assert play.pauses == [0, 1, 2, 4]
    assert play.said[-1] == "nobody is there; connecting again in 4 s"
    assert play.told == ["e"]


@pytest.mark.parametrize("code", [4001, 4003, 4004, 4009, 4300])
@pytest.mark.parametrize("is_established", [True, False])
def test_a_no_is_taken_for_an_answer(code: int, is_established: bool) -> None:
    """Protocol: §4.2: do not come again unchanged."""
    end = Closed(code, "No\x07")
    play = Play([ESTABLISHED, end] if is_established else [end])
    with pytest.raises(CommandError) as refused:
        play.listener.run()
    assert str(refused.value) == f"http://127.0.0.1:8080 closes the connection: {code} No\\x07"
    assert play.pauses == []


def test_a_server_that_is_full_at_first_is_tried_again() -> None:
    """Protocol: §4.2, 4100."""
    error = json.dumps(
        {"event": "pusher:error", "data": {"code": 4100, "message": "Over capacity"}}
    )
    play = Play([error], [error], [ESTABLISHED, EVENT]).until_interrupted()
    assert (play.pauses, play.told) == ([1, 2], ["e"])


def test_where_tls_is_asked_for_it_says_how() -> None:
    """Protocol: §4.2, 4000."""
    play = Play([Closed(4000, "Application only accepts SSL connections")])
    with pytest.raises(CommandError, match="FIZZ_SCHEME=https"):
        play.listener.run()


@pytest.mark.parametrize("end", [AWAY, [Closed(None, "the connection broke")]])
def test_a_server_that_was_never_there_is_told_at_once(
    end: list[str | Exception] | Exception,
) -> None:
    play = Play(end)
    with pytest.raises(Unreachable):
        play.listener.run()
    assert play.pauses == []


def test_silence_is_asked_about_and_then_taken_for_an_end() -> None:
    """Protocol: §3: a probe after ``activity_timeout``, 30 s for the answer."""
    pong = json.dumps({"event": "pusher:pong", "data": "{}"})
    script: list[str | Exception] = [ESTABLISHED, TimeoutError(), pong, TimeoutError()]
    play = Play([*script, TimeoutError()], [ESTABLISHED]).until_interrupted()
    assert [each["event"] for each in play.sockets[0].sent[1:]] == ["pusher:ping", "pusher:ping"]
    assert play.sockets[0].waits[1:] == [30, 30, 30, 30]
    assert play.said == ["connection ended (the server answers no more); connecting again in 1 s"]


def test_a_server_that_opens_and_says_nothing_is_no_fizz() -> None:
    play = Play([TimeoutError()])
    with pytest.raises(Unreachable, match="says nothing"):
        play.listener.run()


@pytest.mark.parametrize(
    ("allowed", "headers"),
    [
        (("*",), {}),
        (("example.com",), {"Origin": "http://example.com"}),
        (("*.example.com",), {"Origin": "http://fizz.example.com"}),
        (("2001:db8::1",), {"Origin": "http://[2001:db8::1]"}),
    ],
)
def test_an_origin_is_named_where_one_is_needed(
    allowed: tuple[str, ...], headers: dict[str, str]
) -> None:
    """Protocol: §1.3: a list without ``*`` refuses a missing ``Origin``."""
    application = Application("1", "k", "s", allowed_origins=allowed)
    play = Play([ESTABLISHED], application=application).until_interrupted()
    assert play.headers == [headers]
    assert application.allows_origin(headers.get("Origin"))
