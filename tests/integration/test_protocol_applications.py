"""Several applications in one server, and where a server is reached."""

from collections.abc import Callable, Iterator

import pytest

from tests.harness.certificates import Certificate
from tests.harness.pusher_client import PusherClient
from tests.harness.refusals import expect_refusal
from tests.harness.server import FizzServer
from tests.harness.signing import App

ONE = App("1001", "key-one", "secret-one")
TWO = App("1002", "key-two", "secret-two")
SECURE = App("1003", "key-secure", "secret-secure")
FULL = App("1004", "key-full", "secret-full")

TLS_REQUIRED = (4000, "Application only accepts SSL connections, reconnect using wss://")


@pytest.fixture(scope="module")
def server(module_fizz: Callable[..., FizzServer]) -> FizzServer:
    """Two applications behind a prefix and a trusted proxy, and one that wants TLS."""
    return module_fizz(
        apps=[
            ONE.settings(subscription_counts=True),
            TWO.settings(subscription_counts=True),
            SECURE.settings(require_tls=True),
            FULL.settings(max_connections=1),
        ],
        server={"path": "/a/prefix", "trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]},
    )


Pair = tuple[PusherClient, PusherClient]


@pytest.fixture
def clients(server: FizzServer) -> Iterator[Pair]:
    """One client of each application."""
    with server.client(ONE) as one, server.client(TWO) as two:
        yield one, two


def test_equal_channels_are_different_channels(server: FizzServer, clients: Pair) -> None:
    """Protocol: §6.6, §11: events, counts and subscriptions belong to one application."""
    for client in clients:
        client.subscribe("orders")
        assert client.expect("pusher_internal:subscription_count") == {"subscription_count": 1}
    one, two = clients
    one.expect_nothing()
    server.api(ONE).trigger("orders", "created", "1")
    assert one.expect("created") == 1
    two.expect_nothing()
    one.unsubscribe("orders")
    two.expect_nothing()
    assert server.api(ONE).get("/channels").json == {"channels": {}}
    assert server.api(TWO).get("/channels").json == {"channels": {"orders": {}}}


def test_a_socket_id_excludes_in_its_own_application_only(
    server: FizzServer, clients: Pair
) -> None:
    """Protocol: §6.6, §12.3 "unknown ids are ignored"."""
    one, two = clients
    for client in clients:
        client.subscribe("orders")
        client.pending()
    server.api(TWO).trigger("orders", "created", "1", socket_id=one.socket_id)
    assert two.expect("created") == 1
    one.expect_nothing()


def test_members_know_only_their_own(server: FizzServer, clients: Pair) -> None:
    """Protocol: §7.3, §8."""
    one, two = clients
    for client, user_id in ((one, "ann"), (two, "bob")):
        reply = client.subscribe("presence-room", user_id=user_id)
        assert reply["presence"]["ids"] == [user_id]
    one.trigger("client-hi", "presence-room", 1)
    one.expect_nothing()
    two.expect_nothing()
    users = server.api(TWO).get("/channels/presence-room/users").json
    assert users == {"users": [{"id": "bob"}]}
    one.close()
    two.expect_nothing()


def test_users_of_the_same_id_are_strangers(server: FizzServer, clients: Pair) -> None:
    """Protocol: §9.2, §9.3, §9.4."""
    one, two = clients
    one.signin("ann", watchlist=["bob"])
    one.expect("pusher_internal:watchlist_events")
    two.signin("bob", watchlist=["ann"])
    assert two.expect("pusher_internal:watchlist_events") == {
        "events": [{"name": "offline", "user_ids": ["ann"]}]
    }
    one.expect_nothing()
    two.subscribe("#server-to-user-bob")
    server.api(ONE).trigger("#server-to-user-bob", "notice")
    server.api(ONE).post("/users/bob/terminate_connections", {})
    two.expect_nothing()


def test_a_signature_of_another_application_opens_nothing(clients: Pair) -> None:
    """Protocol: §6.2, "must equal the app's key"; §9.1."""
    one, _ = clients
    auth = TWO.channel_auth(one.socket_id, "private-orders")
    one.request_subscription("private-orders", auth=auth)
    expect_refusal(one, "private-orders", "AuthError", 401, 4009)
    mixed = f"{ONE.key}:{auth.split(':')[1]}"
    one.request_subscription("private-orders", auth=mixed)
    expect_refusal(one, "private-orders", "AuthError", 401, 4009)


def test_a_key_opens_its_own_application_only(server: FizzServer) -> None:
    """Protocol: §12.1, 2: the key must belong to the application of the path."""
    mixed = App(app_id=TWO.app_id, key=ONE.key, secret=ONE.secret)
    assert server.api(mixed).get("/channels").status == 401


def test_a_full_application_does_not_fill_the_others(server: FizzServer) -> None:
    """Protocol: §1.3, 8."""
    with server.client(FULL):
        with server.websocket(app=FULL) as refused:
            assert refused.recv_close()[0] == 4004
        for app in (ONE, TWO):
            server.client(app).close()


def test_the_prefix_stands_before_everything(server: FizzServer) -> None:
    """Protocol: §1.1, §12.1, 7: the prefix is not signed; §12.10: /up without it too."""
    api = server.api(ONE)
    for path in ("/a/prefix/app/key-one/", "/app/key-one", "/a/prefix", "/prefix/app/key-one"):
        with server.websocket(path) as refused:
            assert refused.recv_close() == (4005, "Path not found")
    assert api.get("/channels").status == 200
    bare = FizzServer(server.folder, apps=server.apps)
    bare.port = server.port
    assert bare.api(ONE).get("/channels").status == 404
    for path in ("/up", "/ready"):
        assert api.request("GET", path, query="").status == 200
        assert bare.api(ONE).request("GET", path, query="").status == 200


@pytest.mark.parametrize(
    ("proto", "is_secure"),
    [
        ("https", True),
        ("wss", True),
        ("HTTPS", True),
        ("http, https", True),
        ("https, http", False),
        ("http", False),
        ("", False),
        (None, False),
    ],
)
def test_a_trusted_proxy_tells_whether_there_was_tls(
    server: FizzServer, proto: str | None, is_secure: bool
) -> None:
    """Protocol: §1.3, 5."""
    headers = {} if proto is None else {"X-Forwarded-Proto": proto}
    if is_secure:
        server.client(SECURE, headers=headers).close()
    else:
        with server.websocket(app=SECURE, headers=headers) as refused:
            error = {"code": TLS_REQUIRED[0], "message": TLS_REQUIRED[1]}
            assert refused.recv_event() == {"event": "pusher:error", "data": error}
            assert refused.recv_close() == TLS_REQUIRED


def test_tls_of_ones_own_is_tls(fizz: Callable[..., FizzServer], certificate: Certificate) -> None:
    """Protocol: §1.3, 5: direct."""
    server = fizz(
        apps=[SECURE.settings(require_tls=True)],
        server={"options": {"tls": {"cert": str(certificate.cert), "key": str(certificate.key)}}},
        tls=certificate.client_context(),
    )
    with server.client() as client:
        client.subscribe("private-orders")
        server.api().trigger("private-orders", "created", "x" * 10_000)
        assert client.expect("created") == "x" * 10_000


def test_old_credentials_are_valid_until_their_time(fizz: Callable[..., FizzServer]) -> None:
    """Protocol: §12.1 and §6.2 with the pair that a rotation has left valid."""
    old = App("1001", "old-key", "old-secret")
    new = App("1001", "new-key", "new-secret")
    gone = App("1002", "gone-key", "gone-secret")
    server = fizz(
        apps=[
            new.settings(previous={"key": old.key, "secret": old.secret, "until": "2999-01-01"}),
            TWO.settings(
                previous={"key": gone.key, "secret": gone.secret, "until": "2001-01-01T00:00:00Z"}
            ),
        ]
    )
    with server.client(old) as before, server.client(new) as after:
        for client in (before, after):
            client.subscribe("private-orders")
            client.signin("ann")
        before.app, after.app = after.app, before.app  # whichever way they are mixed
        for client in (before, after):
            client.subscribe("private-orders")
        server.api(old).trigger("private-orders", "one")
        server.api(new).trigger("private-orders", "two")
        for client in (before, after):
            assert [event["event"] for event in client.pending()] == ["one", "two"]
    with server.websocket(app=gone) as refused:
        assert refused.recv_close() == (4001, "Application does not exist")
    assert server.api(gone).get("/channels").status == 401


def test_a_key_is_not_found_by_another_spelling(server: FizzServer) -> None:
    """Protocol: §1.3, 3."""
    for key in ("KEY-ONE", "key-on", "key-one%20", "key%2done%00", "1001"):
        with server.websocket(f"/a/prefix/app/{key}") as refused:
            assert refused.recv_close()[0] == 4001, key
    with server.websocket("/a/prefix/app/key%2Done?protocol=7") as escaped:
        assert escaped.recv_event()["event"] == "pusher:connection_established"
