"""What a usage text says of words that docopt would refuse without a reason."""

import pytest

from fizz_gevent.usage import misuse

USAGE = """A program.

Usage:
  fizz start [--port=PORT]
             [--debug]
  fizz send CHANNEL... --event=NAME --data=JSON [--socket-id=ID]
  fizz list [PREFIX] [--json]
  fizz users CHANNEL [--json]
  fizz apps list [--json]
  fizz apps rotate ID [--days=N]
  fizz jobs [--failed]
  fizz jobs retry
  fizz --version
  fizz (-h | --help)

Options:
  --port=PORT  And so on.
"""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("users", "'users' needs a CHANNEL"),
        ("users a b", "unexpected 'b' after 'users'"),
        ("list a b", "unexpected 'b' after 'list'"),
        ("send --event=e --data=1", "'send' needs a CHANNEL"),
        ("send a --data=1", "'send' needs --event"),
        ("send a --event e", "'send' needs --data"),
        ("send a --event e --data", "--data needs a value"),
        ("send a --event e --data=1 --json", "'send' does not take --json"),
        ("send a --socketid=1", "unknown option '--socketid'; the nearest known one is"),
        ("apps", "'apps' needs one of list, rotate"),
        ("apps lst", "unknown command of 'apps': 'lst'; the nearest known one is 'list'"),
        ("apps rotate", "'apps rotate' needs an ID"),
        ("apps list 7", "unexpected '7' after 'apps list'"),
        ("apps list --days=3", "'apps list' does not take --days"),
        ("jobs retri", "unexpected 'retri' after 'jobs'"),
        ("jobs retry --failed", "'jobs retry' does not take --failed"),
        ("sned a", "unknown command 'sned'; the nearest known one is 'send'"),
    ],
)
def test_the_reason(words: str, reason: str) -> None:
    told = misuse(USAGE, words.split())
    assert told is not None
    assert told.startswith(reason)


@pytest.mark.parametrize(
    "words",
    [
        "start --debug --port 1",
        "send a --event e --data -",
        "send --event=e a b c --data={}",
        "list",
        "list private-",
        "users presence-x --json",
        "apps list",
        "apps rotate 7 --days=3",
        "jobs",
        "jobs --failed",
        "jobs retry",
        "--version",
    ],
)
def test_what_the_text_allows(words: str) -> None:
    assert misuse(USAGE, words.split()) is None
