"""``fizz status``, ``fizz reload`` and ``fizz restart``: what an operator sees of them."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from fizz_gevent import config_file, control, whereabouts
from fizz_gevent.config import Config
from fizz_gevent.errors import CommandError, ConfigError

_REHEARSES_WITHIN = 60.0
_SERVES_WITHIN = 60.0
_POLL_SECONDS = 0.05

Status = dict[str, Any]


def run(path: str | None, arguments: Mapping[str, object]) -> int:
    """Do what was asked for; the exit code.

    Args:
        path: The file that ``--config`` names.

    Raises:
        CommandError: The server does not run, or refuses.
        ConfigError: The configuration does not say which server it is.
    """
    try:
        config = config_file.load(path, os.environ, {})
    except ConfigError as error:
        # What is wrong with it is the server's to say: that may know more, and goes on in any case.
        try:
            return _run(whereabouts.guess(path, os.environ), arguments)
        except control.NoServer:
            raise error from None
    return _run(config, arguments)


def _run(config: Config, arguments: Mapping[str, object]) -> int:
    is_json = bool(arguments["--json"])
    if arguments["status"]:
        return _status(config, is_json)
    if arguments["reload"]:
        return _reload(config, is_json)
    return _restart(config, is_json)


def _status(config: Config, is_json: bool) -> int:
    status = control.ask(config, "status")
    print(json.dumps(status) if is_json else "\n".join(_shown(status)))
    return 0


def _reload(config: Config, is_json: bool) -> int:
    outcome = control.ask(config, "reload", seconds=control.ANSWERS_WITHIN)
    if is_json:
        print(json.dumps(outcome))
    if not outcome["ok"]:
        raise CommandError(f"the configuration stays as it was: {_plain(outcome['error'])}")
    if not is_json:
        print("the configuration is reloaded")
    if outcome["waiting"]:
        waiting = ", ".join(map(_plain, outcome["waiting"]))
        print(f"fizz: only a restart brings into effect: {waiting}", file=sys.stderr)
    return 0


def _restart(config: Config, is_json: bool) -> int:
    began = time.monotonic()
    accepted = control.ask(config, "restart", seconds=_REHEARSES_WITHIN)
    status = _wait_for(config, accepted["attempt"])
    outcome = status["last_restart"]
    if is_json:
        print(json.dumps(outcome))
    if not outcome["ok"]:
        raise CommandError(f"the old program goes on serving: {_plain(outcome['error'])}")
    if not is_json:
        seconds = time.monotonic() - began
        who = f"process {status['pid']}, Fizz {_plain(status['version'])}"
        print(f"restarted in {seconds:.1f} s ({who})")
    return 0


def _wait_for(config: Config, attempt: str) -> Status:
    """The status of the server once the restart has come to an end."""
    until = time.monotonic() + _SERVES_WITHIN
    while time.monotonic() < until:
        try:
            status: Status = control.ask(config, "status")
        except control.NoServer as error:
            raise CommandError(f"the server ended at the restart, see its log: {error}") from None
        except CommandError:
            pass  # it was asked in the moment in which one program followed the other
        else:
            last = status["last_restart"]
            if last is not None and last["attempt"] == attempt:
                return status
            if not status["is_restarting"]:
                raise CommandError("another server has taken the place of the one that was asked")
        time.sleep(_POLL_SECONDS)
    raise CommandError(f"nothing new serves after {_SERVES_WITHIN:g} s; see the server's log")


def _shown(status: Status) -> Iterator[str]:
    """What a person reads."""
    state = "serving"
    if status["is_draining"]:
        state = "stopping: clients are sent away"
    elif status["is_restarting"]:
        state = "restarting"
    yield f"Fizz {_plain(status['version'])} is running: {state}"
    yield ""
    rows = [
        ("Process", f"{status['pid']}, since {_plain(status['since'])}"),
        ("Listening", f"{_plain(status['address'])}, {_plain(status['url'])}"),
        ("Configuration", ", ".join(map(_plain, status["configuration"])) or "built-in defaults"),
        ("Connections", str(status["connections"])),
        ("Redis", _redis(status)),
    ]
    if status["last_reload"] is not None:
        rows.append(("Last reload", _outcome(status["last_reload"])))
    if status["last_restart"] is not None:
        rows.append(("Last restart", _outcome(status["last_restart"])))
    yield from (f"  {name:<14} {value}" for name, value in rows)
    if status.get("workers"):
        yield ""
        yield f"  {'WORKER':<8}{'PROCESS':>9}{'CONNECTIONS':>13}  STATE"
        for worker in status["workers"]:
            yield (
                f"  {_plain(worker['index']):<8}{_plain(worker['pid']):>9}"
                f"{_count(worker['connections']):>13}  {_plain(worker['state'])}"
            )
    yield ""
    yield f"  {'APPLICATION':<24}{'CONNECTIONS':>13}"
    for app_id, count in status["applications"].items():
        yield f"  {_plain(app_id):<24}{count:>13}"


def _outcome(outcome: Mapping[str, Any]) -> str:
    if not outcome["ok"]:
        return f"{_plain(outcome['at'])}, refused: {_plain(outcome['error'])}"
    waiting = outcome.get("waiting")
    rest = f"; a restart is needed for {', '.join(map(_plain, waiting))}" if waiting else ""
    return f"{_plain(outcome['at'])}, done{rest}"


def _redis(status: Status) -> str:
    seconds_away = status["redis_seconds_away"]
    if seconds_away is None:
        return "not known yet" if status.get("workers") else "not used"
    return f"away for {seconds_away:.0f} s" if seconds_away else "up"


def _count(value: object) -> str:
    return "-" if value is None else str(value)


def _plain(value: object) -> str:
    """Text that plays no tricks with a terminal, whoever has the control socket."""
    return "".join(each if each.isprintable() else "?" for each in str(value))
