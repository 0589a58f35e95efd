"""``fizz apps`` where applications are in the configuration, and where Redis is not there."""

import json
import os
from pathlib import Path

import pytest

from fizz_gevent import cli

FILE = """
apps:
  apps:
    - {app_id: "1", key: key-1, secret: hidden-1, max_connections: 5, enabled: false}
    - app_id: "2"
      key: key-2
      secret: hidden-2
      webhooks: [{url: "http://a.example/hook", headers: {A: hidden-header}}]
      previous: {key: old-2, secret: hidden-old, until: 2999-01-01T00:00:00Z}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("FIZZ_", "REDIS_")):
            monkeypatch.delenv(name)
    Path("fizz.yaml").write_text(FILE)


def test_they_are_listed_without_a_secret(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["apps", "list"]) == 0
    out, err = capfd.readouterr()
    assert [line.split("  ")[0] for line in out.splitlines()] == [
        *("ID", "1", "2", ""),
        "2 applications in the configuration",
    ]
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["1", "key-1", "disabled", "max_connections=5"]
    until = "2999-01-01T00:00:00Z"
    assert lines[2] == ["2", "key-2", "enabled,", "old-2", "until", until, "webhooks=1"]
    assert cli.main(["apps", "list", "--json"]) == 0
    text = capfd.readouterr().out
    first, second = json.loads(text)["applications"]
    assert first == {
        "app_id": "1",
        "key": "key-1",
        "secret": "********",
        "enabled": False,
        "max_connections": 5,
    }
    assert second["previous"] == {"key": "old-2", "secret": "********", "until": until}
    assert "hidden" not in out + err + text


@pytest.mark.parametrize("command", ["add", "set", "rotate", "disable", "enable", "remove"])
def test_they_are_changed_in_the_file_only(capfd: pytest.CaptureFixture[str], command: str) -> None:
    arguments = {"add": [], "set": ["1", "max_connections=6"]}.get(command, ["1"])
    assert cli.main(["apps", command, *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("fizz: fizz.yaml:4: apps.provider: applications are in the configuration")


def test_a_redis_that_is_away_is_told_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"unix://{tmp_path}/nobody.sock"
    server = {"fizz": {"scaling": {"enabled": True, "server": {"url": url}}}}
    Path("fizz.yaml").write_text(json.dumps({"servers": server, "apps": {"provider": "redis"}}))
    for words in (["apps", "list"], ["apps", "add"], ["channels"]):
        assert cli.main(words) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("fizz: Redis cannot be asked: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["apps"], "'apps' needs one of list, add, set, rotate, disable, enable, remove"),
        (["apps", "delete"], "unknown command of 'apps': 'delete'"),
        (["apps", "remove"], "'apps remove' needs an ID"),
        (["apps", "set", "1"], "'apps set' needs a SETTING"),
        (["apps", "list", "--days=3"], "'apps list' does not take --days"),
    ],
)
def test_misuse_is_explained(
    capfd: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert cli.main(words) == 2
    assert capfd.readouterr().err.startswith(f"fizz: {reason}")
