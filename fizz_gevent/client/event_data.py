"""The data of an event, as somebody typed or piped it."""

import sys

import orjson

from fizz_gevent.errors import ConfigError


def read_data(given: str) -> str:
    """The data to publish: JSON as it is; other text, unless it is broken JSON, as a JSON string.

    Args:
        given: The value of ``--data``; ``-`` stands for what comes on standard input.

    Raises:
        ConfigError: It was meant to be JSON and is none, or is nothing at all.
    """
    origin = "--data"
    if given == "-":
        origin = "standard input"
        try:
            given = sys.stdin.buffer.read().decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ConfigError("it is not UTF-8 text", where=origin) from None
    text = given.strip()
    if not text:
        raise ConfigError("there is nothing; an event without data has --data={}", where=origin)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if text[0] in '{["':
            raise ConfigError(
                f"not JSON: {error}; did the shell take the quotes away?", where=origin
            ) from None
        return orjson.dumps(given).decode()
    return given
