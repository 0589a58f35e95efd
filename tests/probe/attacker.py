"""A process that attacks when told so, at the lowest priority, and never faster than told."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.harness.signing import App
from tests.probe.attacks import ATTACKS
from tests.probe.vitals import TICKS_PER_SECOND, Vitals
from tests.probe.wire import Target

ROOT = Path(__file__).resolve().parent.parent.parent


class Attacker:
    """The process, from outside.

    Attributes:
        pieces: How many were done in the last attack.
    """

    def __init__(self, address: tuple[str, int], app: App) -> None:
        told = json.dumps({"address": address, "app": asdict(app)})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.probe.attacker", told],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pieces = 0

    @property
    def seconds(self) -> float:
        """CPU time that it has used."""
        return Vitals.of(self._process.pid).ticks / TICKS_PER_SECOND

    @contextmanager
    def attack(self, name: str) -> Iterator[None]:
        """Attack while the block runs; it begins when the first pieces are done."""
        self._tell(name)
        try:
            yield
        finally:
            self._tell("stop")

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer.startswith(word), f"the attacker has failed: {answer!r}"
        if word == "stop":
            self.pieces = int(answer.split()[1])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _is_told() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _attack(target: Target, name: str) -> int:
    """Attack until something is told; how many pieces were done."""
    attack = ATTACKS[name]
    pieces = attack.run(target)
    began, done, is_said = time.monotonic(), 0, False
    while not _is_told():
        due = (time.monotonic() - began) * attack.pieces
        if done >= due:
            if not is_said:
                print(name, flush=True)
                is_said = True
            time.sleep(0.002)
            continue
        if due - done > attack.pieces:  # it cannot do so many; what is missed is missed
            began += (due - done) / attack.pieces
        next(pieces)
        done += 1
    if not is_said:
        print(name, flush=True)
    return done


def main(told: str) -> None:
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # whatever the server has
    os.nice(19)
    words = json.loads(told)
    target = Target((words["address"][0], words["address"][1]), App(**words["app"]))
    done = 0
    for line in sys.stdin:
        word = line.strip()
        if word != "stop":
            done = _attack(target, word)
        else:
            print(word, done, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
