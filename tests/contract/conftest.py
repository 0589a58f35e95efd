"""One registry and one cache a test, of each backend in turn."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from fizz_gevent.ports import EventCache, Registry
from tests.contract.backends import CACHES, REGISTRIES


@pytest.fixture
def prefix() -> str:
    """In front of every key of this test, where a server is shared; nobody cleans up after it."""
    return f"fizz-test-{uuid.uuid4().hex}"


def _params(backends: Iterable[str]) -> list[Any]:
    return [
        pytest.param(name, marks=[pytest.mark.needs_redis] if name.startswith("redis") else [])
        for name in backends
    ]


@pytest.fixture(params=_params(REGISTRIES))
def registry(request: pytest.FixtureRequest, prefix: str) -> Iterator[Registry]:
    with REGISTRIES[request.param](prefix) as opened:
        yield opened


@pytest.fixture(params=_params(CACHES))
def cache(request: pytest.FixtureRequest, prefix: str) -> Iterator[EventCache]:
    with CACHES[request.param](prefix) as opened:
        yield opened
