"""HTTP/1.1 as the RFCs want it, over raw sockets: what is refused, what is served, what is left.

Protocol: RFC 9112, RFC 9110; the section stands with each case.
"""

from collections.abc import Iterator

import pytest

from tests.conformance.http_cases import BODY, NEXT, SIZE, TE, WHOLE, Case, get, post
from tests.conformance.http_framing import CHUNKS, CODINGS, LENGTHS, LINES
from tests.conformance.http_requests import (
    APP,
    CONNECTIONS,
    EXPECTATIONS,
    FIRST_LINES,
    HEADERS,
    HOSTS,
    TARGETS,
    UPGRADE,
    UPGRADES,
)
from tests.conformance.witness import Witness, signed
from tests.harness.http_socket import HttpSocket, request
from tests.harness.server import FizzServer
from tests.harness.websocket import CLOSE

CASES: list[Case] = [
    *(*LENGTHS, *CODINGS, *CHUNKS, *LINES),
    *(*TARGETS, *FIRST_LINES, *HOSTS, *HEADERS),
    *(*CONNECTIONS, *EXPECTATIONS, *UPGRADES),
]


@pytest.fixture(scope="module")
def witness(server: FizzServer) -> Iterator[Witness]:
    found = Witness(server)
    yield found
    found.close()


@pytest.fixture
def http(server: FizzServer) -> Iterator[HttpSocket]:
    with HttpSocket.open(server.address) as opened:
        yield opened


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_answered_and_what_is_carried_out(
    http: HttpSocket, witness: Witness, case: Case
) -> None:
    """Protocol: RFC 9112 §2-§9, §11.2; RFC 9110 §5, §7.8, §9, §10.1.1."""
    http.send_raw(signed(case.data + NEXT))
    for number, status in enumerate(case.answers):
        answer = http.read_answer(has_body=case.has_body or number > 0)
        assert answer.status == status, (case.section, answer)
        if status >= 400 and answer.body:
            assert answer.json["code"] == status
            assert answer.json["error"]
    if case.closes:
        assert answer.headers["connection"] == "close"
        http.finish()
        http.expect_end()
    else:
        assert http.ask(get()).status == 200
    assert witness.seen() == case.published, case.section


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(post(SIZE)[:-1], id="a body that lacks a byte"),
        pytest.param(post(TE, body=WHOLE + b"0\r\n"), id="chunks that lack the last line"),
        pytest.param(post(TE, body=WHOLE + b"0\r\n\r"), id="chunks that lack the last byte"),
        pytest.param(post(TE, body=WHOLE), id="chunks that lack the last one"),
        pytest.param(post(TE, body=WHOLE[:-2]), id="a chunk that lacks its line end"),
        pytest.param(post(SIZE, body=b"")[:-2], id="a head that lacks its empty line"),
        pytest.param(post(SIZE, body=b"")[:-1], id="a head that lacks its last byte"),
        pytest.param(post(SIZE)[:20], id="half a first line"),
    ],
)
def test_what_does_not_come_whole_is_never_carried_out(
    http: HttpSocket, witness: Witness, data: bytes
) -> None:
    """Protocol: RFC 9112 §8."""
    http.send_raw(signed(data))
    http.finish()
    http.expect_end()
    assert witness.seen() == ()


def test_the_answer_to_an_expectation_comes_before_the_body(
    http: HttpSocket, witness: Witness
) -> None:
    """Protocol: RFC 9110 §10.1.1."""
    http.send_raw(signed(post(SIZE, "Expect: 100-continue", body=b"")))
    assert http.read_head() == (100, {})
    assert witness.seen() == ()
    http.send_raw(BODY + signed(NEXT))
    assert [http.read_answer().status for _ in range(2)] == [200, 200]
    assert witness.seen() == ("first", "second")


def test_what_follows_an_upgrade_is_no_request(http: HttpSocket, witness: Witness) -> None:
    """Protocol: RFC 9110 §7.8; RFC 6455 §5.1: it is a frame, and none that is masked."""
    http.send_raw(signed(request("GET", APP, *UPGRADE) + NEXT))
    assert http.read_head()[0] == 101
    assert http.recv_event()["event"] == "pusher:connection_established"
    frame = http.recv_frame()
    assert (frame.opcode, frame.close[0]) == (CLOSE, 1002)
    http.finish()
    http.expect_end()
    assert witness.seen() == ()


def test_nothing_of_this_was_a_fault(server: FizzServer) -> None:
    """Whatever came, no exception was logged."""
    assert "Traceback" not in server.stderr
    assert "fault" not in server.stderr
