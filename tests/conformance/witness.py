"""Who sees what was really published, whatever answers say."""

from tests.conformance.http_cases import BODY, EVENTS, NEXT_BODY
from tests.harness.server import FizzServer
from tests.harness.signing import App

APP = App()


class Witness:
    """A subscriber of what the cases publish."""

    def __init__(self, server: FizzServer) -> None:
        self._client = server.client()
        for channel in ("first", "second"):
            self._client.subscribe(channel)

    def seen(self) -> tuple[str, ...]:
        """The channels of the events since the last time, in order."""
        return tuple(event["channel"] for event in self._client.pending())

    def close(self) -> None:
        """Go."""
        self._client.websocket.abandon()


def signed(data: bytes) -> bytes:
    """Put signed targets where ``@first@`` and ``@second@`` stand for them."""
    for token, body in ((b"@first@", BODY), (b"@second@", NEXT_BODY)):
        if token in data:
            query = APP.signed_query("POST", EVENTS, body=body)
            data = data.replace(token, f"{EVENTS}?{query}".encode())
    return data
