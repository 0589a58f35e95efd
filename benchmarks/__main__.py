"""The command line of ``bin/bench``."""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import growth, regression
from benchmarks.cells import REGRESSION, TABLE, Cell
from benchmarks.report import table
from benchmarks.runner import Result, Timing, has_flaw, measure, open_files, revision
from benchmarks.servers import ROOT, Server, fizz, nobody

_DESCRIPTION = """\
How fast a Pusher server is on this machine. Without arguments: Fizz with one worker in every cell
of the table, beside a peer that does nothing, which shows what the load generator itself can do.

  bin/bench --only 'fan-out|publish' --seconds 2
  bin/bench --workers 1,2,4 --rounds 3 --json results.jsonl
  bin/bench --server 'soketi=soketi start --port={port}' --env soketi:SOKETI_DEBUG=0
  bin/bench --server other=http://127.0.0.1:6001 --app-id 1 --app-key k --app-secret s
  bin/bench --plots docs/images
  bin/bench --compare HEAD~5 HEAD

Servers given by a command are started afresh for each cell, and {port}, {app_id}, {key} and
{secret} in it are filled in. With two cores or more, servers and load never share one."""


def main(words: Sequence[str] | None = None) -> int:
    """Measure; return 1 if an event was lost, or a commit is dearer than the other one."""
    parser = _parser()
    arguments = parser.parse_args(words)
    arguments.rounds = arguments.rounds or (5 if arguments.compare else 1)
    try:
        cells = _cells(arguments)
        servers = _servers(arguments)
    except ValueError as error:
        parser.error(str(error))
    if arguments.list:
        print("\n".join(cell.name for cell in cells))
        return 0
    limit = open_files()
    timing = Timing(arguments.warm_up, arguments.seconds)
    note = _Note(arguments.json)
    if arguments.compare:
        return _compare(arguments, cells, timing, note)
    if any(server.name.startswith("fizz") for server in servers):
        # makes the environment now, if there is none, and not while a cell is waiting
        subprocess.run([ROOT / "bin" / "fizz", "version"], check=True, stdout=subprocess.DEVNULL)
    if arguments.plots:
        results = growth.measure_growth(
            servers, timing, rounds=arguments.rounds, open_files=limit, note=note
        )
        print(table(results))
        paths = growth.draw(results, Path(arguments.plots))
        print("\n".join(f"wrote {path}" for path in paths))
    else:
        results = _measure(arguments, servers, cells, timing, note)
        print(table(results))
    return 1 if any(map(has_flaw, results)) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bin/bench", description=_DESCRIPTION, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--workers", default="1", metavar="N,N", help="Fizz with so many workers each; 0: no Fizz")
    add("--server", action="append", default=[], metavar="NAME=COMMAND|URL", help="another server")
    add("--env", action="append", default=[], metavar="NAME:KEY=VALUE", help="for one server alone")
    add("--app-id", default="1001", help="of an application of the other servers")
    add("--app-key", default="bench-key")
    add("--app-secret", default="bench-secret")
    add("--only", default="", metavar="REGEX", help="the cells whose name matches")
    add("--list", action="store_true", help="name the cells, and measure nothing")
    add(
        "--rounds", type=int, help="servers take turns in each (1, --compare: 5); medians are shown"
    )
    add("--seconds", type=float, default=3.0, help="measured in each cell")
    add("--warm-up", type=float, default=1.0, metavar="SECONDS", help="before that")
    add("--no-self-check", action="store_true", help="leave out the peer that does nothing")
    add("--self-check", action="store_true", help="measure nothing but that peer")
    add("--json", metavar="FILE", help="append each result, a line of JSON")
    add("--plots", metavar="FOLDER", help="measure growth instead of the table, and draw it")
    add("--compare", nargs=2, metavar="REV", help="measure two commits of Fizz, and tell the ratio")
    add("--threshold", type=float, default=10.0, metavar="PERCENT", help="that it may be dearer")
    return parser


def _cells(arguments: argparse.Namespace) -> list[Cell]:
    try:
        wanted = re.compile(arguments.only)
    except re.error as error:
        raise ValueError(f"--only: {error}") from None
    everything = REGRESSION if arguments.compare else TABLE
    if not (cells := [cell for cell in everything if wanted.search(cell.name)]):
        raise ValueError(f"--only: no cell matches {arguments.only!r}; --list names them")
    return cells


def _servers(arguments: argparse.Namespace) -> list[Server]:
    words = [word.strip() for word in arguments.workers.split(",")]
    if not all(word.isdecimal() for word in words):
        raise ValueError(f"--workers: expected numbers, not {arguments.workers!r}")
    counts = [int(word) for word in words]
    servers = [
        fizz("fizz" if count == 1 else f"fizz, {count} workers", workers=count)
        for count in counts
        if count > 0 and not arguments.self_check
    ]
    for word in arguments.server:
        name, equals, what = word.partition("=")
        if not (name and equals and what):
            raise ValueError(f"--server: {word!r} is not NAME=COMMAND or NAME=URL")
        environ = dict(
            setting.partition("=")[::2]
            for whose, _, setting in (text.partition(":") for text in arguments.env)
            if whose == name
        )
        is_url = what.startswith(("http://", "https://", "ws://", "wss://"))
        if is_url and not what.startswith(("http://", "ws://")):
            raise ValueError("--server: no TLS here; it would measure the generator's own")
        server = Server(
            name,
            None if is_url else what,
            what if is_url else None,
            app_id=arguments.app_id,
            key=arguments.app_key,
            secret=arguments.app_secret,
            environ=environ,
        )
        server.check()
        servers.append(server)
    if not arguments.no_self_check and not arguments.plots:
        servers.append(nobody())
    if not servers:
        raise ValueError("nothing to measure")
    return servers


class _Note:
    """Says each result as it comes, and keeps it."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._revision = revision()

    def __call__(self, result: Result) -> None:
        if "trouble" in result:
            text = result["trouble"]
        else:
            text = f"{result['rate']:,.0f} {result['unit']}/s, limit: {result['limit']}"
            if result.get("cpu_us"):
                text += f", {result['cpu_us']:.2f} µs each"
        print(f"{result['cell']:34} {result['server']:16} {text}", file=sys.stderr, flush=True)
        if self._path:
            with open(self._path, "a") as file:
                file.write(json.dumps({"revision": self._revision, **result}) + "\n")


def _measure(
    arguments: argparse.Namespace,
    servers: Sequence[Server],
    cells: Sequence[Cell],
    timing: Timing,
    note: _Note,
) -> list[Result]:
    results = []
    for turn in range(arguments.rounds):
        for cell in cells:
            first = turn % len(servers)
            for server in [*servers[first:], *servers[:first]]:
                result = measure(server, cell, timing, round=turn)
                note(result)
                results.append(result)
    return results


def _compare(
    arguments: argparse.Namespace, cells: Sequence[Cell], timing: Timing, note: _Note
) -> int:
    try:
        with regression.checked_out(arguments.compare) as servers:
            results = regression.compare(servers, cells, timing, rounds=arguments.rounds, note=note)
    except (regression.NoSuchRevision, subprocess.CalledProcessError) as error:
        print(f"bin/bench: {error}", file=sys.stderr)
        return 2
    text, is_good = regression.verdict(results, servers, threshold=arguments.threshold / 100)
    print(text)
    return 0 if is_good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
