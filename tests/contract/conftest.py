"""One registry and one cache a test, of each backend in turn."""

import uuid
from collections.abc import Iterator

import pytest

from fizz_gevent.ports import EventCache, Registry
from tests.contract.backends import CACHES, REGISTRIES


@pytest.fixture
def prefix() -> str:
    """In front of every key of this test, where a server is shared; nobody cleans up after it."""
    return f"fizz-test-{uuid.uuid4().hex}"


@pytest.fixture(params=REGISTRIES)
def registry(request: pytest.FixtureRequest, prefix: str) -> Iterator[Registry]:
    with REGISTRIES[request.param](prefix) as opened:
        yield opened


@pytest.fixture(params=CACHES)
def cache(request: pytest.FixtureRequest, prefix: str) -> Iterator[EventCache]:
    with CACHES[request.param](prefix) as opened:
        yield opened
