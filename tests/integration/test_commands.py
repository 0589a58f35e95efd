"""The commands that ask a running server and have it do something: one request each."""

import pytest

from tests.conftest import Start
from tests.harness.commands import Outcome, run_command
from tests.harness.eventually import eventually
from tests.harness.pusher_client import Closed
from tests.harness.server import FizzServer
from tests.harness.signing import App

ONE = App("1001", "key-one", "secret-one")
TWO = App("two-2", "key-two", "secret-two")


@pytest.fixture(scope="module")
def server(module_fizz: Start) -> FizzServer:
    return module_fizz(apps=[ONE.settings(), TWO.settings()])


def fizz(server: FizzServer, *words: str, app: str = ONE.app_id, stdin: bytes = b"") -> Outcome:
    return run_command(server, *words, f"--app={app}", stdin=stdin)


def test_an_event_is_published_with_its_data_as_given(server: FizzServer) -> None:
    """Protocol: §12.3, §6.6: the publisher's string untouched."""
    data = '{"id": 42,  "name":"Größe"}'
    with server.client(ONE) as ann, server.client(ONE) as bob:
        ann.subscribe("cmd-orders")
        bob.subscribe("private-cmd")
        words = ("trigger", "cmd-orders", "private-cmd", "--event=order.created", "--data", data)
        done = fizz(server, *words)
        for client, channel in ((ann, "cmd-orders"), (bob, "private-cmd")):
            found = client.next_event()
            assert (found["event"], found["channel"]) == ("order.created", channel)
            assert '"data":"{\\"id\\": 42,  \\"name\\":\\"Größe\\"}"' in found["raw"]
    assert done.out == (
        "Published order.created:\n  cmd-orders   1 subscription\n  private-cmd  1 subscription\n"
    )
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("piped", "data"),
    [(b'{"a":[1,2]}\n', {"a": [1, 2]}), (b"hello\n", "hello"), (b"[]", [])],
)
def test_data_comes_from_standard_input(server: FizzServer, piped: bytes, data: object) -> None:
    with server.client(ONE) as client:
        client.subscribe("cmd-piped")
        words = ("trigger", "cmd-piped", "--event=e", "--data=-")
        done = fizz(server, *words, "--json", stdin=piped)
        assert client.expect("e", "cmd-piped") == data
    assert done.json == {"channels": {"cmd-piped": {"subscription_count": 1}}}


def test_the_connection_that_sent_it_is_left_out(server: FizzServer) -> None:
    """Protocol: §12.3, ``socket_id``."""
    with server.client(ONE) as sender, server.client(ONE) as other:
        for client in (sender, other):
            client.subscribe("cmd-sender")
        words = ("trigger", "cmd-sender", "--event=e", "--data=1")
        assert fizz(server, *words, f"--socket-id={sender.socket_id}").code == 0
        assert other.expect("e") == 1
        sender.expect_nothing()


def test_occupied_channels_with_their_counts(server: FizzServer) -> None:
    """Protocol: §12.5."""
    with server.client(TWO) as ann, server.client(TWO) as bob:
        ann.subscribe("news")
        bob.subscribe("news")
        ann.subscribe("private-a")
        ann.subscribe("presence-room", user_id="u-1")
        bob.subscribe("presence-room", user_id="u-1")
        listed = fizz(server, "channels", app=TWO.app_id)
        assert listed.lines == [
            ["CHANNEL", "SUBSCRIPTIONS", "USERS"],
            ["news", "2", "-"],
            ["presence-room", "2", "1"],
            ["private-a", "1", "-"],
            ["3", "channels"],
        ]
        whole = fizz(server, "channels", "--json", app=TWO.app_id).json
        room = {"subscription_count": 2, "user_count": 1}
        others = {"news": {"subscription_count": 2}, "private-a": {"subscription_count": 1}}
        assert whole == {"channels": {"presence-room": room, **others}}
        some = fizz(server, "channels", "pr", "--json", app=TWO.app_id).json
        assert some["channels"].keys() == {"presence-room", "private-a"}
        assert some["channels"]["presence-room"] == room
        narrow = fizz(server, "channels", "presence-ro", "--json", app=TWO.app_id).json
        assert narrow == {"channels": {"presence-room": room}}


def test_no_channel_is_occupied(server: FizzServer) -> None:
    """Protocol: §12.5."""
    done = fizz(server, "channels", "nobody-", "--json")
    assert done.json == {"channels": {}}
    done = fizz(server, "channels", "nobody-")
    assert done.out == "No channel that begins with nobody- is occupied.\n"


def test_one_channel(server: FizzServer) -> None:
    """Protocol: §12.6."""
    with server.client(ONE) as client:
        client.subscribe("presence-cmd", user_id="u-7")
        shown = fizz(server, "channel", "presence-cmd").lines
        assert shown == [
            ["Channel", "presence-cmd"],
            ["Occupied", "yes"],
            ["Subscriptions", "1"],
            ["Users", "1"],
        ]
    empty = fizz(server, "channel", "cmd-empty", "--json").json
    assert empty == {"occupied": False, "subscription_count": 0}


def test_what_a_cache_channel_keeps(server: FizzServer) -> None:
    """Protocol: §10, §12.6."""
    shown = fizz(server, "channel", "cache-cmd").lines
    assert shown[-1] == ["Cached", "nothing"]
    assert fizz(server, "trigger", "cache-cmd", "--event=e", '--data={"p":1}').code == 0
    kept = fizz(server, "channel", "cache-cmd", "--json").json["cache"]
    assert (kept["data"], 1700 < kept["ttl"] <= 1800) == ('{"p":1}', True)
    line = fizz(server, "channel", "cache-cmd").lines[-1]
    assert line[:2] == ["Cached", '{"p":1}']


def test_who_is_in_a_presence_channel(server: FizzServer) -> None:
    """Protocol: §12.7."""
    with server.client(ONE) as ann, server.client(ONE) as bob:
        ann.subscribe("presence-who", user_id="u-9")
        bob.subscribe("presence-who", user_id="u\x1b[31m-7")
        done = fizz(server, "users", "presence-who")
        assert done.out == "u\\x1b[31m-7\nu-9\n\n2 users in presence-who\n"
        users = fizz(server, "users", "presence-who", "--json").json["users"]
        assert sorted(user["id"] for user in users) == ["u\x1b[31m-7", "u-9"]
    eventually(lambda: "0 users" in fizz(server, "users", "presence-who").out)


def test_the_connections_of_a_user_are_closed(server: FizzServer) -> None:
    """Protocol: §9.4, §12.8."""
    with server.client(ONE) as client, server.client(ONE) as other:
        client.signin("u=7;x")
        other.signin("u-8")
        done = fizz(server, "terminate", "u=7;x")
        assert done.out == "Every connection that is signed in as u=7;x is being closed.\n"
        with pytest.raises(Closed) as end:
            client.wait_for("never")
        assert end.value.code == 4009
        other.expect_nothing()
    assert fizz(server, "terminate", "nobody", "--json").json == {}


def test_an_application_has_to_be_chosen_among_several(server: FizzServer) -> None:
    done = run_command(server, "channels")
    message = "fizz: several applications are configured; say which with --app: 1001, two-2\n"
    assert (done.code, done.out, done.err) == (2, "", message)
    done = run_command(server, "channels", "--app=3")
    assert done.err == "fizz: --app: no application has the id '3'; there is 1001, two-2\n"
    assert done.code == 2


@pytest.mark.parametrize(
    ("words", "words_of_the_server"),
    [
        (("trigger", "a b", "--event=e", "--data=1"), "apps/1001/events answers 400: "),
        (("trigger", "a", "--event=pusher:x", "--data=1"), "answers 400: "),
        (("trigger", "a", "--event=e", "--data=1", "--socket-id=x"), "answers 400: "),
        (("trigger", "a", "--event=e", "--data=" + "1" * 10_241), "answers 413: "),
        (("users", "public"), "apps/1001/channels/public/users answers 400: "),
        (("channel", "a/b"), "apps/1001/channels/a%2Fb answers 40"),
    ],
)
def test_a_refusal_is_one_line_with_the_servers_words(
    server: FizzServer, words: tuple[str, ...], words_of_the_server: str
) -> None:
    """Protocol: §12.2."""
    complaint = fizz(server, *words).complaint
    assert complaint.startswith(f"fizz: http://127.0.0.1:{server.port}/apps/1001/")
    assert words_of_the_server in complaint


@pytest.mark.parametrize("words", [("--json",), ()])
def test_credentials_that_the_server_does_not_know(
    server: FizzServer, words: tuple[str, ...]
) -> None:
    """Protocol: §12.1, §12.2: 401 and 404."""

    def ask(app_id: str, key: str, secret: str) -> str:
        environ = {
            "FIZZ_APP_ID": app_id,
            "FIZZ_APP_KEY": key,
            "FIZZ_APP_SECRET": secret,
            "FIZZ_PORT": str(server.port),
        }
        empty = server.folder / "empty.yaml"
        empty.write_text("")
        done = run_command(server, "channels", *words, f"--config={empty}", environ=environ)
        return done.complaint

    assert "answers 401: auth_signature is wrong" in ask(ONE.app_id, ONE.key, "other")
    assert "answers 401: auth_key 'other' is not" in ask(ONE.app_id, "other", ONE.secret)
    assert "answers 404: " in ask("9", ONE.key, ONE.secret)


def test_without_any_application_it_says_what_to_set(server: FizzServer) -> None:
    empty = server.folder / "empty.yaml"
    empty.write_text("")
    done = run_command(server, "channels", f"--config={empty}")
    assert (done.code, done.out) == (2, "")
    assert "set FIZZ_APP_ID, FIZZ_APP_KEY and FIZZ_APP_SECRET" in done.err


def test_data_that_the_shell_spoilt_is_refused_before_anything_is_sent(
    server: FizzServer,
) -> None:
    done = fizz(server, "trigger", "a", "--event=e", "--data={a:1}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("fizz: --data: not JSON: ")
