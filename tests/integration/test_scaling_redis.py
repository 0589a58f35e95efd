"""Every way to reach Redis, and every Redis that is refused."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import Start
from tests.harness.certificates import Certificate, make_certificate
from tests.harness.cluster import Cluster, is_partial
from tests.harness.eventually import eventually
from tests.harness.redis_server import RedisServer, Sentinel
from tests.harness.server import FizzServer, free_port

pytestmark = pytest.mark.needs_redis

SECRET = "o:p/e@n %sésame"
Launch = Callable[..., RedisServer]


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Start Redis servers for one test; the keywords are those of ``RedisServer``."""
    servers: list[RedisServer] = []

    def launch(**how: Any) -> RedisServer:
        servers.append(RedisServer(tmp_path_factory.mktemp("redis"), **how))
        servers[-1].start()
        return servers[-1]

    yield launch
    for server in servers:
        server.kill()


def scaling(**server: Any) -> dict[str, Any]:
    return {"workers": 1, "scaling": {"enabled": True, "lease_seconds": 2, "server": server}}


def assert_meet(one: FizzServer, two: FizzServer) -> None:
    """An event of one node arrives at the other."""
    for node in (one, two):
        eventually(lambda node=node: not is_partial(node))
    with two.client() as client:
        client.subscribe("orders")
        one.api().trigger("orders", "news", 1)
        assert client.expect("news") == 1


def refusal(tmp_path: Path, environ: dict[str, str] | None = None, **server: Any) -> str:
    """Start a node that must not run; return the one line that it leaves behind."""
    settings = scaling(**server)
    node = FizzServer(tmp_path, server={**settings, "port": free_port()}, environ=environ)
    (tmp_path / "run").mkdir()
    node.launch()
    assert node.wait(within=15) == 2, node.logs()
    assert node.stdout == ""
    lines = node.stderr.splitlines()
    assert len(lines) == 1, node.stderr
    return lines[0]


def test_a_unix_socket_is_as_good_as_a_port(fizz: Start, redis: Launch) -> None:
    server = redis()
    by_port = fizz(server=scaling(host="127.0.0.1", port=server.port))
    by_socket = fizz(server=scaling(url=f"unix://{quote(str(server.socket))}"))
    assert_meet(by_port, by_socket)


def test_a_password_alone_and_a_user_with_one_by_settings_by_url_and_by_environment(
    fizz: Start, redis: Launch, tmp_path: Path
) -> None:
    server = redis()
    with server.client() as client:
        client.acl_setuser(
            "fizz",
            enabled=True,
            passwords=[f"+{SECRET}"],
            categories=["+@all"],
            keys=["*"],
            channels=["*"],
        )
        client.config_set("requirepass", SECRET)
    escaped, port = quote(SECRET, safe=""), server.port
    by_user = scaling(host="127.0.0.1", port=port, username="fizz", password=SECRET)
    one = fizz(server=by_user)
    assert_meet(one, fizz(server=scaling(url=f"redis://fizz:{escaped}@127.0.0.1:{port}/0")))
    assert_meet(one, fizz(server=scaling(url=f"redis://:{escaped}@127.0.0.1:{port}")))
    path = f"unix://:{escaped}@{quote(str(server.socket))}"
    assert_meet(one, fizz(server=scaling(url=path)))
    environ = {
        "FIZZ_SCALING_ENABLED": "true",
        "REDIS_PORT": str(port),
        "REDIS_USERNAME": "fizz",
        "REDIS_PASSWORD": SECRET,
    }
    plain = fizz(server={"workers": 1}, environ=environ)
    assert_meet(one, plain)
    for node in (one, plain):
        assert SECRET not in node.stdout + node.stderr


def test_a_user_may_have_no_more_rights_than_the_page_on_scaling_says(
    fizz: Start, redis: Launch
) -> None:
    server = redis()
    with server.client() as client:
        client.acl_setuser(
            "fizz",
            enabled=True,
            passwords=[f"+{SECRET}"],
            categories=["+@read", "+@write", "+@pubsub", "+@scripting", "+@connection"],
            commands=["+time"],
            keys=["fizz:*"],
            channels=["fizz:*"],
        )
        client.acl_setuser("default", enabled=False)
    narrow = scaling(port=server.port, username="fizz", password=SECRET)
    one, two = (fizz(server=narrow) for _ in range(2))
    assert_meet(one, two)
    with two.client() as client, one.client() as other:
        client.subscribe("presence-cache-room", user_id="ann")
        assert other.subscribe("presence-cache-room", user_id="bob")["presence"]["count"] == 2
        one.stop()
        assert client.wait_for("pusher_internal:member_removed") == {"user_id": "bob"}


def test_databases_are_apart_in_state_and_meet_on_the_bus_only_by_name(
    fizz: Start, redis: Launch
) -> None:
    server = redis()
    one = fizz(server=scaling(port=server.port, db=3))
    two = fizz(server=scaling(url=f"redis://127.0.0.1:{server.port}/3"))
    assert_meet(one, two)
    with server.client(db=3) as client:
        assert client.hlen("fizz:nodes") == 2


@pytest.mark.parametrize("scheme", ["rediss", "unchecked"])
def test_tls_with_a_certificate_of_our_own(
    fizz: Start, redis: Launch, certificate: Certificate, scheme: str
) -> None:
    server = redis(certificate=certificate)
    url = f"rediss://127.0.0.1:{server.port}/0"
    trust = {"tls_ca": str(certificate.cert)} if scheme == "rediss" else {"tls_verify": False}
    assert_meet(fizz(server=scaling(url=url, **trust)), fizz(server=scaling(url=url, **trust)))


def test_an_unknown_certificate_is_one_line(
    redis: Launch, certificate: Certificate, tmp_path: Path
) -> None:
    server = redis(certificate=certificate)
    line = refusal(tmp_path, url=f"rediss://127.0.0.1:{server.port}/0")
    assert "certificate" in line
    assert "scaling.server.url" in line


def test_a_certificate_of_another_host_is_one_line(redis: Launch, tmp_path: Path) -> None:
    (tmp_path / "fizz").mkdir()
    certificate = make_certificate(tmp_path)
    server = redis(certificate=certificate)
    url = f"rediss://127.0.0.2:{server.port}/0"
    # Redis listens on one address only; the name is what is wrong here.
    with server.client() as client:
        client.config_set("bind", "127.0.0.1 127.0.0.2")
    line = refusal(tmp_path / "fizz", url=url, tls_ca=str(certificate.cert))
    assert "certificate" in line


def test_a_wrong_password_and_a_missing_one_are_one_line(redis: Launch, tmp_path: Path) -> None:
    server = redis(settings=["--requirepass", SECRET])
    for name, password in (("wrong", {"password": "wrong"}), ("missing", {})):
        folder = tmp_path / name
        folder.mkdir()
        line = refusal(folder, port=server.port, **password)
        assert "credentials" in line
        assert "scaling.server" in line
        assert SECRET not in line


def test_a_database_that_is_not_there_is_one_line(redis: Launch, tmp_path: Path) -> None:
    assert "DB index" in refusal(tmp_path, port=redis().port, db=99)


def test_a_redis_that_is_too_old_is_one_line(tmp_path: Path) -> None:
    """Played by a server that agrees to everything and has an old version."""

    class Old(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.readline():
                words = []
                for _ in range(int(head[1:])):
                    size = int(self.rfile.readline()[1:])
                    words.append(self.rfile.read(size + 2)[:size].upper())
                version = b"redis_version:6.0.16\r\n"
                bulk = b"$%d\r\n%b\r\n" % (len(version), version)
                self.wfile.write(bulk if words[0] == b"INFO" else b"+OK\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Old) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            line = refusal(tmp_path, port=server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
    assert "Redis 6.0.16 is too old" in line
    assert "scaling.server" in line


def test_a_redis_cluster_is_one_line(redis: Launch, tmp_path: Path) -> None:
    server = redis(settings=["--cluster-enabled", "yes"])
    line = refusal(tmp_path, port=server.port)
    assert "Redis Cluster" in line
    assert "not supported" in line


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:port/0",
        "redis://127.0.0.1:99999/0",
        "redis://127.0.0.1:6379/zero",
        "redis://127.0.0.1:6379/0?no_such_parameter=1",
        "http://127.0.0.1:6379",
        "redis+sentinel://127.0.0.1:26379",
        "redis+sentinel://127.0.0.1:26379/service/zero",
        "redis+sentinel://127.0.0.1:port/service",
    ],
)
def test_a_malformed_url_is_one_line(tmp_path: Path, url: str) -> None:
    line = refusal(tmp_path, url=url)
    assert "scaling.server.url" in line


def test_sentinel_names_the_master_and_the_next_one(
    fizz: Start, redis: Launch, tmp_path: Path
) -> None:
    master = redis()
    replica = redis(settings=["--replicaof", "127.0.0.1", str(master.port)])
    sentinel = Sentinel(tmp_path, master.port)
    sentinel.start()
    try:
        eventually(lambda: len(sentinel.ask("sentinel", "replicas", Sentinel.SERVICE)) == 1)
        silent = free_port()
        url = f"redis+sentinel://127.0.0.1:{silent},127.0.0.1:{sentinel.port}/{Sentinel.SERVICE}/0"
        one, two = (fizz(server=scaling(url=url)) for _ in range(2))
        assert_meet(one, two)
        with two.client() as client, one.client() as member:
            client.subscribe("orders")
            member.subscribe("presence-room", user_id="ann")
            with replica.client() as seen:
                eventually(lambda: seen.hlen("fizz:nodes") == 2)
            master.kill()
            one.api().trigger("orders", "news", 2)
            eventually(lambda: sentinel.master_port == replica.port, within=30)
            one.api().trigger("orders", "news", 3)
            assert [client.expect("news", within=20) for _ in range(2)] == [2, 3]
            for node in (one, two):
                eventually(lambda node=node: not is_partial(node))
            answer = two.api().get("/channels/presence-room/users").json
            assert answer == {"users": [{"id": "ann"}]}
            client.expect_nothing()
    finally:
        sentinel.kill()


def test_two_installations_on_one_redis_never_meet(fizz: Start, redis: Launch) -> None:
    server = redis()
    first = Cluster(fizz, server, scaling={"channel": "blue"})
    second = Cluster(fizz, server, scaling={"channel": "blue:green"})
    for each in (first, second):
        each.await_joined()
    with first.nodes[0].client() as ours, second.nodes[0].client() as theirs:
        for client, user in ((ours, "ann"), (theirs, "bob")):
            client.subscribe("presence-room", user_id=user)
            client.signin(user)
        first.nodes[1].api().trigger("presence-room", "news", 1)
        second.nodes[1].api().trigger("presence-room", "news", 2)
        second.nodes[1].api().post("/users/ann/terminate_connections", {})
        assert ours.expect("news") == 1
        assert theirs.expect("news") == 2
        for client in (ours, theirs):
            client.expect_nothing()
        assert first.ask("/channels/presence-room/users") == {"users": [{"id": "ann"}]}
        assert second.ask("/connections") == {"connections": 1}
    with server.client() as client:
        assert all(key.startswith("blue:") for key in client.scan_iter())
