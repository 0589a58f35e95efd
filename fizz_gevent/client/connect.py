"""A connected socket to the server: TCP or Unix, plain or over TLS."""

import re
import socket
import ssl
from pathlib import Path

from fizz_gevent.client.address import ServerAddress
from fizz_gevent.errors import CommandError

CONNECT_TIMEOUT = 10.0

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Unreachable(CommandError):
    """Nobody answers there, at least not now."""


def unreachable(address: ServerAddress, reason: str) -> Unreachable:
    """Say what could not be reached, how it was found, and why not."""
    return Unreachable(f"cannot reach {address.url} ({address.origin}): {reason}")


def open_socket(address: ServerAddress, *, timeout: float = CONNECT_TIMEOUT) -> socket.socket:
    """Connect, and shake hands where the server speaks TLS.

    The certificate that the server is configured with is trusted as it is, whoever signed it and
    whatever name stands in it: both ends have it from the same file. Any other one must come from
    an authority this machine trusts (``SSL_CERT_FILE`` may name more) and be valid for the host.

    Raises:
        Unreachable: Nobody listens, or there is no way there.
        CommandError: The certificate is not to be trusted.
    """
    if not address.is_secure:
        return _connect(address, timeout)
    own = _own_certificate(address.certificate)
    if own is not None:
        try:
            return _wrap(own, address, timeout)
        except ssl.SSLCertVerificationError:
            pass  # another server than the configured one, or one that has been given a newer file
    try:
        return _wrap(ssl.create_default_context(), address, timeout)
    except ssl.SSLCertVerificationError as error:
        raise CommandError(
            f"the certificate of {address.url} is not to be trusted: {error.verify_message}"
            " (SSL_CERT_FILE may name a file with further authorities)"
        ) from None


def _own_certificate(path: str | None) -> ssl.SSLContext | None:
    """A context that trusts the first certificate of a file and nothing else."""
    if path is None:
        return None
    try:
        found = _CERTIFICATE.search(Path(path).read_text(encoding="latin-1"))
    except OSError:
        return None  # commands may run as a user who has no access to it
    if found is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=found[0])
    except ssl.SSLError:
        return None
    return context


def _wrap(context: ssl.SSLContext, address: ServerAddress, timeout: float) -> socket.socket:
    plain = _connect(address, timeout)
    try:
        return context.wrap_socket(plain, server_hostname=address.name)
    except ssl.SSLCertVerificationError:
        plain.close()
        raise
    except (OSError, ValueError) as error:
        plain.close()
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise unreachable(
            address, f"no TLS connection ({reason}); is it plain http there (FIZZ_SCHEME)?"
        ) from None


def _connect(address: ServerAddress, timeout: float) -> socket.socket:
    try:
        if address.socket_path is None:
            connected = socket.create_connection((address.host, address.port), timeout)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.settimeout(timeout)
            connected.connect(address.socket_path)
        except BaseException:
            connected.close()
            raise
        return connected
    except OSError as error:
        raise unreachable(address, _reason(error)) from None


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the server running?"
    if isinstance(error, FileNotFoundError):
        return "there is no such socket; is the server running?"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return f"the host name is not known ({error.strerror})"
    return error.strerror or str(error)
