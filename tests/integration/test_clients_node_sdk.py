"""The official Node server SDK: every request it can make, and how it takes refusals."""

from collections.abc import Callable, Iterator

import pytest

from tests.harness.node import NodeScript
from tests.harness.scripted import CommandFailed, Scripted
from tests.harness.server import FizzServer
from tests.harness.signing import App

OPEN = App("1001", "open-key", "open-secret")
SLOW = App("1002", "slow-key", "slow-secret")


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    return module_fizz(apps=[OPEN.settings(), SLOW.settings(max_backend_events_per_second=1)])


@pytest.fixture
def sdk(node: Callable[..., NodeScript], server: FizzServer) -> Iterator[Scripted]:
    script = Scripted(node, "back_end.js", server)
    yield script
    script.finish()


def body_of(answer: dict[str, object]) -> object:
    assert answer["status"] == 200
    return answer["body"]


def test_trigger(server: FizzServer, sdk: Scripted) -> None:
    """Protocol: §12.3; success with nothing to report is exactly {}."""
    with server.client() as sender, server.client() as other:
        for client in (sender, other):
            client.subscribe("orders")
            client.subscribe("orders-eu")
        assert body_of(sdk.do("trigger", "orders", "one", {"ä": "☕"})) == {}
        params = {"socket_id": sender.socket_id}
        assert body_of(sdk.do("trigger", ["orders", "orders-eu"], "two", "text", params)) == {}
        assert [event["data"] for event in other.pending()] == [{"ä": "☕"}, "text", "text"]
        assert [event["event"] for event in sender.pending()] == ["one"]


def test_trigger_with_info(server: FizzServer, sdk: Scripted) -> None:
    """Protocol: §12.3, info."""
    with server.client() as client:
        client.subscribe("orders")
        client.subscribe("presence-room", user_id="ann")
        params = {"info": "subscription_count,user_count"}
        answer = sdk.do("trigger", ["orders", "presence-room"], "x", {}, params)
        assert body_of(answer) == {
            "channels": {
                "orders": {"subscription_count": 1},
                "presence-room": {"subscription_count": 1, "user_count": 1},
            }
        }


def test_trigger_batch(server: FizzServer, sdk: Scripted) -> None:
    """Protocol: §12.4."""
    with server.client() as client:
        client.subscribe("orders")
        batch = [{"channel": "orders", "name": "n", "data": {"n": n}} for n in range(10)]
        assert body_of(sdk.do("triggerBatch", batch)) == {}
        assert [client.expect("n")["n"] for _ in range(10)] == list(range(10))
        batch = [
            {"channel": "orders", "name": "n", "data": 1},
            {"channel": "orders", "name": "n", "data": 2, "info": "subscription_count"},
        ]
        answer = body_of(sdk.do("triggerBatch", batch))
        assert answer == {"batch": [{}, {"subscription_count": 1}]}


def test_what_the_library_encrypts_is_opaque(server: FizzServer, sdk: Scripted) -> None:
    """Protocol: §6.2, encrypted events travel as nonce and ciphertext."""
    with server.client() as client:
        client.subscribe("private-encrypted-vault")
        sdk.do("trigger", "private-encrypted-vault", "secret", {"word": "open"})
        assert set(client.expect("secret")) == {"nonce", "ciphertext"}


def test_users(server: FizzServer, sdk: Scripted) -> None:
    """Protocol: §9.2, §9.4, §12.8."""
    with server.client() as client:
        client.signin("ann")
        client.subscribe("#server-to-user-ann")
        assert body_of(sdk.do("sendToUser", "ann", "notice", {"n": 1})) == {}
        assert client.expect("notice", "#server-to-user-ann") == {"n": 1}
        assert body_of(sdk.do("terminateUserConnections", "ann")) == {}
        assert client.expect_close() == (4009, "Connection terminated by the application")


def test_reads(server: FizzServer, sdk: Scripted) -> None:
    """Protocol: §12.5, §12.6, §12.7, §12.10: signed without body_md5, with escaped values."""
    with server.client() as client:
        client.subscribe("presence-room=1,a;b@c", user_id="ann")
        client.subscribe("cache-prices")
        sdk.do("trigger", "cache-prices", "price", "7")
        params = {"filter_by_prefix": "presence-", "info": "user_count,subscription_count"}
        assert body_of(sdk.do("get", "/channels", params)) == {
            "channels": {"presence-room=1,a;b@c": {"user_count": 1, "subscription_count": 1}}
        }
        answer = sdk.do("get", "/channels/presence-room=1,a;b@c/users")
        assert body_of(answer) == {"users": [{"id": "ann"}]}
        params = {"info": "subscription_count,cache"}
        one = sdk.do("get", "/channels/cache-prices", params)["body"]
        assert (one["occupied"], one["subscription_count"]) == (True, 1)
        assert one["cache"]["data"] == "7"
        assert 0 < one["cache"]["ttl"] <= 1800
        assert sdk.do("get", "/connections")["body"]["connections"] >= 1


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["get", "/channels/a%20b"], 400),
        (["get", "/channels", {"info": "user_count"}], 400),
        (["get", "/nothing"], 404),
        (["post", "/events", {"name": "x"}], 400),
        (["trigger", "orders", "x", "x" * 10_241], 413),
    ],
)
def test_refusals_have_a_status_and_a_reason(
    sdk: Scripted, command: list[object], status: int
) -> None:
    """Protocol: §12.2."""
    with pytest.raises(CommandFailed) as caught:
        sdk.do(str(command[0]), *command[1:])
    assert caught.value.status == status
    assert f'"code":{status}' in str(caught.value.body)


def test_a_wrong_secret_is_refused(server: FizzServer, node: Callable[..., NodeScript]) -> None:
    """Protocol: §12.1, §12.2, 401."""
    script = Scripted(node, "back_end.js", server, App(OPEN.app_id, OPEN.key, "wrong"))
    with pytest.raises(CommandFailed) as caught:
        script.do("trigger", "orders", "x", {})
    assert caught.value.status == 401


def test_too_many_events_are_refused_for_a_while(
    server: FizzServer, node: Callable[..., NodeScript]
) -> None:
    """Protocol: §12.2, 429."""
    script = Scripted(node, "back_end.js", server, SLOW)

    def trigger_often() -> None:
        for _ in range(100):
            script.do("trigger", "orders", "x", {})

    with pytest.raises(CommandFailed) as caught:
        trigger_often()
    assert caught.value.status == 429
