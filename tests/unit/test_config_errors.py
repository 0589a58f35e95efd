"""Every mistake in a file is one line with file, line and key path, and says what was expected."""

from pathlib import Path

import pytest

from fizz_gevent.config_file import load
from fizz_gevent.errors import ConfigError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(text: str) -> str:
    Path("f.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load("f.yaml", {}, {}, search=())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_refused(text: str, line: int, key: str | None, reason: str) -> None:
    message = refusal(text)
    place = f"f.yaml:{line}: " + (f"{key}: " if key else "")
    assert message.startswith(place)
    assert reason in message.removeprefix(place)


@pytest.mark.parametrize(
    ("text", "line", "key", "reason"),
    [
        ("server: {}", 1, "server", "'servers'"),
        ("\n\nlogging:\n  levle: info", 4, "logging.levle", "'level'"),
        ("logging: {level: off}", 1, "logging.level", "debug, info, warning, error, not false"),
        ("logging: {format: xml}", 1, "logging.format", "one of text, json, not 'xml'"),
        ("default: 5", 1, "default", 'quote this value: "5"'),
        ("default: a\nlogging: {}\ndefault: b", 3, "default", "duplicate key, first in line 1"),
        ("servers:\n  a: {}\n  a: {port: 2}", 3, "servers.a", "duplicate key, first in line 2"),
        ("servers: {no: {}}", 1, "servers.no", 'quote this key: "no"'),
        ("servers: {a b: {}}", 1, "servers.a b", "letters, digits"),
        ("servers: []", 1, "servers", "expected a mapping, not a list"),
        ("servers: {fizz: 3}", 1, "servers.fizz", "expected a mapping, not 3"),
        ("servers: !!python/object:os.system {}", 1, "servers", "expected a mapping"),
        ("apps:\n  app: []", 2, "apps.app", "'apps'"),
        ("apps: {provider: mysql}", 1, "apps.provider", "one of config, redis"),
        ("apps: {apps: {}}", 1, "apps.apps", "expected a list, not a mapping"),
        ("apps: {apps: [null]}", 1, "apps.apps[0]", "expected a mapping, not null"),
        ("apps:\n  apps:\n    - {app_id: '1', key: k}", 3, "apps.apps[0]", "missing key 'secret'"),
        ("apps: {apps: [{app_id: 1e3}]}", 1, "apps.apps[0]", "missing key 'key'"),
        ("- a", 1, None, "expected a mapping, not a list"),
        ("just text", 1, None, "expected a mapping, not 'just text'"),
    ],
)  # fmt: skip
def test_the_outline(text: str, line: int, key: str | None, reason: str) -> None:
    assert_refused(text, line, key, reason)


@pytest.mark.parametrize(
    ("text", "line", "key", "reason"),
    [
        ("a: [1", 1, None, "not YAML"),
        ("servers: {fizz: {host: ::}}", 1, None, "not YAML"),
        ("servers:\n  fizz:\n    host: ::", 3, None, "a value that holds a colon must be quoted"),
        ("servers:\n\tfizz: 1", 2, None, "not YAML"),
        ("a: *nobody", 1, None, "undefined alias"),
        ("a: 1\n---\nb: 2", 2, None, "another document"),
        ("a: \x01", 1, None, "not YAML"),
        ("servers: &a {fizz: *a}", 1, "servers.fizz", "an alias holds itself"),
        ("servers: {<<: 3}", 1, "servers", "'<<' expects a mapping"),
        ("? [a]\n: b", 1, None, "a key must be a name"),
    ],
)
def test_what_is_no_yaml_or_too_clever(text: str, line: int, key: str | None, reason: str) -> None:
    assert_refused(text, line, key, reason)


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("prot: 1", "prot", "'port'"),
        ("host: 12", "host", 'quote this value: "12"'),
        ("host: null", "host", "expected an address, a host name or unix:/PATH, not null"),
        ("host: 1.2.3.4.5", "host", "an address"),
        ("host: 'a:80'", "host", "an address"),
        ("host: 'unix:'", "host", "unix:/PATH"),
        (f"host: 'unix:/{'x' * 108}'", "host", "107 bytes"),
        ("hostname: no", "hostname", 'quote this value: "no"'),
        ("hostname: 'https://a.test'", "hostname", "a host name"),
        ("hostname: ../../etc", "hostname", "a host name"),
        ("port: '80'", "port", "a whole number from 0 to 65535, not '80'"),
        ("port: 65536", "port", "not 65536"),
        ("port: 0123", "port", "not 0123"),
        ("port: 0x10", "port", "not 0x10"),
        ("port: 1_000", "port", "not 1_000"),
        ("port: 12:30:45", "port", "not 12:30:45"),
        ("port: true", "port", "not true"),
        ("port: 80.0", "port", "not 80.0"),
        ("port: [1]", "port", "not a list"),
        ("path: 'a b'", "path", "a prefix such as /fizz"),
        ("path: /a/../b", "path", "a prefix such as /fizz"),
        ("workers: 0", "workers", "at least 1, or auto"),
        ("max_connections: 0", "max_connections", "at least 1 or null"),
        ("max_request_size: 1e6", "max_request_size", "a whole number of bytes"),
        ("drain_seconds: -1", "drain_seconds", "0 or more seconds"),
        ("close_timeout: 0", "close_timeout", "more than 0 seconds"),
        ("close_timeout: .inf", "close_timeout", "not .inf"),
        ("close_timeout: 5s", "close_timeout", "not '5s'"),
        ("trusted_proxies: 10.0.0.1", "trusted_proxies", "a list"),
        ("trusted_proxies: [a]", "trusted_proxies[0]", "a network such as 10.0.0.0/8, not 'a'"),
        ("options: yes", "options", "expected a mapping, not true"),
        ("options: {tls: {crt: a}}", "options.tls.crt", "'cert'"),
        ("metrics: {enabled: 1}", "metrics.enabled", "true or false, not 1"),
        ("scaling: {server: {hots: x}}", "scaling.server.hots", "'host'"),
        ("scaling: {server: {url: 'http://a'}}", "scaling.server.url", "redis://"),
    ],
)
def test_a_key_of_a_server(text: str, key: str, reason: str) -> None:
    assert_refused(f"servers:\n  fizz:\n    {text}", 3, f"servers.fizz.{key}", reason)


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("ap_id: '1'", "ap_id", "'app_id'"),
        ("app_id: 0123", "app_id", 'quote this value: "0123"'),
        ("app_id: ''", "app_id", "letters, digits"),
        ("app_id: a/b", "app_id", "letters, digits"),
        ("key: 2027-01-31", "key", 'quote this value: "2027-01-31"'),
        ("key: yes", "key", 'quote this value: "yes"'),
        ("key: 'a:b'", "key", "letters, digits"),
        ("enabled: 'true'", "enabled", "true or false, not 'true'"),
        ("activity_timeout: 0", "activity_timeout", "at least 1"),
        ("activity_timeout: 2.5", "activity_timeout", "whole number of seconds"),
        ("allowed_origins: '*'", "allowed_origins", "a list"),
        ("allowed_origins: [https://a.test]", "allowed_origins[0]", "the host alone"),
        ("allowed_origins: ['a.test:80']", "allowed_origins[0]", "the host alone"),
        ("accept_client_events_from: all", "accept_client_events_from", "one of members, none"),
        ("webhooks: [{}]", "webhooks[0]", "missing key 'url'"),
        ("webhooks: [{url: ftp://a}]", "webhooks[0].url", "http://"),
        ("webhooks: [{url: 'http://a b/'}]", "webhooks[0].url", "http://"),
        ("webhooks: [{event_types: [x]}]", "webhooks[0].event_types[0]", "channel_occupied"),
        ("webhooks: [{headers: {X: 1}}]", "webhooks[0].headers.X", "quote"),
        ("webhooks: [{headers: {'X Y': a}}]", "webhooks[0].headers.X Y", "name of an HTTP header"),
        (r'webhooks: [{headers: {X: "a\r\nb"}}]', "webhooks[0].headers.X", "one line"),
        ("previous: {key: a, secret: b}", "previous", "missing key 'until'"),
        ("previous: {until: soon}", "previous.until", "a moment such as"),
    ],
)
def test_a_key_of_an_application(text: str, key: str, reason: str) -> None:
    assert_refused(f"apps:\n  apps:\n    - {text}", 3, f"apps.apps[0].{key}", reason)


@pytest.mark.parametrize("text", ["12345678", "' 12345678'", "[12345678]", "2027-01-31"])
@pytest.mark.parametrize(
    "place",
    [
        "apps: {apps: [{app_id: '1', key: k, secret: %s}]}",
        "servers: {fizz: {scaling: {server: {url: %s}}}}",
    ],
)
def test_a_secret_is_not_shown_by_the_error_about_it(place: str, text: str) -> None:
    assert text.strip("[]' ") not in refusal(place % text)


@pytest.mark.parametrize(
    ("second", "key", "value"),
    [
        ("{app_id: '1', key: b, secret: s}", "app_id", "'1'"),
        ("{app_id: '2', key: a, secret: s}", "key", "'a'"),
        (
            "{app_id: '2', key: b, secret: s, previous: {key: a, secret: s, until: 2027-01-31}}",
            "previous.key",
            "'a'",
        ),
    ],
)
def test_two_applications_share_neither_id_nor_key(second: str, key: str, value: str) -> None:
    first = "{app_id: '1', key: a, secret: s}"
    message = refusal(f"apps:\n  apps:\n    - {first}\n    - {second}")
    assert message == (f"f.yaml:4: apps.apps[1].{key}: duplicate: apps.apps[0] has {value} already")


def test_a_server_that_is_not_there_is_named() -> None:
    message = refusal("default: c\nservers: {a: {}, b: {}}")
    assert message == "f.yaml:1: default: no server 'c' under servers; there is 'a', 'b'"
    assert "no server 'fizz'" in refusal("servers: {main: {port: 1}}")


def test_servers_that_do_not_run_are_checked_too() -> None:
    assert "servers.other.port" in refusal("servers: {fizz: {}, other: {port: no}}")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.yaml", "none.yaml: cannot be read: No such file or directory"),
        ("folder.yaml", "folder.yaml: cannot be read: Is a directory"),
        ("bytes.yaml", "bytes.yaml:2: not UTF-8 text"),
        ("deep.yaml", "deep.yaml: not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, reason: str) -> None:
    Path("folder.yaml").mkdir()
    Path("bytes.yaml").write_bytes(b"a: 1\nb: \xff")
    Path("deep.yaml").write_text("[" * 5000)
    with pytest.raises(ConfigError) as caught:
        load(path, {}, {}, search=())
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", '"http://x/\\ud800"'),
        ("channel_prefix", '"a\\ud800"'),
        ("headers", '{"X": "\\udfff"}'),
    ],
)
def test_half_a_character_cannot_be_sent_and_is_refused(key: str, value: str) -> None:
    hook = f'{{"url": "http://x", "{key}": {value}}}'.replace('"url": "http://x", "url"', '"url"')
    apps = f'[{{"app_id": "a", "key": "k", "secret": "s", "webhooks": [{hook}]}}]'
    with pytest.raises(ConfigError, match=key):
        load(None, {"FIZZ_APPS": apps}, {}, search=())


def test_aliases_of_aliases_are_not_followed_for_ever() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for name, inner in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{inner}'] * 10)}]")
    Path("bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="more values than anybody would write"):
        load("bomb.yaml", {}, {}, search=())


def test_a_found_file_that_leads_nowhere_is_no_missing_file() -> None:
    Path("fizz.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(None, {}, {}, search=("fizz.yaml",))


@pytest.mark.parametrize(
    ("option", "value"),
    [("port", "http"), ("host", "a b"), ("path", "?"), ("workers", "many"), ("server", "a b")],
)
def test_an_option_is_checked_like_a_key(option: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, {option: value}, search=())
    assert str(caught.value).startswith(f"--{option}: expected ")
