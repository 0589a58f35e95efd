"""The rows of the table of differences that are about the HTTP API; the others stand elsewhere."""

import hashlib
import time
from typing import Any

import pytest

from tests.harness.http_api import Answer
from tests.harness.server import FizzServer
from tests.harness.signing import App

NOTHING_MD5 = hashlib.md5(b"").hexdigest()


def event(**others: Any) -> dict[str, Any]:
    return {"name": "x", "channels": ["orders"], "data": "{}", **others}


def read(server: FizzServer, path: str, **how: Any) -> Answer:
    return server.api().request("GET", f"/apps/{server.app.app_id}{path}", **how)


def test_success_with_nothing_to_report_is_an_empty_object(server: FizzServer) -> None:
    """Protocol: §14 "trigger success body", "batch success body"; §12.2."""
    api = server.api()
    answer = api.post("/events", event())
    assert (answer.status, answer.body) == (200, b"{}")
    batch = [{"channel": "orders", "name": "x", "data": ""}]
    answer = api.post("/batch_events", {"batch": batch})
    assert (answer.status, answer.body) == (200, b"{}")
    batch.append({**batch[0], "info": "subscription_count"})
    answer = api.post("/batch_events", {"batch": batch})
    assert answer.body == b'{"batch":[{},{"subscription_count":0}]}'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (event(name=None), 400),
        (event(name="pusher:x"), 400),
        (event(channels=[]), 400),
        (event(channels=["a b"]), 400),
        (event(socket_id="1"), 400),
        ([event()], 400),
        (b"{", 400),
        (event(data="x" * 10_240), 200),
        (event(data="x" * 10_241), 413),
        (event(data="ä" * 5_121), 413),
    ],
)
def test_a_bad_trigger_has_the_documented_status(
    server: FizzServer, body: Any, status: int
) -> None:
    """Protocol: §14 "invalid trigger", "too large"; §12.2: never 422."""
    answer = server.api().post("/events", body)
    assert answer.status == status
    if status != 200:
        assert answer.json["code"] == status
        assert set(answer.json) == {"error", "code"}


@pytest.mark.parametrize("digest", [None, NOTHING_MD5])
def test_a_read_may_carry_the_digest_of_nothing(server: FizzServer, digest: str | None) -> None:
    """Protocol: §14 "GET with body_md5 of nothing"; §12.1, 5."""
    assert read(server, "/channels", params=digest and {"body_md5": digest}).status == 200


def test_a_read_may_not_carry_another_digest(server: FizzServer) -> None:
    """Protocol: §12.1, 5: if present it must be that of nothing."""
    assert read(server, "/channels", params={"body_md5": "0" * 32}).status == 401


@pytest.mark.parametrize(("seconds", "status"), [(-590, 200), (590, 200), (-610, 401), (610, 401)])
def test_a_timestamp_may_be_ten_minutes_off(server: FizzServer, seconds: int, status: int) -> None:
    """Protocol: §14 "timestamp window"; §12.1, 4."""
    assert read(server, "/channels", timestamp=int(time.time()) + seconds).status == status


def test_the_key_has_to_be_the_applications(server: FizzServer) -> None:
    """Protocol: §14 "key must match app id"; §12.1, 2: also with the right secret."""
    stranger = App(server.app.app_id, "another-key", server.app.secret)
    assert server.api(stranger).get("/channels").status == 401


def test_an_empty_presence_channel_has_no_users(server: FizzServer) -> None:
    """Protocol: §14 "users of empty presence"; §12.7."""
    answer = server.api().get("/channels/presence-nobody/users")
    assert (answer.status, answer.json) == (200, {"users": []})


def test_the_python_librarys_way_to_terminate(server: FizzServer) -> None:
    """Protocol: §14 "Python's terminate path"; §12.8."""
    with server.client() as client:
        client.signin("ann")
        answer = server.api().request("POST", "/users/ann/terminate_connections", body=b"{}")
        assert (answer.status, answer.json) == (200, {})
        assert client.expect_close() == (4009, "Connection terminated by the application")
