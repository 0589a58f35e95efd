"""What each of the client commands does, from its arguments to its output and exit code."""

import io
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fizz_gevent.application import Application
from fizz_gevent.client.address import ServerAddress, locate
from fizz_gevent.client.back_end import Answer, BackEnd
from fizz_gevent.client.choice import choose
from fizz_gevent.client.event_data import read_data
from fizz_gevent.client.listener import Listener
from fizz_gevent.client.output import EventPrinter, print_json, say
from fizz_gevent.client.table import aligned, counted, plain
from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError
from fizz_gevent.protocol.names import ChannelKind, kind_of

Arguments = Mapping[str, Any]
"""What docopt made of the words."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a command was told to do, and whom it speaks to for whom."""

    arguments: Arguments
    address: ServerAddress
    application: Application

    @property
    def is_json(self) -> bool:
        """Whether a program will read the output."""
        return bool(self.arguments["--json"])

    def back_end(self) -> BackEnd:
        """The application's back end."""
        return BackEnd(self.address, self.application)


def run(config: Config, environ: Mapping[str, str], arguments: Arguments) -> int:
    """Do what the command says; return the exit code.

    Raises:
        CommandError: The server cannot be reached, or refuses.
        ConfigError: It is not clear what to do, or for whom.
    """
    command = next(command for name, command in COMMANDS.items() if arguments[name])
    application = choose(config.applications, arguments["--app"])
    task = Task(arguments, locate(config, environ), application)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        command(task)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _trigger(task: Task) -> None:
    """Publish one event. Protocol: §12.3."""
    channels = list(dict.fromkeys(task.arguments["CHANNEL"]))
    event = task.arguments["--event"]
    body: dict[str, object] = {
        "name": event,
        "channels": channels,
        "data": read_data(task.arguments["--data"]),
        "info": "subscription_count,user_count",
    }
    if task.arguments["--socket-id"] is not None:
        body["socket_id"] = task.arguments["--socket-id"]
    answer = task.back_end().post("events", body=body)
    if _printed(task, answer):
        return
    counts = _objects(answer.content.get("channels"))
    print(f"Published {plain(event)}:")
    rows = [(f"  {name}", _subscriptions(counts.get(name, {}))) for name in channels]
    print("\n".join(aligned(rows)))


def _channels(task: Task) -> None:
    """List what is occupied. Protocol: §12.5."""
    prefix = task.arguments["PREFIX"] or ""
    back_end = task.back_end()

    def ask(prefix: str, info: str) -> Answer:
        filters = [("filter_by_prefix", prefix)] if prefix else []
        return back_end.get("channels", parameters=[*filters, ("info", info)])

    answer = ask(prefix, "subscription_count")
    found = _objects(answer.content.get("channels"))
    presence = ChannelKind.PRESENCE.prefix
    if any(name.startswith(presence) for name in found):
        # only presence channels have users, and the server gives them only to who asks for these
        narrow = prefix if prefix.startswith(presence) else presence
        users = _objects(ask(narrow, "user_count").content.get("channels"))
        for name in found.keys() & users.keys():
            found[name] |= users[name]
    answer.content["channels"] = found
    if _printed(task, answer):
        return
    if not found:
        suffix = f" that begins with {plain(prefix)}" if prefix else ""
        print(f"No channel{suffix} is occupied.")
        return
    rows = [("CHANNEL", "SUBSCRIPTIONS", "USERS")]
    for name in sorted(found):
        info = found[name]
        rows.append(
            (
                plain(name),
                str(info.get("subscription_count", "-")),
                str(info.get("user_count", "-")),
            )
        )
    print("\n".join(aligned(rows, right=(1, 2))))
    print(f"\n{counted(len(found), 'channel')}")


def _channel(task: Task) -> None:
    """Show one channel. Protocol: §12.6."""
    name = task.arguments["NAME"]
    kind = kind_of(name)
    info = ["subscription_count"]
    if kind.is_presence:
        info.append("user_count")
    if kind.is_cache:
        info.append("cache")
    answer = task.back_end().get("channels", name, parameters=[("info", ",".join(info))])
    if _printed(task, answer):
        return
    content = answer.content
    rows = [
        ("Channel", plain(name)),
        ("Occupied", "yes" if content.get("occupied") else "no"),
        ("Subscriptions", str(content.get("subscription_count", "-"))),
    ]
    if kind.is_presence:
        rows.append(("Users", str(content.get("user_count", "-"))))
    if kind.is_cache:
        cache = content.get("cache")
        kept = "nothing"
        if isinstance(cache, dict):
            kept = f"{plain(str(cache.get('data')))}  ({cache.get('ttl')} s left)"
        rows.append(("Cached", kept))
    print("\n".join(aligned(rows)))


def _users(task: Task) -> None:
    """List who is in a presence channel. Protocol: §12.7."""
    name = task.arguments["CHANNEL"][0]
    answer = task.back_end().get("channels", name, "users")
    if _printed(task, answer):
        return
    users = sorted(str(user.get("id")) for user in answer.content.get("users", ()))
    if users:
        print("\n".join(map(plain, users)) + "\n")
    print(f"{counted(len(users), 'user')} in {plain(name)}")


def _terminate(task: Task) -> None:
    """Close the connections of a signed-in user. Protocol: §9.4, §12.8."""
    user = task.arguments["USER"]
    answer = task.back_end().post("users", user, "terminate_connections", body={})
    if not _printed(task, answer):
        print(f"Every connection that is signed in as {plain(user)} is being closed.")


def _listen(task: Task) -> None:
    """Print events until asked to stop."""
    channels = list(dict.fromkeys(task.arguments["CHANNEL"]))
    users = [name for name in channels if kind_of(name) is ChannelKind.SERVER_TO_USER]
    if len(users) > 1:
        raise ConfigError(
            f"{users[0]} and {users[1]}: a connection is signed in as one user only;"
            " listen to the other one beside this"
        )
    printer = EventPrinter(max(map(len, channels)))
    tell = printer.as_json if task.is_json else printer.as_text
    # A supervisor asks to stop in this way; it is Ctrl+C to us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    Listener(task.address, task.application, channels, tell=tell, say=say).run()


COMMANDS: Mapping[str, Callable[[Task], None]] = {
    "trigger": _trigger,
    "channels": _channels,
    "channel": _channel,
    "users": _users,
    "terminate": _terminate,
    "listen": _listen,
}


def _printed(task: Task, answer: Answer) -> bool:
    """Print the answer where a program asked for it; tell everybody of one that is not whole."""
    if answer.is_partial:
        say("Redis is away: this is what one node knows by itself")
    if task.is_json:
        print_json(answer.content)
    return task.is_json


def _objects(value: object) -> dict[str, dict[str, Any]]:
    """An object of objects, whatever came in its place."""
    if not isinstance(value, dict):
        return {}
    return {name: each if isinstance(each, dict) else {} for name, each in value.items()}


def _subscriptions(info: Mapping[str, Any]) -> str:
    count = info.get("subscription_count")
    text = counted(count, "subscription") if isinstance(count, int) else ""
    users = info.get("user_count")
    return f"{text} of {counted(users, 'user')}" if isinstance(users, int) else text
