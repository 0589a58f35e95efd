"""Certificates: found by host name, loaded and checked before anything listens.

TLS is wanted where one of ``options.tls`` is set, or where the server has a host name and a
certificate of that name lies in one of the usual folders. A server on a Unix socket, or with
``trusted_proxies``, has a proxy in front that speaks TLS for it; nothing is looked for then.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from fizz_gevent.config import Config, ServerConfig, TlsConfig
from fizz_gevent.errors import ConfigError

_FOLDERS = (
    "etc/certs",
    "~/.config/valet/Certificates",  # Laravel Valet, macOS and Linux
    "~/.valet/Certificates",  # Valet before 2.1
    "~/Library/Application Support/Herd/config/valet/Certificates",  # Laravel Herd, macOS
    "~/.config/herd/config/valet/Certificates",  # Herd, Windows
)
_LETS_ENCRYPT = "/etc/letsencrypt/live"


def locate(server: ServerConfig, home: str | None) -> TlsConfig | None:
    """Look for a certificate of the server's host name, where TLS is wanted and none is given.

    Args:
        home: The user's directory, for the folders of Laravel's tools.

    Returns:
        What was found, with the configured passphrase; None where there is nothing to add.
    """
    if server.tls.cert is not None or server.tls.key is not None or server.hostname is None:
        return None
    is_wanted = server.tls.passphrase is not None
    if not is_wanted and (server.socket_path is not None or server.trusted_proxies):
        return None
    for cert, key in _candidates(server.hostname, home):
        if os.access(cert, os.R_OK) and os.access(key, os.R_OK):
            return TlsConfig(cert=cert, key=key, passphrase=server.tls.passphrase)
    return None


def _candidates(hostname: str, home: str | None) -> Iterator[tuple[str, str]]:
    name = hostname.rstrip(".").lower()
    for folder in _FOLDERS:
        if folder.startswith("~"):
            if not home:
                continue
            folder = home + folder[1:]
        yield f"{folder}/{name}.crt", f"{folder}/{name}.key"
        yield f"{folder}/{name}.pem", f"{folder}/{name}-key.pem"  # as mkcert names them
    yield f"{_LETS_ENCRYPT}/{name}/fullchain.pem", f"{_LETS_ENCRYPT}/{name}/privkey.pem"


def check(config: Config) -> None:
    """Load the configured certificate, if there is one, and throw it away.

    Raises:
        ConfigError: As :func:`load_context`, and says where the fault was written.
    """
    if config.server.tls == TlsConfig():
        return
    try:
        load_context(config.server.tls)
    except ConfigError as error:
        key = f"servers.{config.name}.{error.key}"
        raise ConfigError(error.message, where=config.origins.get(key), key=key) from None


def load_context(tls: TlsConfig) -> ssl.SSLContext:
    """The context to serve with: TLS 1.2 and up.

    Raises:
        ConfigError: A file is missing, cannot be read or is no PEM; the passphrase is wrong; the
            key is another certificate's. Its key path begins at ``options``.
    """
    if tls.cert is None:
        given = "key" if tls.key is not None else "passphrase"
        raise _error(given, "TLS is wanted, as this is set, but there is no certificate")
    key_name, key_file = ("cert", tls.cert) if tls.key is None else ("key", tls.key)
    _read("cert", tls.cert, "CERTIFICATE", "certificate")
    hint = "" if tls.key is not None else " and options.tls.key is not set"
    key_text = _read(key_name, key_file, "PRIVATE KEY", f"private key{hint}")
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.minimum_version = ssl.TLSVersion.TLSv1_2
    result.set_alpn_protocols(["http/1.1"])
    passphrase = tls.passphrase or ""
    try:
        # always a passphrase, or OpenSSL asks for it on the terminal
        result.load_cert_chain(tls.cert, key_file, password=lambda: passphrase)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        if not _is_sound_certificate(tls.cert):
            message, name = f"{tls.cert} holds no usable certificate ({reason})", "cert"
        elif reason == "KEY_VALUES_MISMATCH":
            message, name = f"{key_file} is not the key of the certificate {tls.cert}", key_name
        elif "ENCRYPTED" in key_text:
            verdict = "missing" if tls.passphrase is None else "wrong"
            message = f"{key_file} is encrypted and the passphrase is {verdict}"
            name = "passphrase" if tls.passphrase is not None else key_name
        else:
            message, name = f"{key_file} holds no usable private key ({reason})", key_name
        raise _error(name, message) from None
    return result


def _read(name: str, path: str, marker: str, what: str) -> str:
    try:
        content = Path(path).read_text(encoding="latin-1")
    except OSError as error:
        raise _error(name, f"{path} cannot be read: {error.strerror}") from None
    if f"{marker}-----" not in content:
        raise _error(name, f"{path} holds no {what} in PEM form")
    return content


def _is_sound_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, OSError):
        return False
    return True


def _error(name: str, message: str) -> ConfigError:
    return ConfigError(message, key=f"options.tls.{name}")
