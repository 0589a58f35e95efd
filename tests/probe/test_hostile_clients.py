"""Hostile clients of every kind, and what those that behave notice of them.

The short form shows that nothing is lost and that operators are told; the long one measures, and
prints the table of ``docs/reliability.md``::

    bin/test --long tests/probe/test_hostile_clients.py -s
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App
from tests.probe.attacker import Attacker
from tests.probe.attacks import ATTACKS, Attack
from tests.probe.healthy import Healthy, Window
from tests.probe.vitals import TICKS_PER_SECOND, Vitals
from tests.probe.wire import HOSTILE, ORIGIN

GOOD = App()
BAD = App("1002", "bad-key", "bad-secret")

SHORT_SECONDS = 0.25
"""Of each attack, once it has begun."""

ROUNDS, SECONDS = 20, 0.6
"""Of the long form: so often before and during an attack, in turns, so long each. Short ones, so
that what else the machine does meets both alike."""

MEGABYTES = 96
"""What an attack may make the server take; most of it is what 132 sockets may bring at once."""


@dataclass
class House:
    """A server under attack, those who behave, and those who do not."""

    server: FizzServer
    healthy: Healthy
    attacker: Attacker

    def scrape(self) -> Scrape:
        return Scrape.of(self.server.settings["metrics"]["port"])

    def signs(self, attack: Attack) -> float:
        found = self.scrape()
        return sum(found(name, **labels) for name, labels in attack.signs)

    def heap_mb(self) -> float:
        return Vitals.of(self.server.pid).heap_kb / 1024

    def wait_for_a_sign(self, attack: Attack, before: float) -> None:
        """Keep on until the figures tell of an attack, and the healthy notice nothing."""

        def is_told() -> bool:
            self.healthy.watch(0.05)
            return self.signs(attack) > before

        eventually(is_told, within=20, what=f"a metric tells of {attack.name}")


@pytest.fixture(scope="module")
def house(module_fizz: Start) -> Iterator[House]:
    server = module_fizz(
        apps=[
            GOOD.settings(),
            BAD.settings(
                allowed_origins=[ORIGIN],
                max_channels_per_connection=100,
                max_read_requests_per_second=20,
            ),
        ],
        server={
            "workers": 1,
            "max_connections_per_address": 100,
            "request_head_timeout": 0.5,
            "request_body_timeout": 0.5,
            "close_timeout": 1,
            "metrics": {"enabled": True, "port": free_port()},
            "console": {"password": "not guessed"},
        },
    )
    with ExitStack() as stack:
        healthy = stack.enter_context(closing(Healthy(server, GOOD)))
        attacker = stack.enter_context(closing(Attacker(("127.0.0.1", server.port), BAD)))
        healthy.watch(0.2)
        yield House(server, healthy, attacker)


@pytest.mark.parametrize("name", ATTACKS)
def test_who_behaves_loses_nothing_and_operators_are_told(house: House, name: str) -> None:
    """Every event comes once and in order, memory stays, and a figure tells."""
    attack = ATTACKS[name]
    before, heap = house.signs(attack), house.heap_mb()
    with house.attacker.attack(name):
        window = house.healthy.watch(SHORT_SECONDS)
        house.wait_for_a_sign(attack, before)
        grown = house.heap_mb() - heap
    assert window.events > 0
    assert grown < MEGABYTES, f"{grown:.0f} MB more"
    for client in house.healthy.clients:
        client.ping()
    assert "fault" not in house.server.stderr


@dataclass
class Row:
    """One attack of the long form, in rounds.

    Attributes:
        server, attacker: Shares of a core during the attack.
        pieces: Of the attack, in all rounds.
    """

    name: str
    before: list[Window] = field(default_factory=list)
    during: list[Window] = field(default_factory=list)
    grown: float = 0.0
    server: float = 0.0
    attacker: float = 0.0
    pieces: int = 0

    def line(self) -> str:
        before, during = _together(self.before), _together(self.during)
        ratios = (during.quantile(share) / before.quantile(share) for share in (0.5, 0.9, 0.99))
        cells = [
            self.name,
            f"{self.pieces / ROUNDS / SECONDS:.0f}",
            f"{before.quantile(0.99):.1f}",
            f"{during.quantile(0.99):.1f}",
            *(f"{ratio:.2f}" for ratio in ratios),
            f"{self.grown:.1f}",
            f"{self.server:.0%}",
            f"{self.attacker:.0%}",
        ]
        return f"| {' | '.join(cells)} |"


def _together(windows: list[Window]) -> Window:
    seconds = [each for window in windows for each in window.seconds]
    return Window(seconds, sum(window.events for window in windows))


COLUMNS = ["attack", "pieces/s", "p99 before, ms", "during", "ratio of p50", "of p90", "of p99"]
COLUMNS += ["memory, MB", "server", "attacker"]
HEADING = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


@pytest.mark.long
def test_how_much_later_events_come_during_an_attack(
    fizz: Start, house: House, tmp_path: Path
) -> None:
    """The table: of all rounds together, the ones before an attack against the ones during it."""
    rows = []
    for name in ATTACKS:
        row = Row(name)
        rows.append(row)
        heap = house.heap_mb()
        for _ in range(ROUNDS):
            row.before.append(house.healthy.watch(SECONDS))
            with house.attacker.attack(name):
                ticks, spent = Vitals.of(house.server.pid).ticks, house.attacker.seconds
                row.during.append(house.healthy.watch(SECONDS))
                row.grown = max(row.grown, house.heap_mb() - heap)
                ticks = Vitals.of(house.server.pid).ticks - ticks
                row.server += ticks / TICKS_PER_SECOND / SECONDS / ROUNDS
                row.attacker += (house.attacker.seconds - spent) / SECONDS / ROUNDS
            row.pieces += house.attacker.pieces
        print(row.line(), flush=True)
    table = "\n".join((HEADING, *(row.line() for row in rows)))
    print(table)
    (tmp_path / "table.md").write_text(table)
    assert all(row.grown < MEGABYTES for row in rows)


def test_the_log_tells_of_every_attack(house: House) -> None:
    """A line a minute at most while it runs, and what is left when it stops."""
    house.server.stop()
    log = house.server.stderr
    missing = [name for name, attack in ATTACKS.items() if not re.search(attack.words, log)]
    assert not missing, log
    assert re.search(rf"most often {re.escape(HOSTILE)}, \d+ times", log)
