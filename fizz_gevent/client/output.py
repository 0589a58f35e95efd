"""What commands print: results and events on stdout, everything else on stderr."""

import sys
from datetime import UTC, datetime

import orjson

from fizz_gevent.client.conversation import Event
from fizz_gevent.client.table import plain


def say(line: str) -> None:
    """Tell how things stand, beside the output."""
    print(f"fizz: {plain(line)}", file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """One JSON document on a line of its own, in UTF-8 whatever the terminal is set to."""
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


class EventPrinter:
    """Prints events a line each, at once.

    Args:
        width: How long a channel's name may be without moving the columns behind it.
    """

    def __init__(self, width: int) -> None:
        self._width = width

    def as_text(self, event: Event) -> None:
        """For people: local time, channel, event, data, and who sent it where that is known."""
        sender = "" if event.user_id is None else f"  (user {plain(event.user_id)})"
        print(
            f"{datetime.now():%H:%M:%S}  {plain(event.channel):<{self._width}}"
            f"  {plain(event.name)}  {plain(event.data)}{sender}",
            flush=True,
        )

    def as_json(self, event: Event) -> None:
        """For programs: ``data`` is the string that was sent."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "channel": event.channel, "event": event.name, "data": event.data}
        print_json(line if event.user_id is None else {**line, "user_id": event.user_id})
