"""The Autobahn test suite's fuzzing client against the real endpoint.

Sections: 1 framing, 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8,
7 closing, 9 limits and performance, 10 automatic fragmentation. 12 and 13 are about compression,
which Fizz does not offer.

Protocol: RFC 6455.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.programs import find
from tests.harness.server import FizzServer
from tests.harness.signing import App

pytestmark = pytest.mark.needs_autobahn

INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
"""What Autobahn itself only looks at, as it does with every server: a close frame behind a message
that cannot have been sent back yet, and close codes that RFC 6455 does not speak of."""

SECTIONS = {  # and how many cases each has
    "framing of text": (["1.1.*"], 8),
    "framing of binary": (["1.2.*"], 8),
    "pings and pongs": (["2.*"], 11),
    "reserved bits": (["3.*"], 7),
    "opcodes": (["4.*"], 10),
    "fragmentation": (["5.*"], 20),
    "UTF-8": (["6.*"], 145),
    "closing": (["7.*"], 37),
    "automatic fragmentation": (["10.*"], 1),
}


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    """An application whose limits are beyond what the suite sends, 16 MiB, and no outbox too."""
    return module_fizz(
        apps=[App().settings(max_message_size=2**25)],
        server={"max_outbox_size": 2**26},
        command=[sys.executable, "-P", "-W", "error", "-m", "tests.conformance.echo_server"],
    )


def fuzz(server: FizzServer, folder: Path, cases: list[str], within: float) -> dict[str, Any]:
    """Run some cases; return the report of each by its number."""
    spec = {
        "outdir": str(folder / "report"),
        "servers": [{"agent": "Fizz", "url": f"ws://127.0.0.1:{server.port}/app/{server.app.key}"}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    done = subprocess.run(
        [str(find("wstest")), "-m", "fuzzingclient", "-s", "spec.json"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    report: dict[str, Any] = json.loads((folder / "report" / "index.json").read_text())["Fizz"]
    return report


def expect_all_ok(report: dict[str, Any], count: int) -> None:
    assert len(report) == count
    allowed = {case: {"INFORMATIONAL"} for case in INFORMATIONAL}
    wrong = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in report.items()
        if not {result["behavior"], result["behaviorClose"]} <= {"OK"} | allowed.get(case, set())
    }
    assert not wrong


@pytest.mark.parametrize("section", SECTIONS)
def test_every_case_is_ok(server: FizzServer, tmp_path: Path, section: str) -> None:
    """Protocol: RFC 6455 §5-§8."""
    cases, count = SECTIONS[section]
    expect_all_ok(fuzz(server, tmp_path, cases, within=120), count)


@pytest.mark.long
def test_every_case_of_the_limits_is_ok(server: FizzServer, tmp_path: Path) -> None:
    """Protocol: RFC 6455 §5: messages of up to 16 MiB, in one piece and in many."""
    expect_all_ok(fuzz(server, tmp_path, ["9.*"], within=900), 54)
