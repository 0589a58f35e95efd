"""Certificates for loopback, made afresh so that no private key lies in the repository."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate of ``localhost``, ``127.0.0.1`` and ``::1``."""

    cert: Path
    key: Path

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.cert))


def make_certificate(
    folder: Path, *, name: str = "localhost", passphrase: str | None = None
) -> Certificate:
    """Make a key pair in ``folder`` with the ``openssl`` command.

    Args:
        name: The first host name it is valid for, and the stem of the files.
        passphrase: Encrypts the key.
    """
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    names = dict.fromkeys([f"DNS:{name}", "DNS:localhost", "IP:127.0.0.1", "IP:::1"])
    secrecy = ["-nodes"] if passphrase is None else ["-passout", f"pass:{passphrase}"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "30"]
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join(names)}"]
    files = ["-keyout", str(made.key), "-out", str(made.cert)]
    command = ["openssl", "req", "-x509", *kind, *subject, *files, *secrecy]
    subprocess.run(command, check=True, capture_output=True)
    return made
