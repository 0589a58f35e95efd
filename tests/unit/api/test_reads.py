"""Questions about channels, users and connections. Protocol: §12.5, §12.6, §12.7, §12.10."""

import pytest

from tests.unit.api.house import House, error_of


@pytest.fixture
def house() -> House:
    """Two clients in ``orders``; u-7 twice and u-9 once in ``presence-a``; ann is signed in."""
    house = House()
    one, two, three = house.client(), house.client(), house.client()
    one.sign_in("ann")
    one.subscribe("#server-to-user-ann")
    one.subscribe("orders")
    two.subscribe("orders")
    one.subscribe("presence-a", "u-7")
    two.subscribe("presence-a", "u-7")
    three.subscribe("presence-a", "u-9")
    three.subscribe("presence-cache-b", "u-9")
    return house


def test_occupied_channels_are_listed_without_those_of_users(house: House) -> None:
    """Protocol: §12.5; §9.2: server-to-user channels are hidden."""
    assert house.get("/channels").json == {
        "channels": {"orders": {}, "presence-a": {}, "presence-cache-b": {}}
    }
    assert house.get("/channels", filter_by_prefix="#server").json == {"channels": {}}
    assert house.get("/channels", filter_by_prefix="ord").json == {"channels": {"orders": {}}}
    assert house.get("/channels", filter_by_prefix="none").data == b'{"channels":{}}'


def test_info_about_many_channels(house: House) -> None:
    """Protocol: §12.5."""
    answer = house.get("/channels", filter_by_prefix="presence-", info="user_count")
    assert answer.json == {
        "channels": {"presence-a": {"user_count": 2}, "presence-cache-b": {"user_count": 1}}
    }
    answer = house.get("/channels", info="subscription_count")
    assert answer.json == {
        "channels": {
            "orders": {"subscription_count": 2},
            "presence-a": {"subscription_count": 3},
            "presence-cache-b": {"subscription_count": 1},
        }
    }
    both = "user_count,subscription_count"
    answer = house.get("/channels", filter_by_prefix="presence-a", info=both)
    assert answer.json == {"channels": {"presence-a": {"user_count": 2, "subscription_count": 3}}}
    assert house.get("/channels", info="").status_code == 200


@pytest.mark.parametrize(
    "params",
    [
        {"info": "user_count"},
        {"info": "user_count", "filter_by_prefix": ""},
        {"info": "user_count", "filter_by_prefix": "presence"},
        {"info": "user_count", "filter_by_prefix": "private-"},
        {"info": "weather"},
        {"info": "cache"},
        {"info": "subscription_count,weather"},
        {"info": "subscription_count,"},
    ],
)
def test_info_that_many_channels_do_not_have_is_400(house: House, params: dict[str, str]) -> None:
    """Protocol: §12.5."""
    assert error_of(house.get("/channels", **params))[0] == 400


def test_arrays_of_info_are_understood(house: House) -> None:
    """Protocol: §12.1 step 6, both forms."""
    indexed = house.get(
        "/channels/presence-a", **{"info[0]": "user_count", "info[1]": "subscription_count"}
    )
    assert indexed.json == {"occupied": True, "user_count": 2, "subscription_count": 3}


def test_one_channel(house: House) -> None:
    """Protocol: §12.6: ``occupied`` always, the rest on request."""
    assert house.get("/channels/orders").data == b'{"occupied":true}'
    assert house.get("/channels/nobody-here").data == b'{"occupied":false}'
    answer = house.get("/channels/orders", info="subscription_count")
    assert answer.json == {"occupied": True, "subscription_count": 2}
    answer = house.get("/channels/presence-none", info="user_count,subscription_count")
    assert answer.json == {"occupied": False, "user_count": 0, "subscription_count": 0}
    answer = house.get("/channels/%23server-to-user-ann", info="subscription_count")
    assert answer.json == {"occupied": True, "subscription_count": 1}


def test_what_a_cache_channel_remembers(house: House) -> None:
    """Protocol: §12.6, ``cache``: the data as it was published, whole seconds that are left."""
    answer = house.get("/channels/cache-prices", info="cache")
    assert answer.data == b'{"occupied":false,"cache":null}'
    house.post("/events", {"name": "x", "channel": "cache-prices", "data": '{"p":1}'})
    house.clock.time += 59.5
    answer = house.get("/channels/cache-prices", info="cache,subscription_count")
    assert answer.json == {
        "occupied": False,
        "subscription_count": 0,
        "cache": {"data": '{"p":1}', "ttl": 1741},
    }
    house.clock.time += 1741
    assert house.get("/channels/cache-prices", info="cache").json == {
        "occupied": False,
        "cache": None,
    }
    answer = house.get("/channels/presence-cache-b", info="cache,user_count")
    assert answer.json == {"occupied": True, "user_count": 1, "cache": None}


@pytest.mark.parametrize(
    ("channel", "info"),
    [
        ("orders", "user_count"),
        ("private-a", "user_count"),
        ("presenceless", "user_count"),
        ("orders", "cache"),
        ("presence-a", "cache"),
        ("my-cache-a", "cache"),
        ("cache-a", "user_count"),
        ("presence-a", "weather"),
    ],
)
def test_info_that_a_channel_does_not_have_is_400(house: House, channel: str, info: str) -> None:
    """Protocol: §12.6."""
    assert error_of(house.get(f"/channels/{channel}", info=info))[0] == 400


BAD_NAMES = [
    "no%20space",
    "a%2Fb",
    "a%2fb",
    "presence-a%2Fusers",
    "%23other",
    "a:b",
    "a%0A",
    "%FF",
    "%C3%A9",
    "c" * 165,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_invalid_channel_name_is_400(house: House, name: str) -> None:
    """Protocol: §12.6, §5; an escaped slash is part of the name and so makes it invalid."""
    assert error_of(house.get(f"/channels/{name}"))[0] == 400
    assert error_of(house.get(f"/channels/{name}/users"))[0] == 400


def test_the_distinct_users_of_a_presence_channel(house: House) -> None:
    """Protocol: §12.7."""
    answer = house.get("/channels/presence-a/users")
    assert answer.data == b'{"users":[{"id":"u-7"},{"id":"u-9"}]}'
    assert house.get("/channels/presence-none/users").data == b'{"users":[]}'
    status, text = error_of(house.get("/channels/orders/users"))
    assert (status, "presence" in text) == (400, True)


def test_all_connections_are_counted(house: House) -> None:
    """Protocol: §12.10: those in no channel too."""
    assert house.get("/connections").data == b'{"connections":3}'
    house.client()
    assert house.get("/connections").json == {"connections": 4}
