"""Fizz, a WebSocket server for the Pusher Channels protocol.

Usage:
  fizz start [--host=ADDR] [--port=PORT] [--path=PREFIX] [--hostname=NAME]
             [--server=NAME] [--workers=N] [--config=FILE] [--debug]
  fizz check [--config=FILE]
  fizz status [--json] [--config=FILE]
  fizz reload [--json] [--config=FILE]
  fizz restart [--json] [--config=FILE]
  fizz trigger CHANNEL... --event=NAME --data=JSON [--socket-id=ID]
               [--app=ID] [--json] [--config=FILE]
  fizz channels [PREFIX] [--app=ID] [--json] [--config=FILE]
  fizz channel NAME [--app=ID] [--json] [--config=FILE]
  fizz users CHANNEL [--app=ID] [--json] [--config=FILE]
  fizz terminate USER [--app=ID] [--json] [--config=FILE]
  fizz listen CHANNEL... [--app=ID] [--json] [--config=FILE]
  fizz webhooks [--failed] [--app=ID] [--json] [--config=FILE]
  fizz webhooks retry [--app=ID] [--json] [--config=FILE]
  fizz apps list [--json] [--config=FILE]
  fizz apps add [SETTING...] [--app-id=ID] [--json] [--config=FILE]
  fizz apps set ID SETTING... [--json] [--config=FILE]
  fizz apps rotate ID [--days=N] [--force] [--json] [--config=FILE]
  fizz apps disable ID [--json] [--config=FILE]
  fizz apps enable ID [--json] [--config=FILE]
  fizz apps remove ID [--json] [--config=FILE]
  fizz bench [--connections=N] [--seconds=S] [--app=ID] [--json] [--config=FILE]
  fizz version
  fizz help
  fizz --version
  fizz (-h | --help)

Commands:
  start     Run the server until it is asked to stop (SIGTERM, SIGINT).
  check     Print the effective configuration, the origin of each value, and the
            limits of this machine.
  status    Show how the server on this machine is, as its user.
  reload    Have it take over a changed configuration; no client loses its connection.
  restart   Have it take over everything, new code too; nobody is refused meanwhile.
  trigger   Publish an event to one or more channels.
  channels  List the channels that somebody is subscribed to.
  channel   Show one channel.
  users     List the members of a presence channel.
  terminate Close all connections that are signed in as a user.
  listen    Print the events of channels as they arrive, until asked to stop.
  webhooks  Count the webhooks that wait, or list with --failed those that were given
            up; retry has these sent again.
  apps      List applications; add, set, rotate, disable, enable or remove one of those
            in Redis (provider: redis), while servers run. A SETTING is KEY=VALUE,
            or - for JSON from standard input;
            rotate makes a new key and secret, beside which the old ones stay valid.
  bench     Measure the running server with some clients, for some seconds.
  version   Print the version.
  help      Print this text.

Options:
  --host=ADDR      Address to listen on, or unix:/PATH.
  --port=PORT      Port to listen on.
  --path=PREFIX    Prefix in front of every path.
  --hostname=NAME  Public name: for printed URLs, and to find a certificate.
  --server=NAME    Which of the file's servers to run.
  --workers=N      Processes that share the port; auto is one for each core.
  --config=FILE    Configuration file; what it says beats the environment.
  --debug          Show the stream of frames and requests.
  --event=NAME     Name of the event.
  --data=JSON      Its data; - reads it from standard input.
  --socket-id=ID   The connection that is not to receive it.
  --app=ID         Which application, where several are configured.
  --failed         List webhooks that were given up.
  --app-id=ID      The id of the application to add; a random number by default.
  --days=N         How long the old key and secret stay valid; 7 by default.
  --force          Rotate though an older key and secret are still valid; they end.
  --json           Print JSON, for scripts; listen prints a line for each event.
  --connections=N  Clients of bench; 100 by default.
  --seconds=S      Seconds of each of its two loads; 5 by default.
  -h --help        Print this text.
  --version        Print the version.

From trigger to bench, commands talk to the running server: to FIZZ_HOST, FIZZ_PORT
and FIZZ_SCHEME where these are set, otherwise to where it is configured to listen;
webhooks, status, reload and restart ask the one on this machine, over its control
socket.

Exit codes: 0 done, or asked to stop, 1 failed, 2 wrong usage or configuration.
"""

import os
import sys
from collections.abc import Sequence

from fizz_gevent import __version__
from fizz_gevent.errors import CommandError, ConfigError, StartError

FAILED = 1
MISUSED = 2
USAGE = __doc__
CLIENT_COMMANDS = ("trigger", "channels", "channel", "users", "terminate", "listen", "bench")
"""Those that talk to a running server as its applications do."""
OPERATORS_COMMANDS = ("status", "reload", "restart")
"""Those that talk to one on this machine over its control socket."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words of the command line say; return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "-h" in words or "--help" in words or words[:1] == ["help"]:
        print(USAGE.strip())
        return 0
    reason = misuse(words)
    if reason is not None:
        print(f"fizz: {reason}; see fizz help", file=sys.stderr)
        return MISUSED
    arguments = parse(words)
    try:
        if arguments["start"]:
            from fizz_gevent import starting

            return starting.run(arguments)
        if any(arguments[command] for command in OPERATORS_COMMANDS):
            from fizz_gevent import operating

            return operating.run(_path(arguments), arguments)
        if arguments["check"]:
            return _check(arguments)
        if arguments["webhooks"]:
            return _ask_about_webhooks(arguments)
        if arguments["apps"]:
            return _apps(arguments)
        if any(arguments[command] for command in CLIENT_COMMANDS):
            return _talk(arguments)
    except ConfigError as error:
        print(f"fizz: {_one_line(str(error))}", file=sys.stderr)
        return MISUSED
    except (CommandError, StartError) as error:
        print(f"fizz: {_one_line(str(error))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 0
    print(f"fizz {__version__}")
    return 0


def misuse(words: Sequence[str]) -> str | None:
    """Why docopt will not accept these words, which it does not tell; None where it will."""
    from fizz_gevent import usage

    return usage.misuse(USAGE, words)


def parse(words: Sequence[str]) -> dict[str, object]:
    """What docopt makes of words that are no misuse."""
    import warnings

    with warnings.catch_warnings():
        # its source has escapes that Python 3.12 and up complains of when it compiles them
        warnings.simplefilter("ignore", SyntaxWarning)
        from docopt import docopt
    parsed: dict[str, object] = docopt(USAGE, list(words), help=False)
    return parsed


def _path(arguments: dict[str, object]) -> str | None:
    path = arguments["--config"]
    return None if path is None else str(path)


def _check(arguments: dict[str, object]) -> int:
    from fizz_gevent import certificates, check, config_file, credentials, provider

    config = config_file.load(_path(arguments), os.environ, {})
    print(check.report(config))
    for notice in config.notices:
        print(f"fizz: warning: {_one_line(notice)}", file=sys.stderr)
    sys.stdout.flush()
    # what start would refuse is no good configuration either
    provider.refuse(config)
    credentials.refuse_development(config)
    certificates.check(config)
    if config.server.workers > 1 and not config.server.scaling.enabled:
        from fizz_gevent.cluster import private_redis

        private_redis.find_program()
    return 0


def _talk(arguments: dict[str, object]) -> int:
    from gevent import get_hub

    from fizz_gevent import config_file
    from fizz_gevent.client import bench, commands

    # A Ctrl+C while these wait is raised in the hub, which is not to print it as an error.
    get_hub().NOT_ERROR += (KeyboardInterrupt,)
    config = config_file.load(_path(arguments), os.environ, {})
    for notice in config.notices:
        print(f"fizz: warning: {_one_line(notice)}", file=sys.stderr)
    if config.provider != "config":
        from fizz_gevent import apps

        config = apps.with_applications(config)
    if arguments["bench"]:
        return bench.run(config, os.environ, arguments)
    return commands.run(config, os.environ, arguments)


def _ask_about_webhooks(arguments: dict[str, object]) -> int:
    from fizz_gevent import config_file, webhook_command

    return webhook_command.run(config_file.load(_path(arguments), os.environ, {}), arguments)


def _apps(arguments: dict[str, object]) -> int:
    from fizz_gevent import apps, config_file

    config = config_file.load(_path(arguments), os.environ, {})
    for notice in config.notices:
        print(f"fizz: warning: {_one_line(notice)}", file=sys.stderr)
    return apps.run(config, arguments)


def _one_line(text: str) -> str:
    return " ".join(text.split())
