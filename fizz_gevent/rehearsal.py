"""A restart is rehearsed by another process first, so that what is broken is found while the old
program still serves: all of the code is loaded, all of the configuration is read and checked.
"""

import json
import os
import subprocess
from collections.abc import MutableMapping

from fizz_gevent import __version__
from fizz_gevent.config import Config
from fizz_gevent.errors import CommandError
from fizz_gevent.heritage import command

VARIABLE = "_FIZZ_REHEARSAL"
"""Not of the form ``FIZZ_*``: it is nothing that an operator could set."""

_ENDS_WITHIN = 40.0
_LONGEST_REASON = 2000


def is_asked_for(environ: MutableMapping[str, str]) -> bool:
    """Whether this process is to rehearse a start, and not to serve."""
    return environ.pop(VARIABLE, None) is not None


def perform(config: Config) -> int:
    """Load what a server needs, open nothing, and say what it would be; the exit code."""
    from fizz_gevent import running, workers  # noqa: F401  # and with them everything else
    from fizz_gevent.clock import SystemClock
    from fizz_gevent.cluster import private_redis
    from fizz_gevent.cluster.redis_cluster import RedisCluster

    server = config.server
    if server.scaling.enabled:
        RedisCluster(server.scaling, SystemClock()).check()
    elif server.workers > 1:
        private_redis.find_program()
    findings = {
        "version": __version__,
        "host": server.host,
        "port": server.port,
        "workers": server.workers,
        "is_secure": server.tls.cert is not None,
    }
    print(json.dumps(findings))
    return 0


def rehearse() -> dict[str, object]:
    """Have a start rehearsed; what ``perform`` says there. Yields.

    Raises:
        CommandError: It fails, with the reason.
    """
    try:
        done = subprocess.run(
            command(),
            env={**os.environ, VARIABLE: "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ENDS_WITHIN,
            check=False,
        )
        if done.returncode == 0:
            findings: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
            return findings
    except subprocess.TimeoutExpired:
        raise CommandError(f"a rehearsal does not end within {_ENDS_WITHIN:g} s") from None
    except OSError as error:
        raise CommandError(f"a start cannot be rehearsed: {error.strerror}") from None
    except (ValueError, IndexError):
        raise CommandError("a rehearsal of the start says nothing that is understood") from None
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gives no reason"]
    raise CommandError(lines[-1].removeprefix("fizz: ")[:_LONGEST_REASON])
