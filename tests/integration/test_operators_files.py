"""``etc/fizz.service`` and ``Dockerfile``: what can be said of them without systemd and Docker."""

import configparser
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Start
from tests.harness.programs import find
from tests.harness.samples import adapted, sample
from tests.harness.server import ROOT, STOPS_WITHIN, clean_environ

DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture
def unit() -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(sample("fizz.service"))
    return unit


@pytest.fixture
def service(unit: configparser.ConfigParser) -> configparser.SectionProxy:
    """The ``[Service]`` section."""
    return unit["Service"]


def test_systemd_understands_every_line(unit: configparser.ConfigParser, tmp_path: Path) -> None:
    assert unit.sections() == ["Unit", "Service", "Install"]
    verify = find("systemd-analyze")
    if verify is None:
        return  # no systemd here; what matters of the file is looked at below
    # The only thing it asks of this machine is that the program exists.
    path = tmp_path / "fizz.service"
    programs = {
        "=/opt/fizz/bin/fizz start": f"={verify}",
        "=/opt/fizz/bin/fizz reload": f"={verify}",
    }
    path.write_text(adapted(sample("fizz.service"), programs))
    result = subprocess.run([verify, "verify", str(path)], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_service_is_stopped_kindly_and_restarted_where_that_helps(
    service: configparser.SectionProxy,
) -> None:
    fizz = yaml.safe_load(sample("fizz.yaml"))["servers"]["fizz"]
    assert service["KillSignal"] == "SIGTERM"
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > STOPS_WITHIN > fizz["drain_seconds"]
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "2"
    start, reload = service["ExecStart"].split(), service["ExecReload"].split()
    assert (start[1:], reload[1:]) == (["start"], ["reload"])
    assert start[0] == reload[0]
    assert service["Type"] == "exec"  # the main process stays over a restart


def test_the_service_has_files_and_no_rights(service: configparser.SectionProxy) -> None:
    assert int(service["LimitNOFILE"]) >= 65536
    assert service["User"] not in ("", "root")
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["WorkingDirectory"] == "/etc/fizz"  # where no development credentials lie
    assert service["RuntimeDirectory"] == "fizz"
    assert set(service["RestrictAddressFamilies"].split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}


def instructions(word: str) -> Iterator[str]:
    """Yield what follows each instruction of this name, in the last stage of the Dockerfile."""
    stage = DOCKERFILE.replace("\\\n", " ").rsplit("\nFROM ", 1)[1]
    for line in stage.splitlines():
        if line.startswith(f"{word} "):
            yield line.removeprefix(f"{word} ").strip()


def test_the_image_runs_fizz_as_nobody_in_particular() -> None:
    (user,) = instructions("USER")
    assert all(int(number) >= 1000 for number in user.split(":"))
    (entrypoint,) = instructions("ENTRYPOINT")
    (command,) = instructions("CMD")
    # A list, so that no shell stands between the signal and the server.
    words = [*json.loads(entrypoint), *json.loads(command)]
    assert words == ["fizz", "start", "--host=0.0.0.0"]
    assert list(instructions("STOPSIGNAL")) == ["SIGTERM"]
    (port,) = instructions("EXPOSE")
    assert int(port) == yaml.safe_load(sample("fizz.yaml"))["servers"]["fizz"]["port"]


def test_everything_the_image_is_built_from_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    }
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("variable", ["PORT", "FIZZ_SERVER_PORT"])
def test_the_health_check_of_the_image_tells_life_from_death(fizz: Start, variable: str) -> None:
    (check,) = instructions("HEALTHCHECK")
    _, command = check.split("CMD ", 1)
    python, *words = json.loads(command)
    assert python == "python"
    server = fizz()

    def status() -> int:
        environ = clean_environ(**{variable: str(server.port)})
        return subprocess.run(
            [sys.executable, *words], env=environ, stderr=subprocess.DEVNULL
        ).returncode

    assert status() == 0
    server.stop()
    assert status() != 0
