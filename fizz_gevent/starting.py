"""``fizz start``: reads the configuration and becomes a server, one of its workers, or neither of
them where a start is only rehearsed.
"""

import faulthandler
import os
from collections.abc import Mapping
from dataclasses import replace

from fizz_gevent import certificates, config_file, credentials, logs, provider, rehearsal
from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError, StartError
from fizz_gevent.heritage import Heritage
from fizz_gevent.worker import Worker

_FAILED, _MISUSED = 1, 2


def run(arguments: Mapping[str, object]) -> int:
    """Serve; the exit code.

    Args:
        arguments: As docopt gives them.

    Raises:
        ConfigError: The configuration cannot be used.
        StartError: The machine refuses.
    """
    worker = Worker.from_environment(os.environ)
    if worker is not None:
        return _work(worker)
    heritage = Heritage.from_environment(os.environ)
    is_rehearsal = rehearsal.is_asked_for(os.environ)
    path = arguments["--config"]
    names = (*config_file.OPTIONS, "server")
    options = {name: arguments[f"--{name}"] for name in names}
    made_up: list[config_file.Credentials] = []
    if heritage is not None and heritage.credentials:
        app_id, key, secret = heritage.credentials
        made_up.append((app_id, key, secret))

    def make_up() -> config_file.Credentials:
        if not made_up:  # once: a reload changes nobody's credentials
            made_up.append(credentials.make_up())
        return made_up[0]

    def load() -> Config:
        named = None if path is None else str(path)
        config = config_file.load(named, os.environ, options, make_up=make_up)
        provider.refuse(config)
        credentials.refuse_development(config)
        certificates.check(config)  # a wrong file is found before anything is opened
        return config

    config = load()
    if is_rehearsal:
        return rehearsal.perform(config)
    debug = bool(arguments["--debug"])
    logs.setup(config.logging, debug=debug)
    if heritage is not None:
        debug = heritage.is_debug
        config = replace(config, seed=bytes.fromhex(heritage.seed))
    notices = config.notices
    if config.server.workers > 1:
        from fizz_gevent import workers

        return workers.run(config, load=load, debug=debug, notices=notices, heritage=heritage)
    from fizz_gevent import running

    return running.run(config, load=load, debug=debug, notices=notices, heritage=heritage)


def _work(worker: Worker) -> int:
    from fizz_gevent import running

    faulthandler.enable()  # a worker that hangs is ended so that it shows where
    logs.setup(worker.config.logging, debug=worker.debug, worker=worker.index)
    try:
        return running.run_worker(worker)
    except ConfigError as error:
        worker.report_failure(_MISUSED, str(error))
        return _MISUSED
    except StartError as error:
        worker.report_failure(_FAILED, str(error))
        return _FAILED
    finally:
        worker.close()
