"""What a back end may ask: which channels, who, how many. Protocol: §12.5-§12.7, §12.10."""

from fizz_gevent.protocol.members import ChannelCounts
from tests.harness.signing import App
from tests.unit.rooms import Node, application


def test_a_channel_is_counted_by_connections_and_a_presence_channel_by_users_too() -> None:
    node = Node()
    app = node.table().application
    for name in ("ann", "ann", "bob"):
        client = node.client()
        client.subscribe("orders")
        client.subscribe("presence-room", name)
    assert node.directory.channel(app, "orders") == ChannelCounts(3)
    assert node.directory.channel(app, "presence-room") == ChannelCounts(3, 2)
    assert node.directory.users(app, "presence-room") == ["ann", "bob"]


def test_where_nobody_is_there_are_zeros() -> None:
    """Protocol: §12.6, §12.7."""
    node = Node()
    app = node.table().application
    assert node.directory.channel(app, "orders") == ChannelCounts(0)
    assert node.directory.channel(app, "presence-room") == ChannelCounts(0, 0)
    assert node.directory.users(app, "presence-room") == []
    assert node.directory.channels(app) == {}
    assert node.directory.connections(app) == 0


def test_the_channels_of_users_are_hidden() -> None:
    """Protocol: §9.2."""
    node = Node()
    client = node.client()
    client.sign_in("ann")
    client.subscribe("#server-to-user-ann")
    client.subscribe("orders")
    app = node.table().application
    assert node.directory.channels(app).keys() == {"orders"}
    assert node.directory.channels(app, "#server-to-user-") == {}


def test_channels_are_found_by_prefix() -> None:
    """Protocol: §12.5."""
    node = Node()
    client = node.client()
    for channel in ("presence-a", "presence-b", "private-a", "orders"):
        client.subscribe(channel, "ann" if channel.startswith("presence") else None)
    app = node.table().application
    assert node.directory.channels(app, "presence-") == {
        "presence-a": ChannelCounts(1, 1),
        "presence-b": ChannelCounts(1, 1),
    }
    assert node.directory.channels(app, "p").keys() == {"presence-a", "presence-b", "private-a"}


def test_all_connections_count_subscribed_or_not() -> None:
    """Protocol: §12.10."""
    node = Node()
    clients = [node.client() for _ in range(3)]
    clients[0].subscribe("orders")
    app = node.table().application
    assert node.directory.connections(app) == 3
    clients[0].vanish()
    node.turn()
    assert node.directory.connections(app) == 2


def test_what_a_cache_channel_remembers_can_be_asked() -> None:
    """Protocol: §12.6."""
    node = Node()
    app = node.table().application
    assert node.directory.cached(app, "cache-prices") is None
    node.publish("cache-prices", "tick", '{"p":1}')
    node.clock.advance(60)
    cached = node.directory.cached(app, "cache-prices")
    assert cached is not None
    assert (cached.data, cached.ttl) == ('{"p":1}', 1740)


def test_nobody_sees_into_another_application() -> None:
    other = App("1002", "other-key", "other-secret")
    node = Node(application(), application(other))
    client = node.client(other)
    client.subscribe("presence-room", "ann")
    node.publish("cache-prices", app=other)
    app = node.table().application
    assert node.directory.channels(app) == {}
    assert node.directory.users(app, "presence-room") == []
    assert node.directory.connections(app) == 0
    assert node.directory.cached(app, "cache-prices") is None


def test_a_server_that_is_alone_knows_all() -> None:
    assert not Node().directory.is_partial
