"""The command line: what it accepts, and what it says of the rest."""

import os
from pathlib import Path

import pytest

from fizz_gevent import __version__, cli


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and an environment in which nothing is Fizz's."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("FIZZ_", "REDIS_")) or name == "PORT":
            monkeypatch.delenv(name)


def fizz(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code, what went to stdout, and what to stderr."""
    code = cli.main(words)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_the_version(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert fizz(capsys, *words) == (0, f"fizz {__version__}\n", "")


@pytest.mark.parametrize("words", [["help"], ["--help"], ["-h"], ["start", "--help"], ["x", "-h"]])
def test_help(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = fizz(capsys, *words)
    assert (code, out.strip(), err) == (0, cli.USAGE.strip(), "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "a command is missing"),
        (["--debug"], "a command is missing"),
        (["strat"], "unknown command 'strat'; the nearest known one is 'start'"),
        (["start", "now"], "unexpected 'now' after 'start'"),
        (["start", "check"], "unexpected 'check' after 'start'"),
        (["start", "--prot=1"], "unknown option '--prot'; the nearest known one is '--port'"),
        (["start", "--hos=a"], "unknown option '--hos'; the nearest known one is '--host'"),
        (["start", "--conf=a"], "unknown option '--conf'; the nearest known one is '--config'"),
        (["start", "-p", "80"], "unknown option '-p'"),
        (["start", "--port"], "--port needs a value"),
        (["start", "--debug=yes"], "--debug takes no value"),
        (["start", "--port=1", "--port", "2"], "--port is given twice"),
        (["check", "--port=1"], "'check' does not take --port"),
        (["version", "--debug"], "'version' does not take --debug"),
        (["start", "--version"], "'start' does not take --version"),
        (["--version", "--debug"], "a command is missing"),
    ],
)
def test_wrong_words_are_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert fizz(capsys, *words) == (2, "", f"fizz: {reason}; see fizz help\n")


@pytest.mark.parametrize(
    "words",
    [
        ["start"],
        ["start", "--host", "::", "--port=1", "--path", "/x", "--hostname=a", "--server=b"],
        ["start", "--workers", "2", "--config", "f", "--debug"],
        ["--debug", "start"],
        ["check", "--config", "f"],
        ["start", "--config", "-"],
    ],
)
def test_what_is_not_refused_is_understood(words: list[str]) -> None:
    assert cli.misuse(words) is None
    arguments = cli.parse(words)
    assert arguments[next(word for word in words if word in ("start", "check"))] is True


def test_options_that_are_not_given_have_no_value() -> None:
    """A default in the usage text could not be told from what somebody typed."""
    arguments = cli.parse(["start", "--port", "90"])
    given = {name: value for name, value in arguments.items() if value not in (None, False, [])}
    assert given == {"start": True, "--port": "90"}


@pytest.mark.parametrize("command", ["start", "check"])
def test_a_wrong_configuration_is_one_line(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Path("fizz.yaml").write_text("servers:\n  fizz:\n    prot: 1\n")
    code, out, err = fizz(capsys, command)
    assert (code, out) == (2, "")
    assert err == (
        "fizz: fizz.yaml:3: servers.fizz.prot: unknown key 'prot';"
        " the nearest known one is 'port'\n"
    )


@pytest.mark.parametrize("command", ["start", "check"])
def test_applications_in_redis_need_a_redis_that_lasts(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Path("fizz.yaml").write_text("servers: {fizz: {workers: 2}}\napps: {provider: redis}")
    code, _, err = fizz(capsys, command)
    assert code == 2
    assert err.startswith(
        "fizz: fizz.yaml:2: apps.provider: provider redis needs servers.fizz.scaling.enabled: true"
    )


@pytest.mark.parametrize("command", ["start", "check"])
@pytest.mark.parametrize("where", ["file", "environment"])
def test_applications_are_not_kept_in_two_places(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, where: str
) -> None:
    text = "servers: {fizz: {scaling: {enabled: true}}}\napps: {provider: redis}"
    if where == "file":
        text = text.removesuffix("}") + ", apps: [{app_id: '1', key: k, secret: s}]}"
    else:
        for name in ("ID", "KEY", "SECRET"):
            monkeypatch.setenv(f"FIZZ_APP_{name}", "1")
    Path("fizz.yaml").write_text(text)
    code, _, err = fizz(capsys, command)
    assert code == 2
    place = "fizz.yaml:2" if where == "file" else "FIZZ_APP_ID"
    assert err.startswith(f"fizz: {place}: apps.apps[0].app_id: with provider redis all")


def test_the_applications_of_a_sample_do_not_count_where_the_named_file_has_another_provider(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("fizz.yaml").write_text(
        "apps: {provider: config, apps: [{app_id: '1', key: k, secret: s}]}"
    )
    text = "servers: {fizz: {scaling: {enabled: true}}}\napps: {provider: redis}"
    Path("named.yaml").write_text(text)
    code, out, err = fizz(capsys, "check", "--config=named.yaml")
    assert (code, err) == (0, "")
    assert "Applications are in Redis" in out
    assert "apps.apps[0]" not in out


def test_origins_of_the_environment_do_not_reach_applications_in_redis(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIZZ_ALLOWED_ORIGINS", "a.example")
    Path("fizz.yaml").write_text(
        "servers: {fizz: {scaling: {enabled: true}}}\napps: {provider: redis}"
    )
    code, _, err = fizz(capsys, "check")
    assert code == 0
    assert err == ("fizz: warning: FIZZ_ALLOWED_ORIGINS has no effect on applications in Redis\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "fizz.example"])
@pytest.mark.parametrize("command", ["start", "check"])
def test_the_development_credentials_stay_on_this_machine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, host: str
) -> None:
    monkeypatch.setenv("FIZZ_SERVER_HOST", host)
    Path("fizz.yaml").write_text("apps: {apps: [{app_id: '1', key: k, secret: fizz-secret}]}")
    code, _, err = fizz(capsys, command)
    assert code == 2
    assert err.startswith("fizz: fizz.yaml:1: apps.apps[0].secret: these are the development")
    assert f"not served on {host} (host by FIZZ_SERVER_HOST)" in err
    assert err.count("\n") == 1


def test_a_certificate_is_looked_at_before_anything_listens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("fizz.yaml").write_text("servers: {fizz: {options: {tls: {cert: none.pem}}}}")
    code, out, err = fizz(capsys, "start")
    assert (code, out) == (2, "")
    assert err.startswith("fizz: fizz.yaml:1: servers.fizz.options.tls.cert: none.pem cannot be")


def test_check_shows_values_origins_and_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIZZ_SERVER_PORT", "91")
    monkeypatch.setenv("REDIS_PASSWORD", "hidden-redis")
    monkeypatch.setenv("REDIS_URL", "redis://:hidden-url@127.0.0.1")
    monkeypatch.setenv("FIZZ_TLS_PASSPHRAS", "x")
    Path("own.yaml").write_text(
        """
apps:
  apps:
    - app_id: "1"
      key: the-key
      secret: hidden-secret
      webhooks: [{url: "https://a.test", headers: {Authorization: hidden-token}}]
      previous: {key: old, secret: hidden-older, until: 2027-01-31T00:00:00Z}
"""
    )
    code, out, err = fizz(capsys, "check", "--config=own.yaml")
    assert code == 0
    assert "hidden" not in out + err
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["servers.fizz.port"] == ["91", "FIZZ_SERVER_PORT"]
    assert rows["servers.fizz.host"] == ["127.0.0.1", "default"]
    assert rows["servers.fizz.scaling.server.password"] == ["********", "REDIS_PASSWORD"]
    assert rows["servers.fizz.console.password"] == ["null", "default"]
    assert rows["apps.apps[0].key"] == ["the-key", "own.yaml:5"]
    assert rows["apps.apps[0].secret"] == ["********", "own.yaml:6"]
    assert "open files" in out
    assert "'FIZZ_TLS_PASSPHRASE'" in err


def test_check_tells_that_start_would_make_an_application_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = fizz(capsys, "check")
    assert code == 0
    assert "start makes one up" in out
