"""The same cases through a real nginx with ``etc/nginx.conf``: two readers, one meaning.

nginx may refuse by itself, and makes proper requests of some improper ones. Whatever it does,
every event that is published has an answer that says so: a request that only one of the two has
seen would have none, or another one's.

Protocol: RFC 9112 §11.2.
"""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.conformance.http_cases import NEXT, Case, get
from tests.conformance.test_rfc9112 import CASES
from tests.conformance.witness import Witness, signed
from tests.harness.certificates import Certificate
from tests.harness.http_api import Answer
from tests.harness.http_socket import HttpSocket
from tests.harness.nginx import Nginx, run_nginx
from tests.harness.server import FizzServer

pytestmark = pytest.mark.needs_nginx

LAST = get("Connection: close")
HEALTHY = {"health": "OK"}


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(server={"trusted_proxies": ["127.0.0.1/32"]})


@pytest.fixture(scope="module")
def nginx(
    server: FizzServer, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    yield from run_nginx(tmp_path_factory.mktemp("nginx"), server, certificate)


@pytest.fixture(scope="module")
def witness(server: FizzServer) -> Iterator[Witness]:
    found = Witness(server)
    yield found
    found.close()


def all_answers(http: HttpSocket, *, has_body: bool) -> Iterator[Answer]:
    """Every answer until the connection ends, or is no HTTP any more."""
    while not http.is_at_end() and http.begins_with(b"HTTP/"):
        answer = http.read_answer(has_body=has_body)
        if answer.status == 101:
            http.recv_close()  # our own, or because a request is no frame
            return
        if answer.status == 413:
            http.finish()  # nginx would wait for the body a while
        if answer.status != 100:
            yield answer
            has_body = True


def is_own(answer: Answer) -> bool:
    """Whether nginx says so, and not Fizz."""
    return answer.status >= 400 and answer.headers.get("content-type") == "text/html"


def told(answers: list[Answer]) -> tuple[str, ...]:
    """The channels that were published to, by what is answered."""
    return tuple(
        channel
        for answer in answers
        if answer.status == 200 and answer.body
        for channel in json.loads(answer.body).get("channels", ())
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_is_carried_out_that_has_no_answer(
    nginx: Nginx, witness: Witness, case: Case
) -> None:
    """Protocol: RFC 9112 §11.2."""
    with HttpSocket.open(("127.0.0.1", nginx.port)) as http:
        http.send_raw(signed(case.data + NEXT + LAST))
        answers = list(all_answers(http, has_body=case.has_body))
    published = witness.seen()
    assert published == told(answers), (case.section, answers)
    assert answers or case.is_repaired
    if not case.is_repaired:
        assert "first" in case.published or "first" not in published
        for expected, answer in zip(case.answers, answers, strict=False):
            if is_own(answer):
                break
            assert answer.status == expected, (case.section, answers)
    for _ in range(2):  # nobody gets another one's answer from a connection that nginx keeps
        assert nginx.api().request("GET", "/up", query="").json == HEALTHY


def test_nothing_of_this_was_a_fault(server: FizzServer) -> None:
    """Whatever came, no exception was logged."""
    assert "Traceback" not in server.stderr
    assert "fault" not in server.stderr
