"""Which application a command speaks for."""

from collections.abc import Sequence

from fizz_gevent.application import Application
from fizz_gevent.errors import ConfigError


def choose(applications: Sequence[Application], app_id: str | None) -> Application:
    """The application of this id, or the only one there is.

    Raises:
        ConfigError: There is none, none of that id, or there are several to choose from.
    """
    if not applications:
        raise ConfigError(
            "no application is configured; set FIZZ_APP_ID, FIZZ_APP_KEY and FIZZ_APP_SECRET to"
            " those that the running server has (its banner shows the ones it made up)"
        )
    ids = ", ".join(application.app_id for application in applications)
    if app_id is None:
        if len(applications) > 1:
            raise ConfigError(f"several applications are configured; say which with --app: {ids}")
        return applications[0]
    for application in applications:
        if application.app_id == app_id:
            return application
    raise ConfigError(f"no application has the id {app_id!r}; there is {ids}", where="--app")
