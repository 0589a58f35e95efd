"""Credentials that nobody chose: made up for a first start, or known to everybody."""

import ipaddress
import os

from fizz_gevent.application import Application
from fizz_gevent.config import Config
from fizz_gevent.errors import ConfigError

MADE_UP = "made up"
"""The origin of credentials that :func:`make_up` invented."""

DEVELOPMENT_SECRET = "fizz-secret"
"""The secret in the ``etc/fizz.yaml`` that everybody can read."""


def make_up() -> tuple[str, str, str]:
    """A random id, key and secret; the id is a number, since some SDKs take nothing else."""
    app_id = 100000 + int.from_bytes(os.urandom(8)) % 900000
    return str(app_id), os.urandom(10).hex(), os.urandom(20).hex()


def is_development(application: Application) -> bool:
    """Tell whether everybody knows the secret of this application."""
    previous = application.previous
    return DEVELOPMENT_SECRET in (application.secret, previous.secret if previous else None)


def refuse_development(config: Config) -> None:
    """Let nobody serve the well-known credentials to the network by mistake.

    Raises:
        ConfigError: They are configured, and the host is not a loopback address.
    """
    host = config.server.host
    if is_loopback(host):
        return
    origin = config.origins.get(f"servers.{config.name}.host", "default")
    for index, application in enumerate(config.applications):
        if is_development(application):
            key = f"apps.apps[{index}].secret"
            raise ConfigError(
                "these are the development credentials, which everybody knows; they are not"
                f" served on {host} (host by {origin}): set FIZZ_APP_ID, FIZZ_APP_KEY and"
                " FIZZ_APP_SECRET, or configure an application of your own",
                where=config.origins.get(key),
                key=key,
            )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host: a loopback address or a Unix socket."""
    if host.startswith("unix:"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
