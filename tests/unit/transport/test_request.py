"""The head of an HTTP/1 request: any bytes are a request or are refused, and never both.

Protocol: RFC 9112. The table of what is refused is in ``test_transport_refusals.py``.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fizz_gevent.transport.request import BadRequest, RequestHead, parse_head
from fizz_gevent.transport.upgrade import wants_upgrade


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1")


def get(target: str, *headers: str) -> RequestHead:
    return parse_head(head(f"GET {target} HTTP/1.1", "Host: x", *headers))


@given(st.binary(max_size=200))
def test_noise_is_no_request(noise: bytes) -> None:
    """Hypothesis has never guessed one; should it, that is one."""
    try:
        request = parse_head(noise)
    except BadRequest as refusal:
        assert refusal.status[:4] in ("400 ", "417 ", "431 ", "501 ", "505 ")
    else:
        assert noise.startswith(request.method.encode())


@pytest.mark.parametrize("target", ["http://named.test:81/up?x=1", "HTTPS://named.test:81/up?x=1"])
def test_the_host_of_a_target_counts_more_than_the_header(target: str) -> None:
    """Protocol: RFC 9112 §3.2.2."""
    request = get(target)
    assert (request.path, request.query) == ("/up", "x=1")
    assert request.headers["HTTP_HOST"] == "named.test:81"


fields = st.lists(
    st.sampled_from(
        [
            *("Content-Length: 5", "content-length: 5", "Content-Length: 6", "Content-Length:"),
            *("Transfer-Encoding: chunked", "transfer-encoding: gzip", "Content_Length: 7"),
            *("Connection: close", "Connection: keep-alive", "Expect: 100-continue", "X: y"),
            *("Host: other", " folded: yes", "Bare\nX: y", "Nul: \0", "No colon", "Space : x"),
        ]
    ),
    max_size=6,
)


@given(st.sampled_from(["1.0", "1.1", "1.2"]), fields)
def test_a_request_that_can_be_read_in_two_ways_is_refused(version: str, chosen: list[str]) -> None:
    """Protocol: RFC 9112 §5.1, §5.2, §6.1, §6.3, §11.2."""
    lengths = [line for line in chosen if line.lower().startswith("content-length")]
    codings = [line for line in chosen if line.lower().startswith("transfer-encoding")]
    try:
        request = parse_head(head(f"POST /x HTTP/{version}", "Host: x", *chosen))
    except BadRequest:
        return
    assert not {" folded: yes", "Bare\nX: y", "Nul: \0", "No colon", "Space : x"} & {*chosen}
    assert "Host: other" not in chosen
    assert len(lengths) + len(codings) <= 1
    if codings:
        assert (codings, request.content_length) == (["Transfer-Encoding: chunked"], None)
        assert version != "1.0"
    else:
        assert request.content_length == (int(lengths[0][-1]) if lengths else 0)
    if request.keep_alive:
        assert "Connection: close" not in chosen
        assert version != "1.0" or "Connection: keep-alive" in chosen


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/apps/1/events?a=b?c", "/apps/1/events", "a=b?c"),
        ("/apps/1/channels/a%2Fb", "/apps/1/channels/a/b", ""),
        ("/%E2%82%AC?%41", "/\xe2\x82\xac", "%41"),
        ("//double", "//double", ""),
        ("/%", "/%", ""),
        ("http://fizz.test:80/up?x", "/up", "x"),
        ("HTTPS://fizz.test", "/", ""),
    ],
)
def test_what_the_target_says(target: str, path: str, query: str) -> None:
    """Protocol: RFC 9112 §3.2. The path is decoded as WSGI wants it; the target is as it came."""
    request = get(target)
    assert (request.path, request.query) == (path, query)
    if target.startswith("/"):
        assert request.target == target


def test_headers_have_the_names_that_wsgi_gives_them() -> None:
    request = get("/", "content-type: a/b", "X-Two: 1", "x-two: 2", "X_Two: 3", "Origin:\t o \t")
    assert request.headers == {
        "HTTP_HOST": "x",
        "CONTENT_TYPE": "a/b",
        "HTTP_X_TWO": "1,2",
        "HTTP_ORIGIN": "o",
    }


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("websocket", True),
        ("WebSocket", True),
        ("h2c, websocket", True),
        ("websocket/13", False),
        ("h2c", False),
        ("", False),
    ],
)
def test_who_asks_for_a_websocket(value: str, wanted: bool) -> None:
    """Protocol: RFC 6455 §4.2.1."""
    assert wants_upgrade(get("/", f"Upgrade: {value}").headers) is wanted
