"""``python -m benchmarks.load TASK``: one process of the generator, told what to do in JSON.

It says a line when it is ready, reads the two moments between which it is to work, says its result,
and keeps its connections until the runner closes its standard input.
"""

import gc
import json
import os
import sys

from benchmarks.load.coming import Churn, Connect
from benchmarks.load.fanout import FanOut
from benchmarks.load.http import Publish
from benchmarks.load.loop import Loop
from benchmarks.load.mode import Mode, Task
from benchmarks.load.sockets import Trouble
from benchmarks.load.talk import ClientEvents, Pings
from benchmarks.load.wire import Target

MODES: dict[str, type[Mode]] = {
    "connect": Connect,
    "fanout": FanOut,
    "publish": Publish,
    "client": ClientEvents,
    "ping": Pings,
    "churn": Churn,
}


def main() -> int:
    words = json.loads(sys.argv[1])
    if words.get("cores"):
        os.sched_setaffinity(0, words.pop("cores"))
    task = Task(**{**words, "target": Target(**words["target"])})
    mode = MODES[task.mode](task, Loop())
    try:
        mode.prepare()
        gc.freeze()
        gc.disable()  # a cell is short, and a walk over all clients would look like the server's
        say({"is_ready": True})
        order = sys.stdin.readline()
        if not order:
            return 1
        say(mode.run(*json.loads(order)))
    except (Trouble, OSError) as error:
        say({"trouble": f"{type(error).__name__}: {error}"})
        return 1
    sys.stdin.readline()
    sys.stdout.flush()
    os._exit(0)  # closing thousands of sockets one by one takes longer than the kernel does


def say(words: dict[str, object]) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    sys.exit(main())
