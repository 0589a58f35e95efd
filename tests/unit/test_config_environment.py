"""Environment variables: each of them, their forms, and what is wrong with some."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fizz_gevent import environment
from fizz_gevent.application import EVENT_TYPES
from fizz_gevent.check import value_at
from fizz_gevent.config import Config
from fizz_gevent.config_file import load
from fizz_gevent.errors import ConfigError

APP = {"FIZZ_APP_ID": "7", "FIZZ_APP_KEY": "env-key", "FIZZ_APP_SECRET": "env-secret"}


def configure(environ: Mapping[str, str], **how: Any) -> Config:
    return load(None, environ, {}, search=(), **how)


def refusal(environ: Mapping[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        configure(environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


SERVER_VALUES = {
    "FIZZ_SERVER_HOST": ("::", "host", "::"),
    "FIZZ_SERVER_PORT": ("90", "port", 90),
    "FIZZ_SERVER_PATH": ("ws", "path", "/ws"),
    "FIZZ_HOSTNAME": ("a.test", "hostname", "a.test"),
    "FIZZ_WORKERS": ("3", "workers", 3),
    "FIZZ_DRAIN_SECONDS": ("1.5", "drain_seconds", 1.5),
    "FIZZ_MAX_REQUEST_SIZE": ("99", "max_request_size", 99),
    "FIZZ_TLS_CERT": ("c.pem", "tls.cert", "c.pem"),
    "FIZZ_TLS_KEY": ("k.pem", "tls.key", "k.pem"),
    "FIZZ_TLS_PASSPHRASE": (" p ", "tls.passphrase", " p "),
    "FIZZ_MAX_CONNECTIONS": ("5", "max_connections", 5),
    "FIZZ_RUN_DIRECTORY": ("/srv/run", "run_directory", "/srv/run"),
    "FIZZ_SCALING_ENABLED": ("yes", "scaling.enabled", True),
    "FIZZ_SCALING_CHANNEL": ("c", "scaling.channel", "c"),
    "REDIS_URL": ("redis://h:1/2", "scaling.server.url", "redis://h:1/2"),
    "REDIS_HOST": ("h", "scaling.server.host", "h"),
    "REDIS_PORT": ("7000", "scaling.server.port", 7000),
    "REDIS_USERNAME": ("u", "scaling.server.username", "u"),
    "REDIS_PASSWORD": ("none", "scaling.server.password", "none"),
    "REDIS_DB": ("2", "scaling.server.db", 2),
    "FIZZ_METRICS_ENABLED": ("1", "metrics.enabled", True),
    "FIZZ_METRICS_HOST": ("::1", "metrics.host", "::1"),
    "FIZZ_METRICS_PORT": ("9", "metrics.port", 9),
    "FIZZ_CONSOLE_ENABLED": ("off", "console.enabled", False),
    "FIZZ_CONSOLE_USERNAME": ("u", "console.username", "u"),
    "FIZZ_CONSOLE_PASSWORD": ("p", "console.password", "p"),
}


@pytest.mark.parametrize("name", SERVER_VALUES)
def test_a_variable_of_the_server(name: str) -> None:
    text, path, value = SERVER_VALUES[name]
    config = configure({name: text})
    assert value_at(config.server, path) == value
    key = f"servers.fizz.{path.replace('tls.', 'options.tls.')}"
    assert config.origins[key] == name


def test_every_variable_of_the_server_is_tried_here() -> None:
    assert {*SERVER_VALUES, "FIZZ_TRUSTED_PROXIES"} == environment.SERVER_VARIABLES.keys()


def test_a_list_has_commas_between_its_items() -> None:
    config = configure({"FIZZ_TRUSTED_PROXIES": " 10.0.0.0/8, ::1,192.168.0.7/16 ,"})
    assert list(map(str, config.server.trusted_proxies)) == [
        "10.0.0.0/8",
        "::1/128",
        "192.168.0.0/16",
    ]


def test_variables_of_the_log() -> None:
    config = configure({"FIZZ_LOG_LEVEL": "debug", "FIZZ_LOG_FORMAT": "json"})
    assert (config.logging.level, config.logging.format) == ("debug", "json")


@pytest.mark.parametrize("name", sorted(environment.KNOWN))
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_is_unset(name: str, empty: str) -> None:
    config = configure({name: empty, "TMPDIR": "/t"})
    assert (config, config.origins, config.notices) == (configure({"TMPDIR": "/t"}), {}, ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, True) for word in ("true", "TRUE", "1", "yes", "Yes", "on", "On")),
        *((word, False) for word in ("false", "False", "0", "no", "NO", "off", " off ")),
    ],
)
def test_a_boolean_has_many_forms(text: str, value: bool) -> None:
    assert configure({"FIZZ_METRICS_ENABLED": text}).server.metrics.enabled is value


# -- PORT --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "host", "port"),
    [
        ({"PORT": "90"}, "0.0.0.0", 90),
        ({"PORT": "90", "FIZZ_SERVER_HOST": "::1"}, "::1", 90),
        ({"PORT": "90", "FIZZ_SERVER_PORT": "91"}, "127.0.0.1", 91),
    ],
)
def test_the_port_of_a_platform(environ: dict[str, str], host: str, port: int) -> None:
    server = configure(environ).server
    assert (server.host, server.port) == (host, port)


def test_the_port_of_a_platform_beside_files_and_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text("servers: {fizz: {host: 127.0.0.1, port: 80}}")
    environ = {"PORT": "90"}

    def address(path: str | None, options: Mapping[str, object]) -> tuple[str, int]:
        server = load(path, environ, options, search=("f.yaml",)).server
        return server.host, server.port

    assert address(None, {}) == ("0.0.0.0", 90)
    assert address(None, {"host": "::1"}) == ("::1", 90)
    assert address(None, {"port": "91"}) == ("127.0.0.1", 91)
    assert address("f.yaml", {}) == ("127.0.0.1", 80)


# -- applications ------------------------------------------------------------------------------


def test_three_variables_make_an_application() -> None:
    (app,) = configure(APP).applications
    assert (app.app_id, app.key, app.secret) == ("7", "env-key", "env-secret")


@pytest.mark.parametrize("missing", APP)
def test_two_of_the_three_are_a_mistake(missing: str) -> None:
    given = {name: value for name, value in APP.items() if name != missing}
    message = refusal(given)
    assert f": {missing} missing" in message
    assert message.startswith(", ".join(given))


def test_each_scalar_key_of_an_application_has_a_variable() -> None:
    app = configure(
        {
            **APP,
            "FIZZ_APP_ENABLED": "no",
            "FIZZ_APP_PING_INTERVAL": "2.5",
            "FIZZ_APP_ACTIVITY_TIMEOUT": "7",
            "FIZZ_APP_MAX_CLIENT_EVENTS_PER_SECOND": "none",
            "FIZZ_APP_MAX_CONNECTIONS": "12",
            "FIZZ_APP_ACCEPT_CLIENT_EVENTS_FROM": "none",
            "FIZZ_APP_WEBHOOK_PRIVATE_NETWORKS": "off",
        }
    ).applications[0]
    assert (app.enabled, app.ping_interval, app.activity_timeout) == (False, 2.5, 7)
    assert (app.max_client_events_per_second, app.max_connections) == (None, 12)
    assert (app.accept_client_events_from, app.webhook_private_networks) == ("none", False)
    unset = {"app_id", "key", "secret", "allowed_origins", "webhooks", "previous"}
    names = {name.removeprefix("FIZZ_APP_").lower() for name in environment.APP_VARIABLES}
    assert names == environment.APPLICATION.keys() - unset


def test_one_webhook_has_a_variable() -> None:
    (app,) = configure({**APP, "FIZZ_APP_WEBHOOK_URL": "https://a.test/hook"}).applications
    (webhook,) = app.webhooks
    assert (webhook.url, webhook.event_types) == ("https://a.test/hook", EVENT_TYPES)


def test_a_json_array_makes_several_applications() -> None:
    config = configure(
        {
            "FIZZ_APPS": '[{"app_id": "1", "key": "a", "secret": "s", "max_connections": null},'
            ' {"app_id": "2", "key": "b", "secret": "s", "allowed_origins": ["own.test"],'
            ' "previous": {"key": "c", "secret": "d", "until": "2027-01-31T00:00:00Z"}}]',
            "FIZZ_ALLOWED_ORIGINS": "a.test",
        }
    )
    first, second = config.applications
    assert (first.key, first.allowed_origins) == ("a", ("a.test",))
    assert (second.key, second.allowed_origins) == ("b", ("own.test",))
    assert second.previous is not None
    assert config.origins["apps.apps[1].key"] == "FIZZ_APPS"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[{]", "FIZZ_APPS: not JSON: "),
        ("[NaN]", "FIZZ_APPS: not JSON: NaN"),
        ("[" * 100000, "FIZZ_APPS: not JSON: "),
        ("{}", "FIZZ_APPS: expected a list, not a mapping"),
        ("[5]", "FIZZ_APPS: [0]: expected a mapping, not 5"),
        ('[{"app_id": 1}]', "FIZZ_APPS: [0].app_id: quote this value"),
        ('[{"key": "a", "key": "b"}]', "FIZZ_APPS: [0].key: duplicate key"),
        ('[{"app_id": "1", "key": "a"}]', "FIZZ_APPS: [0]: missing key 'secret'"),
        ('[{"max_connections": "5"}]', "FIZZ_APPS: [0].max_connections: expected a whole number"),
        (
            '[{"app_id":"1","key":"a","secret":"s"},{"app_id":"1","key":"b","secret":"s"}]',
            "FIZZ_APPS: [1].app_id: duplicate: [0] has '1' already",
        ),
    ],
)
def test_a_json_array_is_checked_like_a_file(text: str, reason: str) -> None:
    assert refusal({"FIZZ_APPS": text}).startswith(reason)


def test_an_array_and_single_variables_contradict_each_other() -> None:
    message = refusal({"FIZZ_APPS": "[]", "FIZZ_APP_MAX_CONNECTIONS": "5"})
    assert message.startswith("FIZZ_APPS: FIZZ_APP_MAX_CONNECTIONS is set too")


# -- files that hold a value -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("REDIS_PASSWORD", "scaling.server.password"),
        ("FIZZ_CONSOLE_PASSWORD", "console.password"),
    ],
)
def test_a_password_may_be_in_a_file(tmp_path: Path, name: str, path: str) -> None:
    (tmp_path / "secret").write_text(" from a file\n")
    config = configure({f"{name}_FILE": str(tmp_path / "secret")})
    assert value_at(config.server, path) == " from a file"
    assert config.origins[f"servers.fizz.{path}"] == f"{name}_FILE"


def test_the_secret_of_an_application_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\r\n")
    environ = {**APP, "FIZZ_APP_SECRET_FILE": str(tmp_path / "secret")}
    assert refusal(environ).startswith("FIZZ_APP_SECRET_FILE: FIZZ_APP_SECRET is set too")
    del environ["FIZZ_APP_SECRET"]
    assert configure(environ).applications[0].secret == "from-a-file"


def test_a_file_for_a_value_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name, reason in [
        ("none", "cannot be read: No such file or directory"),
        ("empty", "is empty"),
        ("bytes", "is not UTF-8 text"),
    ]:
        path = tmp_path / name
        message = refusal({"REDIS_PASSWORD_FILE": str(path)})
        assert message == f"REDIS_PASSWORD_FILE: {path} {reason}"


# -- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("FIZZ_SERVER_PORT", "http", "expected a whole number from 0 to 65535, not 'http'"),
        ("FIZZ_SERVER_PORT", "٨", "expected a whole number"),
        ("FIZZ_SERVER_PORT", "1" * 5000, "expected a whole number"),
        ("PORT", "-1", "expected a whole number from 0 to 65535, not '-1'"),
        ("FIZZ_SERVER_PORT", "tcp://10.0.0.1:80", "enableServiceLinks"),
        ("FIZZ_DRAIN_SECONDS", "1e1", "expected 0 or more seconds"),
        ("FIZZ_DRAIN_SECONDS", "nan", "expected 0 or more seconds"),
        ("FIZZ_SCALING_ENABLED", "maybe", "expected true or false, not 'maybe'"),
        ("FIZZ_WORKERS", "two", "expected a whole number of at least 1, or auto"),
        ("FIZZ_TRUSTED_PROXIES", "10.0.0.0/8, x", "expected a network such as 10.0.0.0/8"),
        ("FIZZ_LOG_LEVEL", "loud", "expected one of debug, info, warning, error"),
        ("FIZZ_SERVER", "a b", "expected letters, digits"),
        ("FIZZ_ALLOWED_ORIGINS", "https://a.test", "expected the host alone"),
        ("FIZZ_APP_ENABLED", "2", "expected true or false"),
        ("FIZZ_APP_WEBHOOK_URL", "a.test", "expected an address"),
        ("REDIS_URL", "http://:hidden@a", "expected redis://"),
    ],
)
def test_a_value_that_is_not_understood_is_refused(name: str, value: str, reason: str) -> None:
    message = refusal({name: value})
    assert message.startswith(f"{name}: {reason}") or reason in message
    assert message.startswith(f"{name}: ")
    assert "hidden" not in message


def test_an_unknown_variable_is_warned_of_once_with_the_nearest_name() -> None:
    config = configure({"FIZZ_ALOWED_ORIGINS": "a", "FIZZBUZZ": "1", "FIZZ_HOST": "client.test"})
    (notice,) = config.notices
    assert "'FIZZ_ALOWED_ORIGINS'" in notice
    assert "'FIZZ_ALLOWED_ORIGINS'" in notice


def test_the_links_that_kubernetes_sets_are_no_mistakes_of_the_operator() -> None:
    links = ["FIZZ_SERVICE_HOST", "FIZZ_SERVICE_PORT_HTTP", "FIZZ_PORT_8080_TCP_ADDR", "FIZZ_PORT"]
    assert configure(dict.fromkeys(links, "tcp://10.0.0.1:8080")).notices == ()
    config = configure({"REDIS_PORT": "tcp://10.0.0.1:6379"})
    assert config.server.scaling.server.port == 6379
    assert "REDIS_PORT" in config.notices[0]


def test_origins_of_nothing_but_commas_are_all() -> None:
    assert configure({**APP, "FIZZ_ALLOWED_ORIGINS": ","}).applications[0].allowed_origins == ("*",)
