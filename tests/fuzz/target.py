"""What is fuzzed: a module of ``tests.fuzz.targets`` each."""

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Protocol

from tests.fuzz import targets
from tests.fuzz.corpora import kept


class Target(Protocol):
    """The module of a target.

    Attributes:
        MAX_SIZE: Bytes of an input.
        DICTIONARY: Words that the format is made of.
    """

    MAX_SIZE: int
    DICTIONARY: tuple[bytes, ...]

    def seeds(self) -> Iterable[bytes]:
        """Inputs to begin with."""
        ...

    def run(self, data: bytes) -> None:
        """Deal with one input; raise where something is wrong that must not be."""
        ...


NAMES = sorted(module.name for module in pkgutil.iter_modules(targets.__path__))


def load(name: str) -> Target:
    """The target of that name, or of that module."""
    module = name if "." in name else f"{targets.__name__}.{name}"
    return importlib.import_module(module)


def inputs(name: str, target: Target) -> list[bytes]:
    """What to begin with: the target's own inputs, and those that are kept."""
    return [*dict.fromkeys([*target.seeds(), *(data for _, data in kept(name))])]
