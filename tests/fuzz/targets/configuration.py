"""Configuration files: settings, or one line that says what is wrong and where."""

import ast
from collections.abc import Iterator
from urllib.parse import urlsplit

from fizz_gevent import yaml_file
from fizz_gevent.application import Application
from fizz_gevent.errors import ConfigError
from fizz_gevent.layer import application, from_node
from tests.fuzz.corpora import CORPORA

MAX_SIZE = 2500
DICTIONARY = (
    *(b"servers:", b"fizz:", b"apps:", b"app_id: a", b"key: k", b"secret: s", b"port: ", b"null"),
    *(b"webhooks:", b"url: http://x", b"headers: {", b"previous:", b"until: 2027-01-01", b"<<: *a"),
    *(b"&a ", b"*a", b"!!python/name:os.system", b"0o17", b"1:2:3", b"...", b"---", b"? ", b"|\n "),
    *(b"%YAML 1.1\n", b"!!binary ", b"\xef\xbb\xbf", b"\xc2\x85", b"[]", b"{}"),
)


def seeds() -> Iterator[bytes]:
    """The sample, section by section, and files that hold what is odd in YAML."""
    sample = (CORPORA.parents[1] / "etc" / "fizz.yaml").read_text()
    yield sample.encode()[:MAX_SIZE]
    bare = "\n".join(line.partition("#")[0].rstrip() for line in sample.splitlines())
    yield "\n".join(line for line in bare.splitlines() if line).encode()[:MAX_SIZE]
    yield b"servers: {fizz: {port: 1, scaling: {server: {url: 'redis://h/0'}}}}"
    yield b"a: &a {port: 1}\nservers: {fizz: {<<: *a, host: '::'}}"
    yield b"apps:\n  apps:\n  - {app_id: a, key: k, secret: s, webhooks: [{url: 'http://x'}]}\n"
    yield (
        b"apps: {apps: [{app_id: a, key: k, secret: s,"
        b" previous: {key: p, secret: q, until: 2027-01-01}}]}"
    )
    yield b"logging: {level: debug}\ndefault: fizz"
    yield b"a: &a [*a]"


def run(data: bytes) -> None:
    """Read a file and everything in it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return  # said by whoever reads the file
    try:
        layer = from_node(yaml_file.parse(text, "fizz.yaml"))
    except ConfigError as error:
        expect_one_line(error)
        return
    for setting in layer.settings.values():
        assert setting.origin.startswith("fizz.yaml")
        ast.literal_eval(repr(setting.origin))
    for item in layer.applications or ():
        expect_usable(application(item))


def expect_one_line(error: ConfigError) -> None:
    """An operator reads one line, in whatever the terminal can show."""
    shown = str(error)
    assert shown.splitlines() == [shown], f"not one line: {shown!r}"
    assert len(shown) < 4000


def expect_usable(found: Application) -> None:
    """What is configured can be sent, and compared with what is sent."""
    for text in (found.app_id, found.key, found.secret):
        assert text.encode()
    found.allows_origin("https://example.com")
    for webhook in found.webhooks:
        (webhook.channel_prefix or "").encode()
        (webhook.channel_suffix or "").encode()
        assert urlsplit(webhook.url).hostname
        webhook.url.encode()
        for name, value in webhook.headers.items():
            assert name.encode("ascii")
            assert not set(value) & set("\r\n\0")
            value.encode()
