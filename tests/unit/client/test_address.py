"""Where commands go, and how they say it."""

import pytest

from fizz_gevent.client.address import locate
from fizz_gevent.config import Config, ServerConfig, TlsConfig
from fizz_gevent.errors import ConfigError


def config(**server: object) -> Config:
    return Config(
        server=ServerConfig(**server),  # type: ignore[arg-type]
        origins={f"servers.fizz.{key}": f"fizz.yaml:{line}" for line, key in enumerate(server, 1)},
    )


@pytest.mark.parametrize(
    ("server", "environ", "url"),
    [
        ({}, {}, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0", "port": 90}, {}, "http://127.0.0.1:90"),
        ({"host": "::", "path": "/fizz"}, {}, "http://[::1]:8080/fizz"),
        ({"host": "192.0.2.7"}, {}, "http://192.0.2.7:8080"),
        ({"host": "unix:/run/a.sock", "path": "/p"}, {}, "http on unix:/run/a.sock/p"),
        ({"tls": TlsConfig(cert="a.pem")}, {}, "https://127.0.0.1:8080"),
        ({"port": 90}, {"FIZZ_HOST": "ws.test"}, "http://ws.test:90"),
        ({}, {"FIZZ_HOST": "ws.test", "FIZZ_SCHEME": "https"}, "https://ws.test:443"),
        ({}, {"FIZZ_HOST": "ws.test", "FIZZ_SCHEME": "http"}, "http://ws.test:80"),
        ({}, {"FIZZ_HOST": "::1", "FIZZ_PORT": "91"}, "http://[::1]:91"),
        ({}, {"FIZZ_HOST": "[::]"}, "http://[::1]:8080"),
        ({"path": "/p"}, {"FIZZ_HOST": " a.test "}, "http://a.test:8080/p"),
        ({}, {"FIZZ_HOST": "unix:/x.sock", "FIZZ_PORT": "9"}, "http on unix:/x.sock"),
        ({}, {"FIZZ_SCHEME": "WSS"}, "https://127.0.0.1:8080"),
        ({"host": "unix:/a"}, {"FIZZ_PORT": "443"}, "http://127.0.0.1:443"),
        ({"port": 0}, {"FIZZ_PORT": "7001"}, "http://127.0.0.1:7001"),
        ({}, {"FIZZ_PORT": "tcp://10.0.0.1:80", "FIZZ_HOST": ""}, "http://127.0.0.1:8080"),
    ],
)
def test_variables_replace_their_part_of_the_configured_address(
    server: dict[str, object], environ: dict[str, str], url: str
) -> None:
    assert locate(config(**server), environ).url == url


def test_it_says_how_the_address_was_found() -> None:
    found = locate(config(port=90), {})
    assert found.origin == "host: default, port: fizz.yaml:1"
    found = locate(config(port=90), {"FIZZ_HOST": "a.test", "FIZZ_SCHEME": "https"})
    assert found.origin == "host: FIZZ_HOST, port: usual for FIZZ_SCHEME, scheme: FIZZ_SCHEME"
    assert locate(config(host="unix:/a.sock"), {}).origin == "host: fizz.yaml:1"


@pytest.mark.parametrize(
    ("server", "environ", "name", "header"),
    [
        ({}, {}, "127.0.0.1", "127.0.0.1:8080"),
        ({"hostname": "ws.test"}, {}, "ws.test", "127.0.0.1:8080"),
        ({"hostname": "ws.test"}, {"FIZZ_HOST": "other.test"}, "other.test", "other.test:8080"),
        ({"host": "::", "port": 80}, {}, "::1", "[::1]"),
        ({"host": "unix:/a"}, {}, "localhost", "localhost"),
        ({"host": "unix:/a", "hostname": "ws.test"}, {}, "ws.test", "ws.test"),
        ({}, {"FIZZ_HOST": "a.test", "FIZZ_SCHEME": "https"}, "a.test", "a.test"),
    ],
)
def test_the_names_that_certificates_and_requests_are_about(
    server: dict[str, object], environ: dict[str, str], name: str, header: str
) -> None:
    found = locate(config(**server), environ)
    assert (found.name, found.host_header) == (name, header)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"FIZZ_HOST": "http://a.test"}, "FIZZ_HOST: expected a name or an address alone"),
        ({"FIZZ_HOST": "a.test:80"}, "FIZZ_HOST: expected a name or an address alone"),
        ({"FIZZ_HOST": "a.test/x"}, "FIZZ_HOST: expected"),
        ({"FIZZ_PORT": "0"}, "FIZZ_PORT: expected a port"),
        ({"FIZZ_PORT": "70000"}, "FIZZ_PORT: expected a port"),
        ({"FIZZ_PORT": "http"}, "FIZZ_PORT: expected a port, 1 to 65535, not 'http'"),
        ({"FIZZ_SCHEME": "ftp"}, "FIZZ_SCHEME: expected http or https, not 'ftp'"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        locate(config(), environ)
    assert str(refused.value).startswith(reason)


def test_a_port_that_the_system_chose_is_not_guessed() -> None:
    with pytest.raises(ConfigError, match="set FIZZ_PORT"):
        locate(config(port=0), {})
