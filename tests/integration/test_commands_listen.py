"""``fizz listen``: everything that happens in some channels, for as long as somebody looks."""

import json
import re
import signal
from datetime import datetime

from tests.conftest import Start
from tests.harness.commands import Listening, run_command
from tests.harness.eventually import eventually
from tests.harness.server import FizzServer
from tests.harness.signing import App


def publish(server: FizzServer, channel: str, name: str, data: str, app: App | None = None) -> None:
    """Publish as a back end does."""
    server.api(app).trigger(channel, name, data)


def test_events_are_printed_as_they_arrive(server: FizzServer) -> None:
    """Protocol: §6.6, §8."""
    with Listening(server, "news", "private-chat") as listening:
        listening.wait_for("fizz: listening to news")
        listening.wait_for("fizz: listening to private-chat")
        publish(server, "news", "order.created", '{"id": 42}')
        line = listening.event()
        assert re.fullmatch(r'\d\d:\d\d:\d\d  news          order\.created  \{"id": 42\}', line)
        with server.client() as client:
            client.subscribe("private-chat")
            client.trigger("client-typing", "private-chat", {"on": True})
            assert listening.event().endswith('  private-chat  client-typing  {"on":true}')
        publish(server, "news", "tricky", "\x1b[2J\nx")
        assert listening.event().endswith("  news          tricky  \\x1b[2J\\nx")
        assert listening.stop() == 0
        assert listening.no_events()


def test_lines_of_json_for_scripts(server: FizzServer) -> None:
    """Protocol: §7.2, §8: who joins, and who sent a client event."""
    with Listening(server, "presence-room", "--json") as listening:
        listening.wait_for("listening to presence-room, as a member beside 0 others")
        with server.client() as client:
            roster = client.subscribe("presence-room", user_id="u-7")
            assert roster["presence"]["ids"].count("fizz-listen") == 1
            joined = json.loads(listening.event())
            assert joined["event"] == "pusher_internal:member_added"
            assert json.loads(joined["data"])["user_id"] == "u-7"
            client.trigger("client-hi", "presence-room", {"a": "ü"})
            said = json.loads(listening.event())
        moment = datetime.fromisoformat(said.pop("time"))
        assert abs((datetime.now(moment.tzinfo) - moment).total_seconds()) < 60
        assert said == {
            "channel": "presence-room",
            "event": "client-hi",
            "data": '{"a":"ü"}',
            "user_id": "u-7",
        }
        assert json.loads(listening.event())["event"] == "pusher_internal:member_removed"
        assert listening.stop(signal.SIGTERM) == 0


def test_a_cached_event_and_a_miss(server: FizzServer) -> None:
    """Protocol: §10."""
    publish(server, "cache-full", "e", "1")
    with Listening(server, "cache-full", "--json") as listening:
        assert json.loads(listening.event())["data"] == "1"
        assert listening.stop() == 0
    with Listening(server, "cache-void", "--json") as listening:
        assert json.loads(listening.event())["event"] == "pusher:cache_miss"
        assert listening.stop() == 0


def test_what_is_sent_to_a_user_until_the_user_is_terminated(server: FizzServer) -> None:
    """Protocol: §9.2, §9.4, §4.2: 4009 is not followed by another attempt."""
    with Listening(server, "#server-to-user-u-5", "--json") as listening:
        listening.wait_for("listening to #server-to-user-u-5")
        publish(server, "#server-to-user-u-5", "note", "{}")
        assert json.loads(listening.event())["event"] == "note"
        assert run_command(server, "terminate", "u-5").code == 0
        assert listening.wait() == 1
        assert listening.said[-1].endswith("4009 Connection terminated by the application")
    done = run_command(server, "listen", "#server-to-user-a", "#server-to-user-b")
    assert (done.code, done.out) == (2, "")


def test_it_comes_back_when_the_server_does(fizz: Start) -> None:
    """Protocol: §4.2: 4200 at once, then with growing pauses; §6.4: subscribed again."""
    server = fizz()
    with Listening(server, "news", "presence-a", "--json") as listening:
        listening.wait_for("listening to presence-a")
        server.stop()
        listening.wait_for("connection ended (4200 Generic reconnect immediately)")
        listening.wait_for("connection refused")
        server.settings["port"] = server.port
        server.start()
        listening.wait_for("listening to news", times=2)
        publish(server, "news", "again", "{}")
        assert json.loads(listening.event())["event"] == "again"
        assert listening.stop() == 0


def test_a_channel_that_is_refused_does_not_cost_the_others(server: FizzServer) -> None:
    """Protocol: §6.3."""
    with Listening(server, "bad name", "good", "--json") as listening:
        listening.wait_for("fizz: bad name: ")
        listening.wait_for("fizz: listening to good")
        publish(server, "good", "e", "1")
        assert json.loads(listening.event())["channel"] == "good"
        assert len(listening.said) == 2
        assert listening.stop() == 0
    complaint = run_command(server, "listen", "bad name").complaint
    assert complaint.startswith("fizz: bad name: ")


def test_a_key_that_nobody_knows_is_final(server: FizzServer) -> None:
    """Protocol: §1.3, §4.2: 4001."""
    empty = server.folder / "empty.yaml"
    empty.write_text("")
    environ = {
        "FIZZ_APP_ID": "1",
        "FIZZ_APP_KEY": "unknown",
        "FIZZ_APP_SECRET": "x",
        "FIZZ_PORT": str(server.port),
    }
    done = run_command(server, "listen", "a", f"--config={empty}", environ=environ)
    assert done.complaint.endswith("closes the connection: 4001 Application does not exist")


def test_a_server_that_is_not_there_is_one_line(fizz: Start) -> None:
    server = fizz()
    server.stop()
    complaint = run_command(server, "listen", "a").complaint
    assert complaint.startswith(f"fizz: cannot reach http://127.0.0.1:{server.port} (host: ")
    assert complaint.endswith("connection refused; is the server running?")


def test_one_application_of_several_whatever_origins_it_allows(fizz: Start) -> None:
    """Protocol: §1.3: a list without ``*`` refuses a missing ``Origin``."""
    one, two = App("1", "k1", "s1"), App("2", "k2", "s2")
    limited = two.settings(allowed_origins=["*.example.com"], strict_protocol=True)
    server = fizz(apps=[one.settings(), limited])
    with Listening(server, "private-news", "--app=2", "--json") as listening:
        listening.wait_for("listening to private-news")
        publish(server, "private-news", "not for us", "1", one)
        publish(server, "private-news", "for us", "2", two)
        assert json.loads(listening.event())["event"] == "for us"
        assert listening.stop() == 0


def test_a_reader_that_has_seen_enough_ends_it_quietly(server: FizzServer) -> None:
    """As ``fizz listen pipe | head -1`` does."""
    with Listening(server, "pipe", reader=["head", "-1"]) as listening:
        listening.wait_for("listening to pipe")
        publish(server, "pipe", "e", "1")
        assert listening.event().endswith("  pipe  e  1")
        listening.wait_for_reader()
        publish(server, "pipe", "e", "2")
        assert listening.wait() == 0
        assert listening.said == ["fizz: listening to pipe"]


def test_pings_of_the_server_are_answered(fizz: Start) -> None:
    """Protocol: §3: a silent client is closed with 4201; this one answers."""
    app = App()
    limits = {"ping_interval": 1, "pong_timeout": 1, "activity_timeout": 20}
    server = fizz(apps=[app.settings(**limits)])
    with Listening(server, "quiet", "other") as listening:
        listening.wait_for("listening to other")
        for _ in range(2):  # each of these is borne for as long as the server bears silence
            with server.websocket() as silent:
                assert silent.recv_close()[0] == 4201
        publish(server, "quiet", "e", "1")
        assert listening.event().endswith("  e  1")
        assert listening.stop() == 0
        assert len(listening.said) == 2


def test_silence_of_the_server_is_asked_about(fizz: Start) -> None:
    """Protocol: §3: the client's own probe, and the answer to it."""
    limits = {"ping_interval": 3600, "activity_timeout": 1}
    server = fizz(apps=[App().settings(**limits)], options=["--debug"])
    with Listening(server, "quiet") as listening:
        eventually(lambda: server.stderr.count("pusher:pong") >= 2, what="two answers to pings")
        assert listening.stop() == 0
        assert listening.said == ["fizz: listening to quiet"]
