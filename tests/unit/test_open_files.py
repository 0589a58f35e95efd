"""How many connections the limit of open files allows."""

import subprocess
import sys
from pathlib import Path

import pytest

from fizz_gevent import open_files
from fizz_gevent.open_files import Capacity

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("limit", [20, 100, 256, 1024, 20_000, 1_048_576])
def test_connections_stay_below_the_limit(limit: int) -> None:
    capacity = Capacity.of(limit, None)
    assert capacity.open_files == limit
    assert 1 <= capacity.connections <= capacity.sockets < limit


def test_room_is_kept_for_refusals_and_for_fizz_itself() -> None:
    capacity = Capacity.of(1024, None)
    assert 1024 - capacity.sockets == 64
    assert capacity.sockets - capacity.connections == 64
    assert Capacity.of(1_048_576, None).sockets == 1_048_576 - 1024


@pytest.mark.parametrize(("wanted", "expected"), [(5, 5), (896, 896), (897, 896), (10**9, 896)])
def test_an_operator_may_want_fewer_but_not_more(wanted: int, expected: int) -> None:
    assert Capacity.of(1024, wanted).connections == expected


def test_the_soft_limit_becomes_the_hard_one() -> None:
    """In a process of its own, which nothing else depends on."""
    script = (
        "import resource\n"
        "from fizz_gevent.open_files import Capacity, limits\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))\n"
        "before = limits()\n"
        "capacity = Capacity.of_this_machine(None)\n"
        "print(before.soft, before.hard, capacity.open_files, limits().soft)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["200", "300", "300", "300"]


def test_a_setting_of_the_kernel_that_is_not_there_is_unknown() -> None:
    assert open_files.system_setting("net/core/no_such_setting") is None
