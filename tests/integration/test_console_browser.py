"""The console in a real Chromium, as somebody uses it."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.conftest import Start
from tests.harness.browser import Browser
from tests.harness.eventually import eventually
from tests.harness.server import FizzServer
from tests.harness.signing import App

PASSWORD = "correct horse battery"
OTHER = App("2002", "other-key", "other-secret")


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.needs_redis)])
def server(module_fizz: Start, request: pytest.FixtureRequest) -> FizzServer:
    settings = {"username": "ann", "password": PASSWORD}
    return module_fizz(
        apps=[App().settings(), OTHER.settings()],
        server={"workers": request.param, "path": "/fizz", "console": settings},
    )


@pytest.fixture
def page(browser: Browser, server: FizzServer) -> Iterator[Browser]:
    """The console, logged in and told what happens; nothing of it broke a rule of its own."""
    browser.console()
    open_console(browser, server)
    browser.driver.find_element(By.ID, "username").send_keys("ann")
    browser.driver.find_element(By.ID, "password").send_keys(PASSWORD, Keys.ENTER)
    browser.eventually("document.querySelector('#link.good') !== null")
    yield browser
    assert complaints(browser) == []
    browser.evaluate("sessionStorage.clear()")  # where the chosen application is remembered
    browser.driver.delete_all_cookies()


def open_console(browser: Browser, server: FizzServer, hash: str = "") -> None:
    browser.driver.get("about:blank")
    browser.driver.get(f"http://127.0.0.1:{server.port}/fizz/console{hash}")


def complaints(browser: Browser) -> list[str]:
    """What the browser has to say of the page, violations of its policy among it."""
    return [line for line in browser.console() if "Security Policy" in line or "SEVERE" in line]


def go(page: Browser, section: str) -> None:
    page.driver.find_element(By.CSS_SELECTOR, f'nav a[href="#{section}"]').click()
    page.eventually(f"!document.getElementById('section-{section}').hidden")


def write(page: Browser, name: str, text: str) -> None:
    field = page.driver.find_element(By.ID, name)
    field.clear()
    field.send_keys(text)


def text_of(name: str) -> str:
    return f"document.getElementById('{name}').innerText"


def test_a_wrong_password_is_told_and_nothing_shown(browser: Browser, server: FizzServer) -> None:
    open_console(browser, server)
    browser.driver.find_element(By.ID, "username").send_keys("ann")
    browser.driver.find_element(By.ID, "password").send_keys("guess", Keys.ENTER)
    alert = browser.eventually("document.querySelector('[role=alert]')?.innerText")
    assert alert == "Wrong user or password."
    assert browser.evaluate("document.querySelector('nav')") is None


def test_a_live_event_is_seen_and_one_published(page: Browser, server: FizzServer) -> None:
    go(page, "stream")
    api = server.api()

    def shown() -> bool:
        api.trigger("orders", "order.created", {"id": 4711})
        return "4711" in str(page.evaluate(text_of("stream-rows")))

    eventually(shown, what="the event is seen in the page")
    assert "order.created on orders" in page.evaluate(text_of("stream-rows"))
    write(page, "stream-text", "nothing like it")
    page.eventually(f"!{text_of('stream-rows')}.includes('4711')")
    with server.client() as client:
        client.subscribe("orders")
        go(page, "publish")
        write(page, "publish-channels", "orders")
        write(page, "publish-name", "order.paid")
        write(page, "publish-data", '{"id": 4712}')
        page.driver.find_element(By.CSS_SELECTOR, "#publish-form .primary").click()
        page.eventually(f"{text_of('publish-note')}.startsWith('Published to orders')")
        assert client.wait_for("order.paid", "orders") == {"id": 4712}


def test_members_come_and_go(page: Browser, server: FizzServer) -> None:
    with server.client() as ann:
        ann.subscribe("presence-room", user_id="ann")
        go(page, "channels")
        link = page.eventually("document.querySelector('#channel-rows button') !== null")
        assert link
        page.driver.find_element(By.CSS_SELECTOR, "#channel-rows button").click()
        page.eventually(f"document.getElementById('members') && {text_of('members')} === 'ann'")
        with server.client() as bob:
            bob.subscribe("presence-room", user_id="bob")
            page.eventually(f"{text_of('members')} === 'ann\\nbob'")
            bob.close()
        page.eventually(f"{text_of('members')} === 'ann'")
        # The focus stays where it was while rows are drawn anew.
        assert page.evaluate("document.activeElement.dataset.focus") == "presence-room"


def test_counts_are_those_of_the_whole_server(page: Browser, server: FizzServer) -> None:
    clients = [server.client() for _ in range(7)]
    try:
        for client in clients:
            client.subscribe("orders")
        workers = int(server.settings["workers"])
        go(page, "overview")
        page.eventually(f"document.querySelectorAll('#node-rows tr').length === {workers}")
        page.eventually("document.querySelector('#tiles .value').innerText === '7'")
        page.eventually("document.querySelectorAll('svg.plot polyline').length === 5")
        go(page, "connections")
        page.eventually("document.querySelectorAll('#connection-rows tr').length === 7")
        page.eventually(f"{text_of('connection-rows')}.includes('{clients[0].socket_id}')")
        page.evaluate(
            "(document.getElementById('app').value = '2002',"
            " document.getElementById('app').dispatchEvent(new Event('change')))"
        )
        page.eventually(f"{text_of('connection-rows')}.includes('Nobody')")
    finally:
        for client in clients:
            client.websocket.abandon()


def test_refusals_are_shown_with_their_reason(page: Browser, server: FizzServer) -> None:
    with server.client() as client:
        client.request_subscription("private-<b>x", auth="nonsense")
        client.wait_for("pusher:error")
        client.request_subscription("private-x", auth=f"{client.app.key}:wrong")
        client.wait_for("pusher:error")
        go(page, "errors")
        page.eventually(f"{text_of('error-rows')}.includes('{client.socket_id}')")
        page.eventually(f"{text_of('error-rows')}.includes('Invalid signature')")
        assert "private-<b>x" in page.evaluate(text_of("error-rows"))


def test_a_signature_of_the_page_lets_a_client_in(page: Browser, server: FizzServer) -> None:
    """Protocol: §6.2."""
    with server.client() as client:
        go(page, "signatures")
        write(page, "sign-socket", client.socket_id)
        write(page, "sign-channel", "private-x")
        page.driver.find_element(By.CSS_SELECTOR, "#sign-form .primary").click()
        page.eventually(f"{text_of('sign-note')} === 'Signed.'")
        auth = page.evaluate("JSON.parse(document.querySelector('#sign-result code').innerText)")
        client.subscribe("private-x", auth=auth["auth"])
    write(page, "sign-socket", "nonsense")
    page.driver.find_element(By.CSS_SELECTOR, "#sign-form .primary").click()
    page.eventually(f"{text_of('sign-note')}.includes('socket_id')")
    page.console()  # the browser notes that answer, which is a 400


def test_snippets_name_this_server_and_no_secret(page: Browser, server: FizzServer) -> None:
    go(page, "snippets")
    text = page.evaluate(text_of("snippet-list"))
    for word in ("pusher-js", "laravel-echo", "Python", "Node", "PHP", str(server.port), "/fizz"):
        assert word in text
    assert server.app.key in text
    assert server.app.secret not in page.driver.page_source


def test_it_fits_a_phone_and_has_a_name_for_every_field(page: Browser) -> None:
    device = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    try:
        for section in (
            *("overview", "channels", "connections", "stream"),
            *("publish", "signatures", "snippets", "errors"),
        ):
            go(page, section)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, section
        unnamed = page.evaluate(
            "[...document.querySelectorAll('input, select, textarea')]"
            ".filter((field) => !field.labels.length).map((field) => field.id)"
        )
        assert unnamed == []
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_keyboard_is_enough(page: Browser) -> None:
    body = page.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    reached: list[str] = []
    for _ in range(12):
        active = page.driver.switch_to.active_element
        reached.append(str(active.get_attribute("hash") or active.get_attribute("id")))
        if reached[-1] == "#publish":
            break
        active.send_keys(Keys.TAB)
    assert "app" in reached
    assert reached[-1] == "#publish"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.eventually("!document.getElementById('section-publish').hidden")


def test_policy_stops_what_is_not_ours(page: Browser) -> None:
    """The policy is there, and the browser log would show a violation."""
    page.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); })()"
    )
    assert page.evaluate("window.ran === undefined")
    assert [line for line in page.console() if "Security Policy" in line]


def test_without_a_password_it_works_on_loopback_at_once(browser: Browser, fizz: Start) -> None:
    server = fizz(server={"workers": 1})
    browser.driver.get(f"http://localhost:{server.port}/console")
    browser.eventually("document.querySelector('#link.good') !== null")
    browser.eventually("document.querySelector('#tiles .value').innerText === '0'")
    assert complaints(browser) == []
