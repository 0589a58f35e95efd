"""Everything that a server is there for, at once and for as long as one likes.

Visitors of every kind come and go; residents stay a while and talk; back ends publish, ask and
make mistakes; webhooks, metrics and the console have somebody at the other end.
"""

import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.harness.console import Console
from tests.harness.http_api import HttpApi
from tests.harness.pusher_client import PusherClient
from tests.harness.receiver import Receiver
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer
from tests.harness.signing import App
from tests.harness.websocket import PING
from tests.probe.crowd import WAYS_OUT, Crowd, Visit

LOBBY = "presence-lobby"
RESIDENTS = 8
"""At each server."""
VISITS = 12
"""At each server, in each round."""
_AT_ONCE = 6
_WITHIN = 60.0
_USERS = 90  # a presence channel takes 100


def visits(seed: int) -> Iterator[Visit]:
    """Visitors without end, as mixed as can be, and always the same ones."""
    chance = random.Random(seed)
    for number in itertools.count():
        rooms = (LOBBY, f"presence-{chance.randrange(50)}", f"presence-cache-{number}")
        channels = {
            0: (),
            1: (f"orders-{chance.randrange(1000)}", f"cache-{number}"),
            2: (f"private-{number}", f"private-encrypted-cache-{chance.randrange(100)}"),
            3: (chance.choice(rooms),),
            4: (LOBBY, f"presence-{chance.randrange(50)}"),
            5: (LOBBY, "orders", f"private-encrypted-{number}"),
        }[number % 6]
        yield Visit(
            way_out=chance.choice(WAYS_OUT),
            channels=channels,
            user_id=f"user-{chance.randrange(_USERS)}",
            signs_in_as=f"user-{number}" if number % 4 == 0 else "",
        )


class MixedLoad:
    """Loads servers that are one cluster, or one alone, round by round.

    Args:
        receiver: Where the servers' webhooks go.

    Attributes:
        rounds: How many there have been.
    """

    def __init__(self, servers: list[FizzServer], receiver: Receiver, seed: int) -> None:
        self.rounds = 0
        self._receiver = receiver
        self._chance = random.Random(seed)
        self._stack = ExitStack()
        self._places = [
            _Place(server, self._stack, self._chance, number)
            for number, server in enumerate(servers)
        ]
        receiver.answer = lambda body: 500 if self._chance.random() < 0.02 else 200

    def round(self, seconds: float) -> None:
        """Do a bit of everything, and let so much time pass with it."""
        until = time.monotonic() + seconds
        for place in self._places:
            place.round(self.rounds)
        self._receiver.forget()
        self.rounds += 1
        while (left := until - time.monotonic()) > 0:
            self._places[0].crowd.watch(left)

    @property
    def visited(self) -> int:
        """How many visitors have gone."""
        return sum(sum(place.crowd.counts.values()) for place in self._places)

    def close(self) -> None:
        """Let everybody go."""
        for place in self._places:
            place.close()
        self._stack.close()


class _Place:
    """What goes on at one of the servers."""

    def __init__(
        self, server: FizzServer, stack: ExitStack, chance: random.Random, number: int
    ) -> None:
        self._server = server
        self._name = f"n{number}"
        self._chance = chance
        self._numbers = itertools.count()
        self._api = server.api()
        self._other = server.api(server.credentials(1))
        self._visits = visits(number)
        self.crowd = stack.enter_context(
            contextlib.closing(Crowd(("127.0.0.1", server.port), server.app))
        )
        self._witness = self.crowd.witness(LOBBY, within=10) if number == 0 else None
        self._kept = self._api.connection()
        stack.callback(self._kept.close)
        self._console = Console(server)
        self._onlooker = stack.enter_context(
            self._console.watching("private-samples", "private-stream-1001")
        )
        self._residents = [self._resident() for _ in range(RESIDENTS)]

    def _resident(self) -> PusherClient:
        """Somebody who is in channels of every kind, and signed in."""
        client = self._server.client()
        number = next(self._numbers)
        client.request_signin(f"{self._name}-{number}", watchlist=["user-4", "user-8"])
        client.wait_for("pusher:signin_success")
        user_id = f"{self._name}-{number % RESIDENTS}"
        channels = ("orders", "cache-orders", "private-talk", "private-encrypted-talk")
        for channel in (*channels, "private-cache-talk", "private-encrypted-cache-1"):
            client.request_subscription(channel)
            client.wait_for("pusher_internal:subscription_succeeded", channel)
        for channel in ("presence-talk", "presence-cache-talk"):
            client.request_subscription(channel, user_id=user_id, user_info={"n": number})
            client.wait_for("pusher_internal:subscription_succeeded", channel)
        return client

    def round(self, number: int) -> None:
        self.crowd.send_through(
            itertools.islice(self._visits, VISITS), at_once=_AT_ONCE, within=_WITHIN
        )
        self._talk(number)
        self._publish(number)
        if number % 2:
            self._ask(number)
        if number % 10 == 5:
            self._look()
        if self._witness is not None:
            self._witness.send(PING, b"")  # or it would be taken for dead
        for client in (*self._residents, self._onlooker):
            client.pending()

    def _talk(self, number: int) -> None:
        """A client's event, and one resident after the other is replaced."""
        speaker = self._residents[number % RESIDENTS]
        for channel in ("private-talk", "presence-talk", "private-cache-talk"):
            speaker.trigger("client-says", channel, {"round": number})
        if number % 5 == 0:
            old = self._residents.pop(0)
            old.unsubscribe("orders")
            old.close()
            self._residents.append(self._resident())

    def _publish(self, number: int) -> None:
        api = self._api
        near = self._residents[0]
        api.trigger("orders", "news", {"round": number}, socket_id=near.socket_id)
        api.trigger(
            ["cache-orders", "presence-talk", f"cache-{self._name}-{number}"],
            "news",
            "x" * self._chance.randrange(1, 2000),
            info="subscription_count,user_count",
        )
        batch = [
            {"name": "one", "channel": "private-talk", "data": "{}"},
            {"name": "two", "channel": "private-cache-talk", "data": "{}"},
            {"name": "three", "channel": f"presence-cache-{number}", "data": "{}"},
        ]
        api.post("/batch_events", {"batch": batch})
        api.trigger(f"#server-to-user-user-{number}", "hello", "{}")
        self._other.trigger(f"orders-{number}", "news", "{}")
        if number % 10 == 0:
            api.post(f"/users/user-{number % 100}/terminate_connections", {})

    def _ask(self, number: int) -> None:
        api = self._api
        for path, params in (
            ("/channels", {"filter_by_prefix": "presence-", "info": "user_count"}),
            (f"/channels/{LOBBY}/users", {}),
            ("/channels/cache-orders", {"info": "subscription_count,cache"}),
            ("/connections", {}),
        ):
            answer = api.request("GET", api.base + path, params, connection=self._kept)
            assert answer.status == 200, answer
        stranger = HttpApi(self._server.address, App("1001", self._server.app.key, "wrong"))
        assert stranger.get("/channels").status == 401
        assert api.post("/events", b"{").status == 400
        assert api.post("/events", {"name": "x" * 300, "channel": "a", "data": ""}).status >= 400
        assert api.request("GET", f"/nowhere/{number}", query="").status == 404

    def _look(self) -> None:
        """What those see who watch the server itself."""
        Scrape.of(self._server.settings["metrics"]["port"])
        for path in ("setup", "apps/1001/channels"):
            self._console.ask("GET", f"/api/{path}")

    def close(self) -> None:
        for client in self._residents:
            client.close()
