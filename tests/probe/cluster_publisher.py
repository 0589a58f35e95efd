"""Back ends that publish numbered events through one node, at a steady pace."""

import http.client
import random
import threading
import time

from tests.harness.http_api import HttpApi
from tests.harness.server import FizzServer
from tests.harness.signing import compact
from tests.probe.cluster_crowd import Crowd, Stream


class Publisher:
    """Publishes to some channels in turns of chance, in a thread, until it is stopped.

    Args:
        rate: Events a second, if the node answers fast enough.
        batch: Events of one channel in a request.
    """

    def __init__(
        self,
        crowd: Crowd,
        node: FizzServer,
        name: str,
        channels: list[str],
        *,
        rate: float,
        batch: int = 1,
    ) -> None:
        self.name = name
        self.published = 0
        self.failures: list[str] = []
        self._crowd = crowd
        self._node = node
        self._channels = channels
        self._rate = rate
        self._batch = batch
        self._chance = random.Random(name)
        self._is_over = False
        self._recent: list[tuple[float, str, int]] = []
        with crowd.lock:
            for channel in channels:
                crowd.streams[name, channel] = Stream()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over = True
        self._thread.join(40)
        assert not self._thread.is_alive()

    def doubt(self, seconds: float = 0.5) -> None:
        """The node is killed: what it took just now it may not have told anybody."""
        since = time.monotonic() - seconds
        with self._crowd.lock:
            for when, channel, number in self._recent:
                if when >= since:
                    self._crowd.streams[self.name, channel].doubtful.add(number)

    def _run(self) -> None:
        api: HttpApi | None = None
        connection: http.client.HTTPConnection | None = None
        due = time.monotonic()
        while not self._is_over:
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            due += self._batch / self._rate
            channel = self._chance.choice(self._channels)
            with self._crowd.lock:
                stream = self._crowd.streams[self.name, channel]
                numbers = range(stream.begun, stream.begun + self._batch)
                stream.begun += self._batch
                self._recent.extend((time.monotonic(), channel, number) for number in numbers)
                del self._recent[:-2000]
            try:
                if connection is None:
                    api = self._node.api(self._crowd.app)
                    connection = api.connection()
                    connection.timeout = 30
                assert api is not None
                batch = [
                    {"channel": channel, "name": "news", "data": f'["{self.name}",{number}]'}
                    for number in numbers
                ]
                body = compact({"batch": batch}).encode()
                path = f"{api.base}/batch_events"
                answer = api.request("POST", path, body=body, connection=connection)
                assert answer.status == 200, answer
                self.published += self._batch
            except (OSError, http.client.HTTPException) as error:
                with self._crowd.lock:
                    stream.doubtful.update(numbers)
                self.failures.append(repr(error))
                if connection is not None:
                    connection.close()
                connection = None
                due = time.monotonic() + 0.2
        if connection is not None:
            connection.close()
