"""What has no effect in this version is said, a line each."""

from typing import Any

import pytest

from fizz_gevent import unavailable
from fizz_gevent.application import Application
from fizz_gevent.config import Config, ServerConfig


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"server": ServerConfig(max_connections_per_address=5)}, "max_connections_per_address"),
    ],
)
def test_a_setting_without_effect_is_warned_of(settings: dict[str, Any], word: str) -> None:
    (line,) = unavailable.warnings(Config(**settings))
    assert word in line
    unavailable.refuse(Config(**settings))


def test_the_defaults_need_no_warning() -> None:
    assert unavailable.warnings(Config(applications=(Application("1", "k", "s"),))) == []
