"""Requests, proper and improper, and what RFC 9112 and RFC 9110 want done with them.

``@first@`` stands for a signed target that publishes ``BODY``. Behind every case the test sends a
whole second request that publishes something else: whether that is served shows where the server
thinks that the first one ends.
"""

from dataclasses import dataclass

from tests.harness.http_socket import request
from tests.harness.signing import compact

EVENTS = "/apps/1001/events"
LARGEST = 2**20
"""Bytes of a body that Fizz takes by default, and nginx by our sample."""


def _event(channel: str) -> bytes:
    """One whose answer names the channel too."""
    event = {"name": "n", "channel": channel, "data": "1", "info": "subscription_count"}
    return compact(event).encode()


BODY = _event("first")
NEXT_BODY = _event("second")
NEXT = request("POST", "@second@", f"Content-Length: {len(NEXT_BODY)}", body=NEXT_BODY)
SIZE = f"Content-Length: {len(BODY)}"
TE = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"
WHOLE = b"%x\r\n%b\r\n" % (len(BODY), BODY)
"""``BODY`` as one chunk."""


@dataclass(frozen=True)
class Case:
    """One line of the tables below.

    Attributes:
        section: Of RFC 9112, or of another where it says so.
        answers: The statuses that come back, that of the second request included.
        published: How many of ``first`` and ``second`` reach their subscribers.
        closes: The connection ends with the last answer.
        has_body: The first answer has one.
        is_repaired: nginx makes a proper request of it, and sends that on.
    """

    name: str
    section: str
    data: bytes
    answers: tuple[int, ...]
    published: tuple[str, ...] = ()
    closes: bool = False
    has_body: bool = True
    is_repaired: bool = False


def refuse(name: str, section: str, data: bytes, status: int, *, repaired: bool = False) -> Case:
    """Refused, and nothing behind it is read."""
    return Case(name, section, data, (status,), closes=True, is_repaired=repaired)


def serve(name: str, section: str, data: bytes, status: int = 200, *, body: bool = True) -> Case:
    """Answered without being carried out, or harmless; the second request is served as well."""
    return Case(name, section, data, (status, 200), ("second",), has_body=body)


def publish(name: str, section: str, data: bytes) -> Case:
    """Carried out, and so is the second request."""
    return Case(name, section, data, (200, 200), ("first", "second"))


def post(*headers: str, body: bytes = BODY, version: str = "1.1", target: str = "@first@") -> bytes:
    """A request that publishes, if its framing is what it should be."""
    return request("POST", target, *headers, body=body, version=version)


def chunked(body: bytes) -> bytes:
    """The same with a body in chunks."""
    return post(TE, body=body)


def get(*headers: str, target: str = "/up") -> bytes:
    """A request that anybody may make."""
    return request("GET", target, *headers)


def raw(*lines: bytes) -> bytes:
    """Lines with their proper ends, and the empty one."""
    return b"\r\n".join((*lines, b"", b""))


UP = b"GET /up HTTP/1.1"
HOST = b"Host: x"
