"""``fizz webhooks``: what waits, what was given up, and sending that again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fizz_gevent import control
from fizz_gevent.client.output import print_json
from fizz_gevent.client.table import aligned, counted, plain
from fizz_gevent.config import Config

_RETRY_SECONDS = 60.0
"""A thousand requests are a thousand commands to Redis."""


def run(config: Config, arguments: Mapping[str, Any]) -> int:
    """Ask the running server and print what it says; the exit code.

    Raises:
        CommandError: It does not run, or cannot answer.
    """
    asked = {"app": arguments["--app"]}
    is_json = bool(arguments["--json"])
    if arguments["retry"]:
        count = control.ask(config, "webhooks_retry", asked, seconds=_RETRY_SECONDS)
        if is_json:
            print_json({"sent_again": count})
        else:
            print(f"{counted(count, 'request')} will be sent again.")
        return 0
    question = "webhooks_failed" if arguments["--failed"] else "webhooks"
    answer = control.ask(config, question, asked)
    if is_json:
        print_json({"failed": answer} if arguments["--failed"] else answer)
    elif arguments["--failed"]:
        _show_failed(answer)
    else:
        _show_waiting(answer)
    return 0


def _show_waiting(answer: Mapping[str, Any]) -> None:
    rows = [("APPLICATION", "WEBHOOK", "REQUESTS")]
    rows += [
        (plain(each["app_id"]), plain(each["url"]), str(each["requests"]))
        for each in sorted(answer["waiting"], key=lambda each: (each["app_id"], each["url"]))
    ]
    if answer["waiting"]:
        print("\n".join(aligned(rows, right=(2,))) + "\n")
    total = sum(each["requests"] for each in answer["waiting"])
    text = f"{counted(total, 'request')} waiting, {answer['failed']} given up"
    print(f"{text} (fizz webhooks --failed)" if answer["failed"] else text)


def _show_failed(failed: list[Mapping[str, Any]]) -> None:
    rows = [("GIVEN UP", "APPLICATION", "WEBHOOK", "EVENTS", "WHY")]
    for each in failed:
        when = datetime.fromtimestamp(each["failed_ms"] / 1000)
        first = each["events"][0]
        others = len(each["events"]) - 1
        events = f"{first['name']} {first['channel']}" + (f" and {others} more" if others else "")
        url, why = plain(each["url"]), plain(each["why"])
        rows.append((f"{when:%Y-%m-%d %H:%M:%S}", plain(each["app_id"]), url, plain(events), why))
    if failed:
        print("\n".join(aligned(rows)) + "\n")
    text = f"{counted(len(failed), 'request')} given up"
    print(f"{text} (fizz webhooks retry)" if failed else text)
