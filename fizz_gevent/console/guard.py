"""Who may look at the console, and whose requests may change something."""

import base64
import binascii
import hashlib
import hmac
import math
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from fizz_gevent.config import ConsoleConfig
from fizz_gevent.console.attempts import Attempts
from fizz_gevent.console.direct import host_of, is_direct
from fizz_gevent.errors import ApiError
from fizz_gevent.ports import Clock

COOKIE = "fizz_console"
SESSION_SECONDS = 12 * 3600
_OWN_HEADER = "HTTP_X_FIZZ_CONSOLE"

HOW_TO_SET_A_PASSWORD = (
    "The console has no password, so it answers only requests that come directly from the machine"
    " it runs on, under a loopback name. To use it from elsewhere, set"
    " FIZZ_CONSOLE_PASSWORD, or servers.NAME.console.password in the configuration file."
)


class NotLoggedIn(ApiError):
    """401; the page shows the form."""


class Guard:
    """Checks user, password and session.

    Args:
        session_key: Signs cookies; the same on all workers and nodes.
        address_of: Who asks, by the word of trusted proxies.
        note_refusal: Told of each password that was wrong, or came too soon: as what it counts, and
            from where it came.
    """

    def __init__(
        self,
        config: ConsoleConfig,
        session_key: bytes,
        clock: Clock,
        address_of: Callable[[Mapping[str, object]], str],
        note_refusal: Callable[[str, str], None] = lambda reason, address: None,
    ) -> None:
        self._config = config
        self._session_key = session_key
        self._clock = clock
        self._address_of = address_of
        self._note_refusal = note_refusal
        self._attempts = Attempts()

    @property
    def has_password(self) -> bool:
        """Somebody has to log in."""
        return self._config.password is not None

    def admit(self, environ: Mapping[str, object], cookie: str | None) -> None:
        """Let a request pass that may read.

        Raises:
            ApiError: 403 there is no password and the request is not a direct one; 429 too many
                wrong passwords.
            NotLoggedIn: 401.
        """
        if not self.has_password:
            if not is_direct(environ):
                raise ApiError(403, HOW_TO_SET_A_PASSWORD)
            return
        if cookie is not None and self._is_session(cookie):
            return
        authorization = environ.get("HTTP_AUTHORIZATION")
        if authorization is None:
            raise NotLoggedIn(401, "Log in first")
        self.check_password(environ, *_basic(str(authorization)))

    def admit_change(self, environ: Mapping[str, object], cookie: str | None) -> None:
        """Let a request of the page's own pass that changes or signs something.

        No page of another site can send a header of its own making without asking first, which
        nothing here answers; what browsers say of where a request comes from is looked at too.

        Raises:
            ApiError: As ``admit``; 403 too where the request is not the page's own.
        """
        self.admit(environ, cookie)
        if _OWN_HEADER not in environ:
            raise ApiError(403, "The header X-Fizz-Console is missing")
        self.check_origin(environ)

    def check_origin(self, environ: Mapping[str, object]) -> None:
        """Let nothing pass that another site's page has sent.

        Raises:
            ApiError: 403.
        """
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None:
            is_own = site in ("same-origin", "none")
        else:
            origin = environ.get("HTTP_ORIGIN")
            is_own = origin is None or _netloc(str(origin)) == host_of(environ).lower() != ""
        if not is_own:
            raise ApiError(403, "This request was sent by another site's page")

    def check_password(self, environ: Mapping[str, object], username: str, password: str) -> None:
        """Check what somebody has typed; the time it takes tells nothing.

        Raises:
            ApiError: 429, and nothing was checked.
            NotLoggedIn: 401.
        """
        address = self._address_of(environ)
        now = self._clock.monotonic()
        wait = self._attempts.seconds_to_wait(address, now)
        if wait > 0:
            self._note_refusal("console_too_often", address)
            raise ApiError(
                429,
                "Too many wrong passwords, try again after Retry-After seconds",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        is_user = _equal(username, self._config.username)
        is_password = _equal(password, self._config.password or secrets.token_hex())
        if not (is_user and is_password):
            self._attempts.note_failure(address, now)
            self._note_refusal("console_password", address)
            raise NotLoggedIn(401, "Wrong user or password")
        self._attempts.forgive(address)

    def new_session(self) -> str:
        """The cookie of somebody who has just logged in."""
        until = int(self._clock.now()) + SESSION_SECONDS
        text = f"{until}.{secrets.token_hex(12)}"
        return f"{text}.{self._signature(text)}"

    def _is_session(self, cookie: str) -> bool:
        text, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return False
        return int(text.partition(".")[0]) > self._clock.now()

    def _signature(self, text: str) -> str:
        # The user is in it, so that a new name ends the sessions of the old one.
        signed = f"{self._config.username}\n{text}".encode()
        return hmac.new(self._session_key, signed, "sha256").hexdigest()


def _equal(given: str, right: str) -> bool:
    # Of digests, because the comparison's time depends on the length.
    return hmac.compare_digest(
        hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest(),
        hashlib.sha256(right.encode()).digest(),
    )


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(encoded.strip().encode("latin-1"), validate=True).decode()
        except (binascii.Error, ValueError):
            pair = ""
        username, colon, password = pair.partition(":")
        if colon:
            return username, password
    raise NotLoggedIn(401, "The Authorization header is not HTTP Basic")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
