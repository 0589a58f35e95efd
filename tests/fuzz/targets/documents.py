"""Applications as Redis keeps them: settings that can be served, or one line that says why not."""

from collections.abc import Iterator

from fizz_gevent.application_document import decode, encode, read, read_all
from fizz_gevent.errors import ConfigError
from tests.fuzz.targets.configuration import expect_one_line, expect_usable

MAX_SIZE = 1500
DICTIONARY = (
    *(b'"app_id":"a"', b'"key":"k"', b'"secret":"s"', b'"webhooks":[{"url":"http://x"}]', b"1e999"),
    *(b'"headers":{"X":"y"}', b'"previous":{"key":"p","secret":"q","until":"2030-01-01"}', b"[[[["),
    *(b'"allowed_origins":["*.x"]', b'"channel_prefix":', b"\\ud800", b"\\u0000", b"null", b"NaN"),
)


def seeds() -> Iterator[bytes]:
    """The least, and much of what there may be."""
    least = b'{"app_id":"a","key":"k","secret":"s"'
    yield least + b"}"
    yield least + b',"max_connections":null,"ping_interval":2.5,"allowed_origins":["example.com"]}'
    yield (
        least + b',"webhooks":[{"url":"http://x/y","headers":{"X-A":"b"},"channel_prefix":"p",'
        b'"event_types":["cache_miss"]}],"webhook_batching":true,'
        b'"previous":{"key":"p","secret":"q","until":"2030-01-01T00:00:00Z"}}'
    )


def run(data: bytes) -> None:
    """Read one alone, and two that claim the same key."""
    try:
        found = read("a", data)
    except ConfigError as error:
        expect_one_line(error)
        assert read_all({"a": data})[1] == {"a": str(error)}
        return
    expect_usable(found)
    document = decode("a", data)
    assert read("a", encode(document)) == found
    other = encode({**document, "app_id": "b"})
    served, complaints = read_all({"a": data, "b": other})
    assert served == [found]
    assert set(complaints) == {"b"}
    kept, _ = read_all({"a": b"{"}, served)
    assert kept == [found], "a damaged document takes away what was served"
