"""What back ends do over HTTP, and what clients see of it, on a running server. Protocol: §12."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Start
from tests.harness.pusher_client import PusherClient
from tests.harness.server import FizzServer
from tests.harness.signing import App, compact

OTHER = App("2002", "other-key", "other-secret")


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    """Two applications behind a path prefix."""
    return module_fizz(apps=[App().settings(), OTHER.settings()], server={"path": "/fizz"})


def unique(name: str) -> str:
    """A channel that no other test uses."""
    return f"{name}-{os.urandom(6).hex()}"


def test_the_harness_signs_as_the_protocol_computes() -> None:
    """Protocol: §12.1 and §12.8, the computed values; what follows is signed by the same code."""
    app = App("1001", "fizz-key", "fizz-secret")
    body = (
        b'{"name": "order.created", "channels": ["orders", "orders-eu"],'
        b' "data": "{\\"id\\": 42}", "socket_id": "483920.771204"}'
    )
    filters = {"filter_by_prefix": "presence-", "info": "user_count"}
    nothing = {"body_md5": "d41d8cd98f00b204e9800998ecf8427e"}
    requests: list[tuple[str, str, dict[str, str], bytes, str]] = [
        ("POST", "/apps/1001/events", {}, body, "9ba71100c3dd"),
        ("GET", "/apps/1001/channels", filters, b"", "ecda754db46b"),
        ("GET", "/apps/1001/channels", filters | nothing, b"", "9a62b147bcbe"),
        ("POST", "/apps/1001/users/u-7/terminate_connections", {}, b"{}", "00f8a764da31"),
        ("POST", "/users/u-7/terminate_connections", {}, b"{}", "234cc17f355c"),
    ]
    for method, path, params, sent, signature in requests:
        query = app.signed_query(method, path, params, sent, timestamp=1700000000)
        assert f"auth_signature={signature}" in query


def test_a_trigger_is_delivered_behind_a_prefix_that_is_not_signed(server: FizzServer) -> None:
    """Protocol: §12.3, §12.1 step 7."""
    orders, more = unique("orders"), unique("orders")
    with server.client() as listener, server.client() as sender:
        for channel in (orders, more):
            listener.subscribe(channel)
        sender.subscribe(orders)
        answer = server.api().post(
            "/events",
            {
                "name": "order.created",
                "channels": [orders, more],
                "data": '{"id":42}',
                "socket_id": sender.socket_id,
            },
        )
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.headers["content-type"] == "application/json"
        for channel in (orders, more):
            event = listener.next_event()
            assert json.loads(event["raw"]) == {
                "event": "order.created",
                "channel": channel,
                "data": '{"id":42}',
            }
        sender.expect_nothing()


def test_events_arrive_in_the_order_of_their_answers(server: FizzServer) -> None:
    """Protocol: §12.4 array order; requests of one kept-alive connection, single and batched."""
    channel = unique("orders")
    api = server.api()
    connection = api.connection()
    with server.client() as listener:
        listener.subscribe(channel)
        expected = []
        for number in range(0, 60, 3):
            batch = [{"name": "n", "channel": channel, "data": str(number + i)} for i in range(2)]
            single = {"name": "n", "channel": channel, "data": str(number + 2)}
            for path, value in (("/batch_events", {"batch": batch}), ("/events", single)):
                body = compact(value).encode()
                answer = api.request("POST", api.base + path, body=body, connection=connection)
                assert answer.body == b"{}"
            expected += [number, number + 1, number + 2]
        assert [listener.next_event()["data"] for _ in expected] == expected
    connection.close()


def test_publishers_at_the_same_time_lose_nothing(server: FizzServer) -> None:
    """Each publisher's own order is kept, whatever the others do."""
    channel = unique("orders")
    with server.client() as listener:
        listener.subscribe(channel)

        def publish(publisher: int) -> None:
            api = server.api()
            for number in range(25):
                api.trigger(channel, f"p{publisher}", str(number))

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(publish, range(6)))
        events = [listener.next_event() for _ in range(150)]
        listener.expect_nothing()
    for publisher in range(6):
        mine = [event["data"] for event in events if event["event"] == f"p{publisher}"]
        assert mine == list(range(25))


def test_info_comes_with_the_answer(server: FizzServer) -> None:
    """Protocol: §12.3 and §12.4, ``info``."""
    room, orders = unique("presence-room"), unique("orders")
    with server.client() as ann, server.client() as anns_phone, server.client() as bob:
        ann.subscribe(room, user_id="ann")
        anns_phone.subscribe(room, user_id="ann")
        bob.subscribe(room, user_id="bob")
        bob.subscribe(orders)
        api = server.api()
        both = "user_count,subscription_count"
        assert api.trigger([room, orders, orders], "x", info=both) == {
            "channels": {
                room: {"user_count": 2, "subscription_count": 3},
                orders: {"subscription_count": 1},
            }
        }
        batch = [
            {"name": "x", "channel": orders, "data": ""},
            {"name": "x", "channel": room, "data": "", "info": "user_count"},
        ]
        assert api.post("/batch_events", {"batch": batch}).json == {
            "batch": [{}, {"user_count": 2}]
        }


def test_reads_see_who_comes_and_goes(server: FizzServer) -> None:
    """Protocol: §12.5, §12.6, §12.7."""
    room = unique("presence-room")
    api = server.api()
    assert api.get(f"/channels/{room}").body == b'{"occupied":false}'
    assert api.get(f"/channels/{room}/users").body == b'{"users":[]}'
    with server.client() as ann, server.client() as bob:
        ann.subscribe(room, user_id="ann")
        bob.subscribe(room, user_id=7)
        info = api.get(f"/channels/{room}", info="user_count,subscription_count").json
        assert info == {"occupied": True, "user_count": 2, "subscription_count": 2}
        assert api.get(f"/channels/{room}/users").json == {"users": [{"id": "ann"}, {"id": "7"}]}
        found = api.get("/channels", filter_by_prefix=room, info="user_count").json
        assert found == {"channels": {room: {"user_count": 2}}}
        bob.unsubscribe(room)
        ann.wait_for("pusher_internal:member_removed", room)
        assert api.get(f"/channels/{room}/users").json == {"users": [{"id": "ann"}]}
        ann.unsubscribe(room)
        ann.expect_nothing()
    assert api.get("/channels", filter_by_prefix=room).body == b'{"channels":{}}'


def test_a_cache_channel_is_read_with_its_data_and_seconds(server: FizzServer) -> None:
    """Protocol: §12.6, ``cache``."""
    channel = unique("cache-prices")
    api = server.api()
    assert api.get(f"/channels/{channel}", info="cache").json == {
        "occupied": False,
        "cache": None,
    }
    api.trigger(channel, "x", '{"p":1}')
    cache = api.get(f"/channels/{channel}", info="cache").json["cache"]
    assert cache["data"] == '{"p":1}'
    assert type(cache["ttl"]) is int
    assert 1700 < cache["ttl"] <= 1800


def test_connections_are_counted_by_application(server: FizzServer) -> None:
    """Protocol: §12.10."""
    api = server.api(OTHER)
    before = api.get("/connections").json["connections"]
    with server.client(OTHER), server.client(OTHER), server.client():
        assert api.get("/connections").json == {"connections": before + 2}


def test_applications_share_nothing(server: FizzServer) -> None:
    """The same channel and user in two applications are two."""
    room = unique("presence-room")
    with server.client() as mine, server.client(OTHER) as theirs:
        mine.subscribe(room, user_id="ann")
        theirs.subscribe(room, user_id="ann")
        mine.signin("ann")
        theirs.signin("ann")
        server.api().trigger(room, "x", "1")
        mine.expect("x", room)
        theirs.expect_nothing()
        assert server.api(OTHER).get(f"/channels/{room}/users").json == {"users": [{"id": "ann"}]}
        assert server.api().post("/users/ann/terminate_connections", {}).status == 200
        assert mine.expect_close()[0] == 4009
        theirs.expect_nothing()
    forged = App(OTHER.app_id, App().key, App().secret)
    assert server.api(forged).get("/channels").status == 401


@pytest.mark.parametrize(
    "path", ["/apps/1001/users/{}/terminate_connections", "/users/{}/terminate_connections"]
)
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_terminate_closes_signed_in_connections(server: FizzServer, path: str, body: bytes) -> None:
    """Protocol: §12.8, both paths, §9.4."""
    user_id = f"ann@{os.urandom(4).hex()}.example"
    room = unique("presence-room")
    with server.client() as ann, server.client() as anns_phone, server.client() as present:
        ann.signin(user_id)
        anns_phone.signin(user_id)
        present.subscribe(room, user_id=user_id)
        sent = path.format(user_id.replace("@", "%40"))
        answer = server.api().request("POST", sent, body=body)
        assert (answer.status, answer.body) == (200, b"{}")
        closed = (4009, "Connection terminated by the application")
        assert ann.expect_close() == closed
        assert anns_phone.expect_close() == closed
        present.expect_nothing()


def test_a_signed_in_user_is_reached_by_the_users_channel(server: FizzServer) -> None:
    """Protocol: §9.2, also hidden from the list."""
    user_id = f"ann-{os.urandom(4).hex()}"
    channel = f"#server-to-user-{user_id}"
    with server.client() as ann:
        ann.signin(user_id)
        ann.subscribe(channel)
        server.api().trigger(channel, "notice", {"n": 1})
        assert ann.expect("notice", channel) == {"n": 1}
        assert channel not in server.api().get("/channels").json["channels"]


def test_a_request_of_a_page_reaches_the_others_but_not_itself(server: FizzServer) -> None:
    """Protocol: §12.3: an unknown ``socket_id`` is ignored, one of another shape is not."""
    channel = unique("orders")
    event = {"name": "x", "channel": channel, "data": "1"}
    with server.client() as page, server.client() as other:
        clients: list[PusherClient] = [page, other]
        for client in clients:
            client.subscribe(channel)
        assert server.api().post("/events", {**event, "socket_id": page.socket_id}).status == 200
        page.expect_nothing()
        other.expect("x", channel)
        assert server.api().post("/events", {**event, "socket_id": "1.1"}).status == 200
        for client in clients:
            client.expect("x", channel)
        assert server.api().post("/events", {**event, "socket_id": "1.1x"}).status == 400
