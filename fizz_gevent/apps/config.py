"""Applications as the configuration lists them."""

from collections.abc import Iterable

from fizz_gevent.application import Application


class ConfigApplications:
    """The applications of the configuration, found by id or by key. Nothing here yields."""

    def __init__(self, applications: Iterable[Application]) -> None:
        self._applications = tuple(applications)
        self._by_id = {app.app_id: app for app in self._applications}
        self._by_key = {app.key: app for app in self._applications}
        for app in self._applications:
            if app.previous is not None:  # a current key is never hidden by an older one
                self._by_key.setdefault(app.previous.key, app)

    def by_id(self, app_id: str) -> Application | None:
        """The application of this id, enabled or not."""
        return self._by_id.get(app_id)

    def by_key(self, key: str) -> Application | None:
        """The application of this key, enabled or not.

        The key of :attr:`Application.previous` finds it too; whether that is still valid is for
        the caller to decide, who knows the time.
        """
        return self._by_key.get(key)

    def all(self) -> tuple[Application, ...]:
        """Every application, in the order of the configuration."""
        return self._applications
