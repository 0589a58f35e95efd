"""Environment variables: a whole configuration, or one line that says what is wrong and where."""

from collections.abc import Iterator

from fizz_gevent import config_file
from fizz_gevent.environment import FILE_VARIABLES, KNOWN
from fizz_gevent.errors import ConfigError
from tests.fuzz.source import Source
from tests.fuzz.targets.configuration import expect_one_line, expect_usable

MAX_SIZE = 1000
_NAMES = (*sorted(KNOWN - set(FILE_VARIABLES) - {"FIZZ_TLS_CERT", "FIZZ_TLS_KEY"}), "FIZZ_NEW")
DICTIONARY = (
    b"none",
    b"true",
    b"redis://",
    b"tcp://",
    b"http://x",
    b"[{",
    b'"app_id":"a"',
    b"auto",
)


def seeds() -> Iterator[bytes]:
    """Each variable alone with some value, and the three that go together."""
    for number in range(len(_NAMES)):
        for value in (b"1", b"x", b"none", b"0.5"):
            yield bytes((number, len(value))) + value
    three = [_NAMES.index(f"FIZZ_APP_{name}") for name in ("ID", "KEY", "SECRET")]
    yield b"".join(bytes((number, 1)) + b"a" for number in three)
    apps = b'[{"app_id":"a","key":"k","secret":"s","allowed_origins":["*.x"]}]'
    yield bytes((_NAMES.index("FIZZ_APPS"), len(apps))) + apps


def run(data: bytes) -> None:
    """Load what some variables say, and nothing else."""
    source = Source(data)
    environ = {}
    while source:
        name = source.choice(_NAMES)
        # What is not UTF-8 in a real environment reaches Python like this; a NUL never does.
        value = source.chunk().replace(b"\0", b"").decode(errors="surrogateescape")
        environ[name] = value
    try:
        config = config_file.load(None, environ, {}, search=())
    except ConfigError as error:
        expect_one_line(error)
        return
    assert 0 <= config.server.port <= 65535
    for notice in config.notices:
        assert notice.splitlines() == [notice], f"not one line: {notice!r}"
    for found in config.applications:
        expect_usable(found)
