"""Files, and which source of a setting wins."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from fizz_gevent.config import Config
from fizz_gevent.config_file import SEARCH, core_count, load
from fizz_gevent.errors import ConfigError

APP = {"FIZZ_APP_ID": "7", "FIZZ_APP_KEY": "env-key", "FIZZ_APP_SECRET": "env-secret"}
ONE_APP = "apps: {apps: [{app_id: '1', key: k, secret: s}]}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(
    named: str | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, object] | None = None,
    *,
    found: str | None = None,
) -> Config:
    """Load with a file named by ``--config`` and one that is found, both of the given text."""
    for name, text in (("named.yaml", named), ("fizz.yaml", found)):
        if text is not None:
            Path(name).write_text(text)
    path = None if named is None else "named.yaml"
    return load(path, environ or {}, options or {}, search=("fizz.yaml",))


def port_of(text: int) -> str:
    return f"servers: {{fizz: {{port: {text}}}}}"


def test_each_source_gives_way_to_the_one_above_it(folder: Path) -> None:
    named, found, environ = port_of(2), port_of(4), {"FIZZ_SERVER_PORT": "3"}
    assert configure(named, environ, {"port": "1"}, found=found).server.port == 1
    assert configure(named, environ, found=found).server.port == 2
    assert configure(None, environ, found=found).server.port == 3
    assert configure(None, {}, found=found).server.port == 4
    (folder / "fizz.yaml").unlink()
    assert configure().server.port == 8080


def test_what_a_named_file_leaves_out_falls_through(folder: Path) -> None:
    named = "servers: {fizz: {port: 2, scaling: {channel: named}}}"
    found = "servers: {fizz: {path: /found, scaling: {lease_seconds: 4}}}"
    config = configure(named, {"FIZZ_HOSTNAME": "env.test"}, found=found)
    assert (config.server.port, config.server.path) == (2, "/found")
    assert config.server.hostname == "env.test"
    assert (config.server.scaling.channel, config.server.scaling.lease_seconds) == ("named", 4)


def test_a_named_file_may_take_a_value_back(folder: Path) -> None:
    named = "servers: {fizz: {max_connections: null}}"
    assert configure(named, {"FIZZ_MAX_CONNECTIONS": "5"}).server.max_connections is None


def test_every_value_knows_its_origin(folder: Path) -> None:
    named = "servers:\n  fizz:\n    port: 2\nlogging: {level: error}\n"
    config = configure(named, {"FIZZ_SERVER_PATH": "/a"}, {"host": "::1"})
    assert config.origins["servers.fizz.port"] == "named.yaml:3"
    assert config.origins["logging.level"] == "named.yaml:4"
    assert config.origins["servers.fizz.path"] == "FIZZ_SERVER_PATH"
    assert config.origins["servers.fizz.host"] == "--host"
    assert "servers.fizz.workers" not in config.origins


def test_files_are_looked_for_in_order(folder: Path) -> None:
    (folder / "etc").mkdir()
    here = [name for name in SEARCH if not name.startswith("/")]
    for port, name in reversed(list(enumerate(here, 1))):
        (folder / name).write_text(port_of(port))
        assert load(None, {}, {}, search=SEARCH).server.port == port
    assert SEARCH[-2:] == ("/etc/fizz/fizz.yaml", "/etc/fizz/fizz.yml")


def test_a_found_file_that_is_also_named_beats_the_environment(folder: Path) -> None:
    (folder / "fizz.yaml").write_text(port_of(2))
    assert (
        load("./fizz.yaml", {"FIZZ_SERVER_PORT": "3"}, {}, search=("fizz.yaml",)).server.port == 2
    )


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "servers:\n", "servers: {fizz: }\napps: {apps: }"]
)
def test_an_empty_file_or_section_says_nothing(folder: Path, text: str) -> None:
    assert configure(text) == configure()


def test_json_is_yaml_too(folder: Path) -> None:
    assert configure('{"servers": {"fizz": {"drain_seconds": 0.5}}}').server.drain_seconds == 0.5


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    assert configure("\ufeff" + port_of(3)).server.port == 3


def test_one_of_several_servers_runs(folder: Path) -> None:
    text = "servers: {a: {port: 1}, b: {port: 2}}\ndefault: a"
    assert configure(text).server.port == 1
    assert configure(text, {"FIZZ_SERVER": "b"}).name == "a"
    config = configure(text, {"FIZZ_SERVER_PATH": "/x"}, {"server": "b"})
    assert (config.name, config.server.port, config.server.path) == ("b", 2, "/x")
    assert configure(None, {"FIZZ_SERVER": "b"}, found=text).server.port == 2


def test_merged_settings_give_way_to_those_beside_them(folder: Path) -> None:
    text = """
apps:
  apps:
    - &first {app_id: "1", key: a, secret: s, max_connections: 5, watchlist: false}
    - {<<: *first, app_id: "2", key: b, watchlist: true}
"""
    first, second = configure(text).applications
    assert (first.app_id, first.max_connections, first.watchlist) == ("1", 5, False)
    assert (second.app_id, second.max_connections, second.watchlist) == ("2", 5, True)


def test_automatic_workers_are_the_cores(folder: Path) -> None:
    assert configure("servers: {fizz: {workers: auto}}").server.workers == core_count() >= 1


def test_the_run_directory_is_settled(folder: Path) -> None:
    """Whoever needs it later does not read the environment again."""
    assert configure("servers: {fizz: {run_directory: /srv/x}}").server.run_directory == "/srv/x"
    found = configure(environ={"XDG_RUNTIME_DIR": str(folder)}).server.run_directory
    assert found in ("/run/fizz", str(folder))
    assert configure(environ={"TMPDIR": "/nowhere"}).server.run_directory in (
        "/run/fizz",
        "/nowhere",
    )


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("::", "::"),
        ("[::1]", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("unix:/run/fizz/fizz.sock", "unix:/run/fizz/fizz.sock"),
    ],
)
def test_a_host_has_many_forms(folder: Path, given: str, host: str) -> None:
    config = configure(f"servers: {{fizz: {{host: '{given}'}}}}")
    assert config.server.host == host
    is_path = host.startswith("unix:")
    assert config.server.socket_path == (host.removeprefix("unix:") if is_path else None)


@pytest.mark.parametrize(
    ("given", "prefix"), [("", ""), ("/", ""), ("ws", "/ws"), ("/a/b/", "/a/b"), ("/ws", "/ws")]
)
def test_a_prefix_is_tidied(folder: Path, given: str, prefix: str) -> None:
    assert configure(options={"path": given}).server.path == prefix


# -- applications ------------------------------------------------------------------------------


def test_variables_replace_every_application_of_a_found_file(folder: Path) -> None:
    config = configure(None, APP, found=ONE_APP)
    assert [app.key for app in config.applications] == ["env-key"]


def test_a_named_file_replaces_the_application_of_the_variables(folder: Path) -> None:
    config = configure(ONE_APP, APP, found="apps: {apps: [{app_id: '2', key: f, secret: s}]}")
    assert [app.key for app in config.applications] == ["k"]
    assert any("FIZZ_APP_ID has no effect" in notice for notice in config.notices)


def test_a_named_file_without_applications_leaves_them_to_the_others(folder: Path) -> None:
    assert [app.key for app in configure("default: fizz", APP).applications] == ["env-key"]
    assert [app.key for app in configure("apps: {}", {}, found=ONE_APP).applications] == ["k"]


def test_origins_of_the_environment_replace_all_but_those_a_named_file_sets(folder: Path) -> None:
    text = (
        "apps: {apps: [{app_id: '1', key: a, secret: s, allowed_origins: [own.test]},"
        " {app_id: '2', key: b, secret: s}]}"
    )
    environ = {"FIZZ_ALLOWED_ORIGINS": "a.test, b.test"}
    both = ("a.test", "b.test")
    found = configure(None, environ, found=text)
    assert [app.allowed_origins for app in found.applications] == [both, both]
    assert found.origins["apps.apps[0].allowed_origins"] == "FIZZ_ALLOWED_ORIGINS"
    named = configure(text, environ)
    assert [app.allowed_origins for app in named.applications] == [("own.test",), both]


def test_an_application_is_made_up_only_where_there_is_none(folder: Path) -> None:
    def make_up() -> tuple[str, str, str]:
        return "77", "made-key", "made-secret"

    environ = {"FIZZ_APP_MAX_CONNECTIONS": "5", "FIZZ_ALLOWED_ORIGINS": "a.test"}
    config = load(None, environ, {}, search=(), make_up=make_up)
    (app,) = config.applications
    assert config.is_made_up
    assert (app.app_id, app.key, app.secret) == ("77", "made-key", "made-secret")
    assert (app.max_connections, app.allowed_origins) == (5, ("a.test",))
    assert config.notices == ()
    assert not load(None, APP, {}, search=(), make_up=make_up).is_made_up
    assert load(None, {}, {}, search=()).applications == ()


def test_with_scaling_no_application_is_made_up(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            None,
            {"FIZZ_SCALING_ENABLED": "on"},
            {},
            search=(),
            make_up=lambda: ("1", "k", "s"),
        )
    assert str(caught.value).startswith(
        "FIZZ_SCALING_ENABLED: servers.fizz.scaling.enabled: no app"
    )


def test_settings_of_an_application_that_is_not_there_are_warned_of(folder: Path) -> None:
    config = configure(None, {"FIZZ_APP_MAX_CONNECTIONS": "5"}, found=ONE_APP)
    assert config.applications[0].max_connections is None
    assert any("FIZZ_APP_MAX_CONNECTIONS has no effect" in notice for notice in config.notices)


def test_webhooks_and_previous_credentials_become_objects(folder: Path) -> None:
    text = """
apps:
  apps:
    - app_id: "1"
      key: k
      secret: s
      webhooks: [{url: "https://a.test/x", event_types: [cache_miss], headers: {X-Token: abc}}]
      previous: {key: old, secret: older, until: 2027-01-31T00:00:00Z}
"""
    (app,) = configure(text).applications
    (webhook,) = app.webhooks
    assert (webhook.url, webhook.event_types) == ("https://a.test/x", ("cache_miss",))
    assert webhook.headers == {"X-Token": "abc"}
    assert app.previous is not None
    assert app.previous.until.isoformat() == "2027-01-31T00:00:00+00:00"


def test_no_secret_is_in_the_representation_of_a_configuration(folder: Path) -> None:
    environ = {**APP, "REDIS_PASSWORD": "redis-pw", "FIZZ_CONSOLE_PASSWORD": "console-pw"}
    environ |= {"FIZZ_TLS_PASSPHRASE": "tls-pw", "REDIS_URL": "redis://:url-pw@host"}
    shown = repr(configure(None, environ))
    assert not [
        s for s in ("env-secret", "redis-pw", "console-pw", "tls-pw", "url-pw") if s in shown
    ]
