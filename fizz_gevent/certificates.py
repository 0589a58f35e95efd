"""Certificates: found by host name, loaded and checked before anything listens.

TLS is wanted where one of ``options.tls`` is set, or where the server has a host name and a
certificate of that name lies in one of the usual folders. A server on a Unix socket, or with
``trusted_proxies``, has a proxy in front that speaks TLS for it; nothing is looked for then.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from fizz_gevent.config import ServerConfig, TlsConfig
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


def context(tls: TlsConfig) -> ssl.SSLContext | None:
    """The context to serve with; None where sockets are plain.

    Raises:
        ConfigError: A file is missing, cannot be read or is no PEM; the passphrase is wrong; the
            key is another certificate's.
    """
    if tls == TlsConfig():
        return None
    if tls.cert is None:
        given = "key" if tls.key is not None else "passphrase"
        raise ConfigError(
            f"TLS is wanted, since {given} is set, but there is no certificate", key=_key("cert")
        )
    _read(tls.cert, "cert", "CERTIFICATE-----", "certificate")
    key_file = tls.cert if tls.key is None else tls.key
    what = "private key" if tls.key is not None else "private key, and options.tls.key is not set"
    key_text = _read(key_file, "cert" if tls.key is None else "key", "PRIVATE KEY-----", what)
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.minimum_version = ssl.TLSVersion.TLSv1_2
    result.set_alpn_protocols(["http/1.1"])
    passphrase = tls.passphrase or ""
    try:
        # always a passphrase, or OpenSSL asks for it on the terminal
        result.load_cert_chain(tls.cert, key_file, password=lambda: passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise _explained(error, tls, key_file, "ENCRYPTED" in key_text) from None
    return result


def _read(path: str, key: str, marker: str, what: str) -> str:
    try:
        content = Path(path).read_text(encoding="latin-1")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path, key=_key(key)) from None
    if marker not in content:
        raise ConfigError(f"holds no {what} in PEM form", where=path, key=_key(key))
    return content


def _explained(error: Exception, tls: TlsConfig, key_file: str, is_encrypted: bool) -> ConfigError:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return ConfigError(
            f"does not belong to the certificate {tls.cert}", where=key_file, key=_key("key")
        )
    if is_encrypted and _is_sound_certificate(tls.cert):
        problem = "is wrong" if tls.passphrase is not None else "is missing, the key is encrypted"
        return ConfigError(f"the passphrase {problem}", where=key_file, key=_key("passphrase"))
    if _is_sound_certificate(tls.cert):
        return ConfigError(f"no usable private key: {reason}", where=key_file, key=_key("key"))
    return ConfigError(f"no usable certificate: {reason}", where=tls.cert, key=_key("cert"))


def _is_sound_certificate(path: str | None) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, OSError):
        return False
    return True


def _key(name: str) -> str:
    return f"options.tls.{name}"
