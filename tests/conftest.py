"""Fixtures for all tests, and which test needs what."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.harness")

from tests.harness.browser import Browser, PageServer  # noqa: E402
from tests.harness.certificates import Certificate, make_certificate  # noqa: E402
from tests.harness.node import NodeScript  # noqa: E402
from tests.harness.programs import PROGRAMS, require  # noqa: E402
from tests.harness.server import FizzServer  # noqa: E402

TESTS = Path(__file__).parent
_running: list[FizzServer] = []

EVERY_PYTHON = ("test_start", "test_protocol_", "test_http_api", "test_transport_tls")
"""How files begin whose tests of a real server run on every CPython that there is: what parses,
signs, encrypts and speaks. What waits for clocks, nodes and other programs runs on one of them."""

WAITING = {"probe": 0, "fuzz": 1}
"""Folders whose files come first, as each of them has few tests and takes long, in their order."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by folder and fixtures, and leave the long ones out unless they are asked for."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        kind = folder if folder in ("unit", "contract") else "integration"
        item.add_marker(kind)
        for name in {"browser", "node"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(name)
        needs = [name for name in PROGRAMS if item.get_closest_marker(name)]
        if kind == "integration" and not needs and item.path.name.startswith(EVERY_PYTHON):
            item.add_marker("plain")
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(3600))
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]
    items.sort(key=lambda item: WAITING.get(item.path.relative_to(TESTS).parts[0], len(WAITING)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, programs in PROGRAMS.items():
        if item.get_closest_marker(marker):
            require(*programs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show what the servers said beside the failure."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for server in _running:
            report.sections.append((f"Fizz on port {server.port}", server.logs()))
    return report  # type: ignore[return-value]


Start = Callable[..., FizzServer]


def _factory(paths: pytest.TempPathFactory) -> Iterator[Start]:
    started: list[FizzServer] = []

    def start(**how: object) -> FizzServer:
        server = FizzServer(paths.mktemp("fizz"), **how)  # type: ignore[arg-type]
        started.append(server)
        _running.append(server)
        server.start()
        return server

    try:
        yield start
        for server in started:
            if server.process is not None and server.process.poll() is None:
                server.stop()
    finally:
        for server in started:
            server.kill()
            _running.remove(server)


@pytest.fixture
def fizz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start servers for one test: ``server = fizz(apps=[...], server={...})``.

    The keywords are those of ``FizzServer``. What still runs at the end of the test gets a
    SIGTERM, and must exit with 0 and without a traceback.
    """
    yield from _factory(tmp_path_factory)


@pytest.fixture(scope="module")
def module_fizz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """The same for servers that a whole module shares."""
    yield from _factory(tmp_path_factory)


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    """One server with one application and default settings, shared by the module's tests.

    A module that needs other settings defines its own ``server`` on top of ``module_fizz``.
    """
    return module_fizz()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for loopback that only this run knows."""
    require("openssl")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def node() -> Iterator[Callable[..., NodeScript]]:
    """Run scripts of ``tests/integration/js``; that marks the test ``node``."""
    scripts: list[NodeScript] = []

    def run(script: str, *arguments: str | int, **how: dict[str, str]) -> NodeScript:
        scripts.append(NodeScript(script, *arguments, **how))
        return scripts[-1]

    try:
        yield run
    finally:
        for script in scripts:
            script.kill()


@pytest.fixture(scope="session")
def pages() -> Iterator[PageServer]:
    """Serves ``tests/integration/pages`` and the packages under ``/node_modules/``."""
    server = PageServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def _chromium(tmp_path_factory: pytest.TempPathFactory, pages: PageServer) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile"), pages) as chromium:
        yield chromium


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """A real browser on an empty page; that marks the test ``browser``."""
    yield _chromium
    _chromium.rest()
