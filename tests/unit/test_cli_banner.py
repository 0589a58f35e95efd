"""What ``start`` says when it listens."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fizz_gevent import __version__
from fizz_gevent.application import Application, PreviousCredentials
from fizz_gevent.banner import Address, banner, sources
from fizz_gevent.config import Config, ConsoleConfig, ServerConfig, TlsConfig
from fizz_gevent.credentials import MADE_UP, is_loopback, make_up
from fizz_gevent.open_files import Capacity

CAPACITY = Capacity.of(4096, None)
APP = Application("7", "the-key", "hidden-secret")


def rows(config: Config, address: Address = ("127.0.0.1", 8080)) -> dict[str, str]:
    text = banner(config, address, CAPACITY)
    return dict(re.findall(r"^  ([A-Z][A-Za-z ]*?)  +(\S.*)$", text, re.MULTILINE))


def test_it_says_what_runs_and_how_to_reach_it() -> None:
    config = Config(applications=(APP,), origins={"a": "etc/fizz.yaml:3", "b": "etc/fizz.yaml:9"})
    text = banner(config, ("127.0.0.1", 8080), CAPACITY)
    assert text.startswith(f"Fizz {__version__}\n")
    assert text.endswith("\n")
    assert rows(config) == {
        "Listening": "127.0.0.1:8080",
        "Browsers": "ws://127.0.0.1:8080/app/the-key",
        "Back ends": "http://127.0.0.1:8080/apps/7",
        "Applications": "7",
        "Configuration": "etc/fizz.yaml",
        "TLS": "off",
        "Scaling": "off",
        "Workers": "1",
        "Open files": "4096, room for 3776 connections",
        "Console": "http://127.0.0.1:8080/console",
    }
    assert "hidden" not in text


def test_it_says_where_the_console_is() -> None:
    guarded = ServerConfig(path="/x", console=ConsoleConfig(password="secret"))
    found = rows(Config(server=guarded, applications=(APP,)))
    assert found["Console"] == "http://127.0.0.1:8080/x/console, with a password"
    off = ServerConfig(console=ConsoleConfig(enabled=False))
    assert "Console" not in rows(Config(server=off, applications=(APP,)))


@pytest.mark.parametrize(
    ("server", "address", "url"),
    [
        (ServerConfig(), ("0.0.0.0", 90), "ws://127.0.0.1:90/app/the-key"),
        (ServerConfig(), ("::", 90, 0, 0), "ws://[::1]:90/app/the-key"),
        (ServerConfig(), ("::1", 90, 0, 0), "ws://[::1]:90/app/the-key"),
        (ServerConfig(path="/x"), ("127.0.0.1", 90), "ws://127.0.0.1:90/x/app/the-key"),
        (ServerConfig(hostname="a.test"), ("::", 90, 0, 0), "ws://a.test:90/app/the-key"),
        (
            ServerConfig(hostname="a.test", tls=TlsConfig("c.pem")),
            ("::", 443, 0, 0),
            "wss://a.test:443/app/the-key",
        ),
        (
            ServerConfig(host="unix:/run/f"),
            "/run/f",
            "ws://localhost/app/the-key on the socket /run/f",
        ),
    ],
)
def test_the_url_fits_what_was_bound(server: ServerConfig, address: Address, url: str) -> None:
    found = rows(Config(server=server, applications=(APP,)), address)
    assert found["Browsers"] == url
    assert found["Back ends"] == url.replace("ws", "http", 1).replace("/app/the-key", "/apps/7")


def test_several_applications_are_listed_by_id() -> None:
    off = replace(APP, app_id="8", key="other", enabled=False)
    found = rows(Config(applications=(APP, off)))
    assert found["Applications"] == "7, 8 (disabled)"
    assert found["Browsers"] == "ws://127.0.0.1:8080/app/{key}"
    many = tuple(replace(APP, app_id=str(n), key=str(n)) for n in range(50))
    assert rows(Config(applications=many))["Applications"].endswith("18, 19, and 30 more")


def test_the_certificate_that_was_found_is_named() -> None:
    origins = {"servers.fizz.options.tls.cert": "found for hostname a.test"}
    server = ServerConfig(hostname="a.test", tls=TlsConfig("etc/certs/a.test.crt", "k"))
    config = Config(server=server, origins=origins)
    assert rows(config)["TLS"] == "etc/certs/a.test.crt (found for hostname a.test)"
    assert rows(Config(server=server))["TLS"] == "etc/certs/a.test.crt"


def test_each_source_is_named_once() -> None:
    origins = [MADE_UP, "a.yaml:1", "FIZZ_SERVER_PORT", "a.yaml:22", "--host", "odd:name.yaml:3"]
    config = Config(origins={str(n): origin for n, origin in enumerate(origins)})
    assert sources(config) == ["a.yaml", "FIZZ_SERVER_PORT", "--host", "odd:name.yaml"]
    assert rows(Config())["Configuration"] == "built-in defaults"


def test_made_up_credentials_are_printed_with_a_snippet() -> None:
    app = Application("7", "made-key", "made-secret")
    server = ServerConfig(path="/x", tls=TlsConfig("c"))
    config = Config(server=server, applications=(app,), is_made_up=True)
    text = banner(config, ("::", 90, 0, 0), CAPACITY)
    for line in (
        "FIZZ_APP_ID=7",
        "FIZZ_APP_KEY=made-key",
        "FIZZ_APP_SECRET=made-secret",
        'new Pusher("made-key", {',
        'cluster: "",',
        'wsHost: "[::1]",',
        "wsPort: 90,",
        "wssPort: 90,",
        'wsPath: "/x",',
        "forceTLS: true,",
        'enabledTransports: ["ws", "wss"],',
    ):
        assert line in text


def test_development_credentials_are_warned_of() -> None:
    text = banner(
        Config(applications=(replace(APP, secret="fizz-secret"),)), ("127.0.0.1", 1), CAPACITY
    )
    assert "Warning: these are the development credentials" in text
    older = PreviousCredentials("k", "fizz-secret", datetime(2027, 1, 1, tzinfo=UTC))
    text = banner(Config(applications=(replace(APP, previous=older),)), ("127.0.0.1", 1), CAPACITY)
    assert "Warning" in text
    assert "Warning" not in banner(Config(applications=(APP,)), ("127.0.0.1", 1), CAPACITY)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", True),
        ("unix:/run/f", True),
        ("0.0.0.0", False),
        ("::", False),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_made_up_credentials_differ_each_time() -> None:
    first, second = make_up(), make_up()
    assert set(first).isdisjoint(second)
    assert first[0].isdigit()
    assert (len(first[1]), len(first[2])) == (20, 40)
