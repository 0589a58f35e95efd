"""Real pages in a real Chromium: pusher-js and laravel-echo, fed by both server SDKs."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pusher
import pytest

from tests.harness.browser import Browser
from tests.harness.node import NodeScript
from tests.harness.scripted import Scripted
from tests.harness.server import FizzServer
from tests.harness.signing import App

MASTER_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@pytest.fixture
def python_sdk(server: FizzServer) -> pusher.Pusher:
    return pusher.Pusher(
        app_id=server.app.app_id,
        key=server.app.key,
        secret=server.app.secret,
        host="127.0.0.1",
        port=server.port,
        ssl=False,
        encryption_master_key_base64=MASTER_KEY,
    )


@pytest.fixture
def node_sdk(node: Callable[..., NodeScript], server: FizzServer) -> Scripted:
    return Scripted(node, "back_end.js", server)


def open_page(browser: Browser, server: FizzServer, page: str, user: str) -> None:
    app = server.app
    browser.open(page, port=server.port, key=app.key, secret=app.secret, user=user)
    wait_for(browser, state="connected")


def wait_for(browser: Browser, **wanted: Any) -> None:
    """Wait for an entry in the page's log that holds all this."""
    text = json.dumps(wanted)
    browser.eventually(
        f"window.log.some((entry) => Object.entries({text}).every(([key, value]) =>"
        " JSON.stringify(entry[key]) === JSON.stringify(value)))"
    )


def lines(browser: Browser, selector: str) -> list[str]:
    found: list[str] = browser.evaluate(
        f"[...document.querySelectorAll({json.dumps(selector + ' li')})].map((item) =>"
        " item.textContent)"
    )
    return found


def test_a_page_with_pusher_js(
    browser: Browser,
    server: FizzServer,
    python_sdk: pusher.Pusher,
    node_sdk: Scripted,
    tmp_path: Path,
) -> None:
    """Protocol: §6, §7, §8, §9.2, §10 with the browser build of pusher-js."""
    python_sdk.trigger("cache-prices", "price", {"p": 1})
    open_page(browser, server, "pusher.html", "ada")
    names = ["orders", "private-orders", "private-encrypted-vault", "cache-prices"]
    for name in names:
        wait_for(browser, channel=name, event="pusher:subscription_succeeded")
    wait_for(browser, channel="cache-prices", event="price", data={"p": 1})
    wait_for(browser, channel="presence-room", event="pusher:subscription_succeeded", data=1)
    assert lines(browser, "#members") == ["ada"]

    with server.client() as bob:
        bob.subscribe("presence-room", user_id="bob", user_info={"name": "Bob"})
        wait_for(browser, channel="presence-room", event="pusher:member_added", data=2)
        assert lines(browser, "#members") == ["Bob", "ada"]
        bob.trigger("client-wave", "presence-room", {"hand": "left"})
        wait_for(browser, wave={"hand": "left"}, by="bob")
        browser.evaluate("room.trigger('client-wave', { hand: 'right' })")
        assert bob.wait_for("client-wave", "presence-room") == {"hand": "right"}

        python_sdk.trigger(["orders", "private-orders"], "created", {"by": "Python", "id": 42})
        node_sdk.do("trigger", ["orders", "private-orders"], "created", {"by": "Node", "id": 43})
        python_sdk.trigger("private-encrypted-vault", "secret", {"by": "Python"})
        node_sdk.do("trigger", "private-encrypted-vault", "secret", {"by": "Node"})
        for name in ("orders", "private-orders"):
            wait_for(browser, channel=name, event="created", data={"by": "Python", "id": 42})
            wait_for(browser, channel=name, event="created", data={"by": "Node", "id": 43})
        for sdk in ("Python", "Node"):
            wait_for(browser, channel="private-encrypted-vault", event="secret", data={"by": sdk})

        browser.eventually("pusher.user.user_data && pusher.user.user_data.id === 'ada'")
        browser.eventually(
            "pusher.user.serverToUserChannel && pusher.user.serverToUserChannel.subscribed"
        )
        node_sdk.do("sendToUser", "ada", "notice", {"text": "hello Ada"})
        wait_for(browser, notice={"text": "hello Ada"})

        screenshot = tmp_path / "pusher-js.png"
        browser.screenshot(screenshot)
        assert screenshot.read_bytes().startswith(b"\x89PNG")
        assert "orders created" in " ".join(lines(browser, "#events"))
    wait_for(browser, channel="presence-room", event="pusher:member_removed", data=1)
    assert lines(browser, "#members") == ["ada"]
    assert [line for line in browser.console() if "SEVERE" in line] == []

    python_sdk.terminate_user_connections("ada")
    wait_for(browser, state="disconnected")
    reason = "Connection terminated by the application"
    wait_for(browser, error={"code": 4009, "message": reason})


def test_a_page_with_laravel_echo(
    browser: Browser,
    server: FizzServer,
    python_sdk: pusher.Pusher,
    node_sdk: Scripted,
    tmp_path: Path,
) -> None:
    """Protocol: §6, §7, §8 with laravel-echo in a browser."""
    event = "App\\Events\\OrderShipped"
    open_page(browser, server, "echo.html", "ada")
    for name in ("orders", "private-orders"):
        wait_for(browser, subscribed=name)
    wait_for(browser, here=["ada"])
    with server.client() as bob:
        bob.subscribe("presence-room", user_id="bob", user_info={"name": "Bob"})
        wait_for(browser, joining="Bob")
        assert lines(browser, "#members") == ["Bob", "ada"]
        python_sdk.trigger(["orders", "private-orders"], event, {"by": "Python", "id": 42})
        node_sdk.do("trigger", ["orders", "private-orders"], event, {"by": "Node", "id": 43})
        for name in ("orders", "private-orders"):
            wait_for(browser, heard=name, data={"by": "Python", "id": 42})
            wait_for(browser, heard=name, data={"by": "Node", "id": 43})
        bob.trigger("client-wave", "presence-room", {"hand": "left"})
        wait_for(browser, wave="left")
        browser.evaluate("void room.whisper('wave', { hand: 'right' })")
        assert bob.wait_for("client-wave", "presence-room") == {"hand": "right"}
        screenshot = tmp_path / "laravel-echo.png"
        browser.screenshot(screenshot)
        assert screenshot.read_bytes().startswith(b"\x89PNG")
        assert len(lines(browser, "#events")) == 5
    wait_for(browser, leaving="Bob")
    assert lines(browser, "#members") == ["ada"]
    assert [line for line in browser.console() if "SEVERE" in line] == []


@pytest.mark.parametrize("page", ["pusher.html", "echo.html"])
def test_a_page_that_is_closed_leaves_at_once(
    browser: Browser, server: FizzServer, page: str
) -> None:
    """Protocol: §6.4 on close, §7.3: a browser's own close handshake (1001)."""
    with server.client() as bob:
        bob.subscribe("presence-room", user_id="bob")
        open_page(browser, server, page, "eve")
        added = {"user_id": "eve", "user_info": {"name": "eve"}}
        assert bob.wait_for("pusher_internal:member_added") == added
        browser.rest()
        assert bob.wait_for("pusher_internal:member_removed") == {"user_id": "eve"}


def test_an_origin_that_is_not_listed_is_turned_away(
    browser: Browser, fizz: Callable[..., FizzServer]
) -> None:
    """Protocol: §1.3, 7, by the header that a browser itself sends; §4.2, no retry."""
    app = App()
    server = fizz(apps=[app.settings(allowed_origins=["example.com"])])
    browser.open("pusher.html", port=server.port, key=app.key, secret=app.secret, user="ada")
    wait_for(browser, error={"code": 4009, "message": "Origin not allowed"})
    wait_for(browser, state="disconnected")
