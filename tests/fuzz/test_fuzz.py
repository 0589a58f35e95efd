"""Every target, for as long as an ordinary run may take; and what was found once stays found.

The inputs are the same in each run. ``test_fuzz_long`` looks for new ones.
"""

import pytest

from tests.fuzz.corpora import KEPT, kept
from tests.fuzz.engines import blind
from tests.fuzz.target import NAMES, load

SLOW = {"configuration": 150, "redis_urls": 700, "signatures": 800, "variables": 800}
SLOW |= {"conversations": 300, "documents": 700, "frames": 1000, "requests": 600, "webhooks": 300}
"""As many as a second is enough for."""


@pytest.mark.parametrize("name", NAMES)
def test_what_was_kept_is_dealt_with(name: str) -> None:
    target = load(name)
    inputs = [*target.seeds(), *(data for _, data in kept(name))]
    assert inputs
    for data in inputs:
        target.run(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_short_run_finds_nothing(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = tmp_path_factory.mktemp("found")
    runs = SLOW.get(name, 2000)
    watch = blind(name, seconds=60, runs=runs, found=found, report=None, seed=1)
    assert watch.runs == runs
    assert not any(found.iterdir())


def test_every_folder_of_the_corpora_is_a_targets() -> None:
    assert {path.name for path in KEPT.iterdir()} <= set(NAMES)
