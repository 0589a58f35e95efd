"""What README.md and docs/clients.md print works as printed, against a fresh `bin/fizz start`."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.browser import Browser
from tests.harness.eventually import eventually
from tests.harness.http_api import HttpApi
from tests.harness.programs import NODE_MODULES
from tests.harness.server import ROOT, clean_environ, free_port
from tests.harness.signing import App

DEVELOPMENT = App("1001", "fizz-key", "fizz-secret")
README = ROOT / "README.md"
CLIENTS = ROOT / "docs" / "clients.md"


def snippet(document: Path, language: str, heading: str = "") -> str:
    """Return the first block in a language, behind a heading where one is given."""
    text = document.read_text()
    if heading:
        text = text[text.index(f"\n{heading}\n") :]
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"no block of {language} in {document.name} {heading}"
    return found[1]


class Development:
    """The server that a newcomer has after the first command, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.api = HttpApi(("127.0.0.1", self.port), DEVELOPMENT)
        command = snippet(README, "sh").splitlines()[0].partition("#")[0].split()
        assert command == ["bin/fizz", "start"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.log = folder / "bin-fizz.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, f"--port={self.port}"],
                cwd=ROOT,
                env=clean_environ(PATH=path, FIZZ_RUN_DIRECTORY=str(folder)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.api.request("GET", "/up", query="").status == 200
        except OSError:
            return False

    def subscribers(self, channel: str) -> int:
        answer = self.api.get(f"/channels/{channel}", info="subscription_count")
        return int(answer.json["subscription_count"])

    def at_this_port(self, text: str, times: int) -> str:
        """Put the port in place of the printed one; nothing else is changed."""
        assert text.count("8080") == times, text
        return text.replace("8080", str(self.port))


@pytest.fixture
def development(tmp_path: Path) -> Iterator[Development]:
    server = Development(tmp_path)
    try:
        eventually(server.is_up, within=20)
        yield server
        server.process.terminate()
        assert server.process.wait(25) == 0, server.log.read_text()
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder in which `npm install` has been run."""
    made = tmp_path / "project"
    made.mkdir()
    (made / "node_modules").symlink_to(NODE_MODULES)
    return made


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[..., Callable[[], str]]]:
    """Run a program in the project's folder; the answer reads what it has printed so far."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> Callable[[], str]:
        output = folder / f"output-{len(processes)}"
        with output.open("wb") as file:
            processes.append(subprocess.Popen(command, cwd=folder, stdout=file, stderr=file))
        return output.read_text

    yield start
    for process in processes:
        process.kill()
        process.wait()


def publish_with_python(development: Development, text: str) -> None:
    program = development.at_this_port(text, 1)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def publish_with_node(development: Development, text: str, folder: Path) -> None:
    (folder / "publish.js").write_text(development.at_this_port(text, 1))
    subprocess.run(["node", "publish.js"], cwd=folder, check=True, timeout=30)


@pytest.mark.node
def test_the_page_of_the_readme_shows_what_both_back_ends_publish(
    browser: Browser, development: Development, folder: Path, tmp_path: Path
) -> None:
    page = folder / "index.html"
    page.write_text(development.at_this_port(snippet(README, "html"), 1))
    browser.driver.get(page.as_uri())  # opened as a file, as the text says
    eventually(lambda: development.subscribers("orders") == 1)
    publish_with_python(development, snippet(README, "python"))
    browser.eventually("document.querySelectorAll('#orders li').length === 1")
    publish_with_node(development, snippet(README, "js"), folder)
    browser.eventually("document.querySelectorAll('#orders li').length === 2")
    shown = browser.evaluate("document.querySelector('#orders').innerText")
    assert shown == "Order 42: two lemonades\nOrder 43: one ginger ale"
    browser.screenshot(tmp_path / "readme.png")
    assert [line for line in browser.console() if "SEVERE" in line] == []


Run = Callable[..., Callable[[], str]]


@pytest.mark.node
@pytest.mark.parametrize(("heading", "ports"), [("### pusher-js", 2), ("### Laravel Echo", 2)])
def test_the_clients_of_the_documentation_hear_its_back_ends(
    development: Development, folder: Path, run: Run, heading: str, ports: int
) -> None:
    """The snippets for bundlers are run by Node, which has no ``window`` of its own."""
    (folder / "window.mjs").write_text("globalThis.window = globalThis;\n")
    program = development.at_this_port(snippet(CLIENTS, "js", heading), ports)
    (folder / "client.mjs").write_text(program)
    printed = run("node", "--import", "./window.mjs", "client.mjs")
    eventually(lambda: development.subscribers("orders") == 1, what=f"subscribed {printed()}")
    publish_with_node(development, snippet(CLIENTS, "js", "### Node"), folder)
    eventually(lambda: printed().count("{ id: 42 }") == 1, what="the event of Node")
    publishing = CLIENTS.read_text().split("\n## Publishing\n")[1]
    python = re.search(r"```python\n(import pusher\n.*?)```", publishing, re.DOTALL)
    assert python
    publish_with_python(development, python[1])
    eventually(lambda: printed().count("{ id: 42 }") == 2, what="the event of Python")
