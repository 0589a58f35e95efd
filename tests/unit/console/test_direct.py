"""What counts as a request from this machine, with nobody in between."""

import pytest

from fizz_gevent.console.direct import host_of, is_direct

DIRECT = {
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "127.0.0.1:8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("127.0.0.1", "127.0.0.1:8080"),
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "LOCALHOST:8080"),
        ("127.8.8.8", "127.9.9.9"),
        ("::1", "[::1]:8080"),
        ("::ffff:127.0.0.1", "localhost:1"),
    ],
)
def test_direct(peer: str, host: str) -> None:
    assert is_direct({**DIRECT, "REMOTE_ADDR": peer, "HTTP_HOST": host})


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("10.0.0.1", "localhost"),
        ("", "localhost"),  # a Unix socket is what proxies use
        ("127.0.0.1", ""),
        ("127.0.0.1", "example.com"),
        ("127.0.0.1", "localhost.example.com"),
        ("127.0.0.1", "localhost@example.com"),
        ("127.0.0.1", "127.0.0.1.example.com"),
        ("127.0.0.1", "localhost, example.com"),
        ("127.0.0.1", "10.0.0.1"),
        ("nonsense", "localhost"),
    ],
)
def test_not_direct(peer: str, host: str) -> None:
    assert not is_direct({**DIRECT, "REMOTE_ADDR": peer, "HTTP_HOST": host})


@pytest.mark.parametrize(
    "name",
    [
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_ANYTHING",
        "HTTP_FORWARDED",
        "HTTP_VIA",
        "HTTP_X_REAL_IP",
    ],
)
@pytest.mark.parametrize("value", ["", "127.0.0.1", "1.1 proxy"])
def test_any_trace_of_a_proxy_is_enough(name: str, value: str) -> None:
    assert not is_direct({**DIRECT, name: value})


def test_a_proxy_that_leaves_no_trace_is_known_by_its_http_or_by_the_origin() -> None:
    assert not is_direct({**DIRECT, "SERVER_PROTOCOL": "HTTP/1.0"})
    assert is_direct({**DIRECT, "HTTP_ORIGIN": "http://localhost:8080"})
    for origin in ("https://fizz.example.com", "null", "", "http://[bad"):
        assert not is_direct({**DIRECT, "HTTP_ORIGIN": origin})


@pytest.mark.parametrize("host", ["a b", "a;script-src *", "a\x00", "a/b", "a:b", "[::1"])
def test_what_is_no_host_never_gets_into_a_header(host: str) -> None:
    assert host_of({"HTTP_HOST": host}) == ""
