"""Several clients who say anything: what each hears is well formed, and at the end nothing is left.

Protocol: §2, §6-§10.
"""

import json
from collections.abc import Iterator

from fizz_gevent.errors import FrameError
from fizz_gevent.protocol import frames
from fizz_gevent.protocol.names import kind_of
from tests.fuzz.source import Source
from tests.harness.signing import compact
from tests.unit.rooms import Client, Node, split

MAX_SIZE = 600
_CHANNELS = ("a", "cache-a", "private-a", "presence-a", "presence-b", "private-encrypted-a", "#!")
_WORDS = (
    *("pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:ping", "pusher:pong"),
    *("client-x", "client-", "pusher:other", "other"),
)
_WITH_OBJECT = ("pusher:error", "pusher:subscription_error", "pusher:signin_success")
DICTIONARY = (
    b'"channel":',
    b'"auth":',
    b'"channel_data":',
    b'"user_data":',
    b'{"event":',
    b"client-",
)


def seeds() -> Iterator[bytes]:
    """Steps of each kind, in several orders."""
    for step in range(1, 12):
        yield bytes((number * step) % 251 for number in range(200))
    yield bytes((0, 3, 0, 3, 1, 0, 0, 3, 1, 3, 0, 1, 2, 0, 4, 1, 0, 6, 0, 5))


def run(data: bytes) -> None:
    """Play some steps."""
    source = Source(data)
    node = Node(
        subscription_counts=bool(source.whole(0, 1)),
        max_channels_per_connection=4,
        max_presence_members=3,
        max_client_events_per_second=None,
    )
    clients = [node.client()]
    while source:
        client = source.choice(clients)
        step = source.whole(0, 7)
        if step == 0 and len(clients) < 5:
            clients.append(node.client(protocol=source.choice((5, 6, 7))))
        elif step == 1:
            _say(client, source.chunk())
        elif step == 2:
            client.vanish()
        elif step == 3:
            node.publish(source.choice(_CHANNELS[:3]), data=source.text(20))
        elif step == 4:
            node.clock.advance(source.whole(0, 40))
        else:
            _say(client, _message(client, source))
        node.turn()
    for client in clients:
        _expect_well_formed(client)
        client.vanish()
    node.assert_nothing_is_left()
    node.clock.advance(60)
    node.webhooks()


def _message(client: Client, source: Source) -> bytes:
    """What a good client could say, or nearly."""
    name, channel = source.choice(_WORDS), source.choice(_CHANNELS)
    user_id = str(source.whole(1, 4))
    message: dict[str, object]
    if name.startswith("client-"):
        message = {"event": name, "channel": channel, "data": source.text(20)}
    elif name == "pusher:signin":
        user = {"id": user_id, "watchlist": ["1", "2"], "user_info": {"n": source.text(5)}}
        told = compact(user)
        auth = client.app.user_auth(client.socket_id, told)
        message = {"event": name, "data": {"auth": auth, "user_data": told}}
    else:
        fields = {"channel": channel}
        if kind_of(channel).is_presence:
            fields["channel_data"] = compact({"user_id": user_id})
        if source.whole(0, 9):
            given = fields.get("channel_data")
            fields["auth"] = client.app.channel_auth(client.socket_id, channel, given)
        message = {"event": name, "data": fields}
    return compact(message).encode()


def _say(client: Client, text: bytes) -> None:
    """Hand a message on as the transport does; only what breaks the frames' rules may be raised."""
    if not client.connection.is_open:
        return
    client.connection.last_heard = client.node.clock.monotonic()
    try:
        client.node.sessions.received(client.connection, text)
    except FrameError as violation:
        client.end(violation.code, violation.reason)


def _expect_well_formed(client: Client) -> None:
    client.node.turn()
    for opcode, payload in split(client.received):
        if opcode == frames.TEXT:
            event = json.loads(payload)
            assert type(event["event"]) is str
            assert set(event) <= {"event", "channel", "data", "user_id"}
            is_object = event["event"] in _WITH_OBJECT
            assert type(event.get("data")) is (dict if is_object else str)
        else:
            assert opcode in (frames.CLOSE, frames.PING, frames.PONG)
    client.received = b""
