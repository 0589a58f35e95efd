"""A real nginx that runs ``etc/nginx.conf``, with other ports and folders."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness.certificates import Certificate
from tests.harness.eventually import eventually
from tests.harness.http_api import HttpApi
from tests.harness.programs import find
from tests.harness.pusher_client import PusherClient
from tests.harness.samples import adapted, sample
from tests.harness.server import FizzServer, free_port
from tests.harness.signing import App
from tests.harness.websocket import RawWebSocket, websocket_target

_OPEN = App()
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx:
    """An nginx in front of one server, on a plain port and on one with TLS."""

    def __init__(self, folder: Path, server: FizzServer, certificate: Certificate) -> None:
        self.folder = folder
        self.server = server
        self.certificate = certificate
        self.port = self.tls_port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; try other ports if one was snatched away."""
        for _ in range(5):
            self.port, self.tls_port = free_port(), free_port()
            self._launch()
            eventually(lambda: self._is_up() or self._has_ended(), what="nginx answers")
            if not self._has_ended():
                return
            if "Address already in use" not in self.log("error.log"):
                break
        raise AssertionError(f"nginx does not run\n{self.log('error.log')}")

    def _launch(self) -> None:
        temporary = "".join(
            f"{name}_temp_path {self.folder / name};\n" for name in _TEMPORARY
        )  # Debian's are below /var/lib
        text = adapted(
            sample("nginx.conf"),
            {
                # Its workers write into our folder, which is nobody else's.
                "user www-data;": "user root;" if os.geteuid() == 0 else "",
                "pid /run/nginx.pid;": f"pid {self.folder / 'nginx.pid'};",
                "error_log /var/log/nginx/error.log warn;": f"error_log {self.folder}/error.log;",
                "access_log /var/log/nginx/fizz.log fizz;": (
                    f"access_log {self.folder}/access.log fizz;"
                ),
                "\nhttp {\n": f"\nhttp {{\n{temporary}",
                "server 127.0.0.1:8080;": f"server 127.0.0.1:{self.server.port};",
                " listen 80;": f" listen 127.0.0.1:{self.port};",
                " listen [::]:80;": "",
                "#tls listen 443 ssl;": f"listen 127.0.0.1:{self.tls_port} ssl;",
                "#tls ssl_certificate /etc/letsencrypt/live/ws.example.com/fullchain.pem;": (
                    f"ssl_certificate {self.certificate.cert};"
                ),
                "#tls ssl_certificate_key /etc/letsencrypt/live/ws.example.com/privkey.pem;": (
                    f"ssl_certificate_key {self.certificate.key};"
                ),
            },
        )
        path = self.folder / "nginx.conf"
        path.write_text(text)
        (self.folder / "error.log").write_text("")
        command = [str(find("nginx")), "-c", str(path), "-p", str(self.folder)]
        with (self.folder / "error.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-g", "daemon off;"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _is_up(self) -> bool:
        try:
            return self.api().request("GET", "/up", query="").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)

    def log(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def websocket(
        self, app: App = _OPEN, *, tls: bool = False, headers: dict[str, str] | None = None
    ) -> RawWebSocket:
        return RawWebSocket.connect(
            ("127.0.0.1", self.tls_port if tls else self.port),
            websocket_target(app.key),
            headers=headers,
            tls=self.certificate.client_context() if tls else None,
        )

    def client(self, app: App = _OPEN, *, tls: bool = False, **how: Any) -> PusherClient:
        return PusherClient(self.websocket(app, tls=tls, **how), app)

    def api(self, app: App = _OPEN) -> HttpApi:
        return HttpApi(("127.0.0.1", self.port), app)


def run_nginx(folder: Path, server: FizzServer, certificate: Certificate) -> Iterator[Nginx]:
    """Yield an nginx in front of a server, and stop it."""
    front = Nginx(folder, server, certificate)
    try:
        front.start()
        yield front
    finally:
        front.stop()
