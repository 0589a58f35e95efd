"""Secrets of the console's own: made from the configuration, so that all who share it agree."""

import hashlib
import hmac
from dataclasses import dataclass, field

from fizz_gevent.application import Application

HIDDEN_ID = ".console"
"""No application can be configured under this id, as it has a dot."""

_ROUNDS = 200_000


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs.

    Attributes:
        application: The hidden application, over which the page is told what happens.
        session: Signs the cookie of who has logged in.
    """

    application: Application
    session: bytes = field(repr=False)


def make_keys(password: str | None, *, seed: bytes, salt: str) -> Keys:
    """The keys of this server; takes a moment where there is a password.

    Nodes with the same password have the same keys, so that any of them serves any request of a
    page. Without one the page is for this machine, and all its workers have the same ``seed``.

    Args:
        seed: Random, made by the process that all workers come from.
        salt: What tells one cluster from another.
    """
    root = seed
    if password is not None:
        # Part of what is made from it is seen in addresses, and thus in the logs of proxies:
        # trying passwords against that has to be slow.
        root = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), _ROUNDS)
    application = Application(
        app_id=HIDDEN_ID,
        key=f"console-{_derived(root, 'key').hex()[:24]}",
        secret=_derived(root, "secret").hex(),
        accept_client_events_from="none",
        authorization_timeout=15,
        max_channel_name_length=300,
        max_channels_per_connection=20,
        watchlist=False,
    )
    return Keys(application, _derived(root, "session"))


def _derived(root: bytes, purpose: str) -> bytes:
    return hmac.digest(root, f"fizz console {purpose}".encode(), "sha256")
