"""A real browser, and a web server on loopback for the pages it opens."""

import functools
import http.server
import threading
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.harness.eventually import WITHIN, eventually
from tests.harness.programs import CHROMEDRIVER, CHROMIUM, NODE_MODULES, TESTS

PAGES = TESTS / "integration" / "pages"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    # A page that was left would be kept alive for a return, its sockets included.
    "--disable-features=BackForwardCache",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--metrics-recording-only",
    "--password-store=basic",
    "--window-size=1000,700",
)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """``/node_modules/...`` from npm's folder, everything else from the pages."""

    def translate_path(self, path: str) -> str:
        top, _, rest = urlsplit(path).path.lstrip("/").partition("/")
        self.directory = str(NODE_MODULES if top == "node_modules" else PAGES)
        return super().translate_path(rest if top == "node_modules" else path)

    def do_GET(self) -> None:
        """Answer the browser's own question with nothing, so that the console stays clean."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class PageServer:
    """Serves ``tests/integration/pages`` on a port of loopback."""

    def __init__(self) -> None:
        handler = functools.partial(_Handler)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def url(self, page: str, **params: str | int) -> str:
        """Return the address of a page, with what it reads from ``location.search``."""
        return f"{self.origin}/{page}" + (f"?{urlencode(params)}" if params else "")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Browser:
    """One headless Chromium with a profile of its own.

    Pages talk to the tests through globals; ``window.log``, where a page keeps one, is a list of
    what has happened.
    """

    def __init__(self, profile: Path, pages: PageServer) -> None:
        # Not at the top: the other interpreters run plain tests without Selenium.
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(executable_path=str(CHROMEDRIVER))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.pages = pages

    def open(self, page: str, **params: str | int) -> None:
        """Open a page of ``tests/integration/pages``; it gets the parameters in its query."""
        self.driver.get(self.pages.url(page, **params))

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        return self.driver.execute_script(f"return ({expression})")

    def eventually(self, expression: str, *, within: float = WITHIN) -> Any:
        """Return the first true value of a JavaScript expression."""
        try:
            return eventually(lambda: self.evaluate(expression), within=within, what=expression)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.console()}") from None

    def console(self) -> list[str]:
        """Return what the page has written to its console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def screenshot(self, path: Path) -> None:
        """Write what the window shows, as PNG."""
        path.write_bytes(self.driver.get_screenshot_as_png())

    def rest(self) -> None:
        """Leave the page, so that its connections end."""
        self.driver.get("about:blank")

    def close(self) -> None:
        self.driver.quit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
