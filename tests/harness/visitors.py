"""Many who come to a server all the time: clients that connect, and back ends with requests."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from tests.harness.server import FizzServer
from tests.harness.signing import compact
from tests.harness.websocket import websocket_target

PATIENCE = 60.0
"""Seconds in which each has to be served. What is measured is whether, and how late: the machine
is shared."""
_KEPT = 8
"""Back ends that keep their connection."""


class Visitors:
    """A steady stream of them, in a thread of its own, for as long as the ``with`` block lasts.

    Args:
        rate: Clients a second that connect, and as many requests: half of them on connections
            that are kept alive, the others on new ones.

    Attributes:
        failures: What went wrong, in words.
        slowest: The longest wait of a client for its connection, and of a request for its answer.
    """

    def __init__(self, server: FizzServer, *, rate: float) -> None:
        assert isinstance(server.address, tuple)
        self.failures: list[str] = []
        self.slowest = {"connection": 0.0, "request": 0.0}
        self.counts = {"connection": 0, "request": 0}
        self._host, self._port = server.address
        self._server = server
        self._rate = rate
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._come()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    async def _come(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        coming = [asyncio.create_task(self._keep_asking(index)) for index in range(_KEPT)]
        number = 0
        while not self._is_over.is_set():
            coming.append(asyncio.create_task(self._timed("connection", self._connect)))
            if number % 2:
                coming.append(asyncio.create_task(self._timed("request", self._ask)))
            number += 1
            await asyncio.sleep(max(0.0, began + number / self._rate - loop.time()))
        await asyncio.gather(*coming)

    async def _timed(self, what: str, visit: Callable[[], Awaitable[None]]) -> None:
        began = time.monotonic()
        try:
            await asyncio.wait_for(visit(), PATIENCE)
        except Exception as error:
            waited = time.monotonic() - began
            self.failures.append(f"{what} after {waited:.2f} s: {error!r}")
        else:
            self.counts[what] += 1
            self.slowest[what] = max(self.slowest[what], time.monotonic() - began)

    async def _connect(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            lines = (
                f"GET {websocket_target(self._server.app.key)} HTTP/1.1",
                f"Host: {self._host}",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
                "Sec-WebSocket-Version: 13",
            )
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 "), head
            event = await reader.readuntil(b"}")
            assert b"pusher:connection_established" in event, event
        finally:
            writer.close()

    async def _ask(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            await self._request(reader, writer)
        finally:
            writer.close()

    async def _keep_asking(self, index: int) -> None:
        """Requests on one connection, and on a new one where the server says or shows its end."""
        kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

        async def ask() -> None:
            if kept and kept[0][0].at_eof():
                kept.pop()[1].close()
            if not kept:
                kept.append(await asyncio.open_connection(self._host, self._port))
            if await self._request(*kept[0]):
                kept.pop()[1].close()

        await asyncio.sleep(index / self._rate)
        while not self._is_over.is_set():
            await self._timed("request", ask)
            await asyncio.sleep(_KEPT / (self._rate / 2))
        if kept:
            kept.pop()[1].close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Publish an event; whether the server wants no more on this connection."""
        app = self._server.app
        path = f"/apps/{app.app_id}/events"
        body = compact({"name": "e", "channel": "c", "data": "{}"}).encode()
        query = app.signed_query("POST", path, None, body)
        lines = (
            f"POST {path}?{query} HTTP/1.1",
            f"Host: {self._host}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        return b"connection: close" in head.lower()
