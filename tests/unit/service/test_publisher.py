"""Events of back ends on their way to subscribers and into caches. Protocol: §6.6, §10, §12.4."""

from fizz_gevent.protocol.triggers import Event
from tests.harness.signing import App
from tests.unit.rooms import APP, Node, application, event, succeeded


def test_an_event_reaches_the_subscribers_of_its_channels_as_it_was_given() -> None:
    """Protocol: §6.6, the publisher's string untouched."""
    node = Node()
    one, two, both, other = (node.client() for _ in range(4))
    for client, channels in ((one, "a"), (two, "b"), (both, "ab"), (other, "c")):
        for channel in channels:
            client.subscribe(channel)
    node.publish(["a", "b"], "order.created", '{"id": 42,  "é":1}')
    wire = r'{"event":"order.created","channel":"%s","data":"{\"id\": 42,  \"é\":1}"}'
    on_a, on_b = (wire.replace("%s", name).encode() for name in "ab")
    payloads = [[payload for _, payload in client.frames()] for client in (one, two, both, other)]
    assert payloads == [[on_a], [on_b], [on_a, on_b], []]


def test_a_batch_is_published_in_its_order() -> None:
    """Protocol: §12.4."""
    node = Node()
    client = node.client()
    client.subscribe("a")
    client.subscribe("b")
    batch = [Event("e", (channel,), str(n), None, ()) for n, channel in enumerate("abbaab")]
    node.publisher.publish(node.table(), batch)
    assert [(each["channel"], each["data"]) for each in client.heard()] == [
        ("a", 0),
        ("b", 1),
        ("b", 2),
        ("a", 3),
        ("a", 4),
        ("b", 5),
    ]


def test_the_connection_that_is_named_is_left_out_everywhere() -> None:
    """Protocol: §6.6, §12.3."""
    node = Node()
    sender, other = node.client(), node.client()
    for client in (sender, other):
        client.subscribe("a")
        client.subscribe("b")
    node.publish(["a", "b"], socket_id=sender.socket_id)
    assert sender.heard() == []
    assert other.heard() == [event("a"), event("b")]


def test_an_unknown_socket_id_leaves_out_nobody() -> None:
    """Protocol: §12.3, unknown ids are ignored."""
    node = Node()
    client = node.client()
    client.subscribe("a")
    node.publish("a", socket_id="123.456")
    assert client.heard() == [event("a")]


def test_nothing_comes_to_be_where_nobody_listens() -> None:
    node = Node()
    node.publish("orders")
    assert node.table().channels == {}
    assert node.cache.get(APP.app_id, "orders") is None


def test_a_cache_channel_remembers_with_and_without_subscribers() -> None:
    """Protocol: §10."""
    node = Node()
    node.publish("cache-prices", "tick", '{"p":1}')
    found = node.cache.get(APP.app_id, "cache-prices")
    assert found is not None
    assert (found.data, found.ttl) == ('{"p":1}', 1800)
    assert found.payload == b'{"event":"tick","channel":"cache-prices","data":"{\\"p\\":1}"}'


def test_each_publish_renews_the_time_and_no_read_does() -> None:
    """Protocol: §10."""
    node = Node(cache_ttl=100)
    node.publish("cache-prices", "tick", "1")
    node.clock.advance(60)
    node.client().subscribe("cache-prices")
    node.clock.advance(39)
    assert node.cache.get(APP.app_id, "cache-prices") is not None
    node.clock.advance(1)
    assert node.cache.get(APP.app_id, "cache-prices") is None
    node.publish("cache-prices", "tick", "2")
    node.clock.advance(60)
    node.publish("cache-prices", "tick", "3")
    node.clock.advance(60)
    assert node.cache.get(APP.app_id, "cache-prices") is not None


def test_an_event_with_an_excluded_sender_is_remembered_too() -> None:
    """Protocol: §10; and shown to the sender itself when it comes back."""
    node = Node()
    client = node.client()
    client.subscribe("cache-prices")
    node.publish("cache-prices", "tick", "1", socket_id=client.socket_id)
    assert client.heard() == []
    told = [succeeded("cache-prices"), event("cache-prices", "tick", 1)]
    assert client.subscribe("cache-prices") == told


def test_client_events_and_the_services_own_are_never_remembered() -> None:
    """Protocol: §10, §8."""
    node = Node(subscription_counts=True)
    one, two = node.client(), node.client()
    channel = "private-cache-x"
    one.subscribe(channel)
    two.subscribe(channel)
    one.say("client-wave", {}, channel=channel)
    assert node.cache.get(APP.app_id, channel) is None


def test_applications_with_the_same_channel_hear_their_own() -> None:
    other = App("1002", "other-key", "other-secret")
    node = Node(application(), application(other))
    here, there = node.client(), node.client(other)
    here.subscribe("cache-prices")
    there.subscribe("cache-prices")
    here.heard(), there.heard()
    node.publish("cache-prices", "tick", "1", app=other)
    assert here.heard() == []
    assert there.heard() == [event("cache-prices", "tick", 1)]
    assert node.cache.get(APP.app_id, "cache-prices") is None
