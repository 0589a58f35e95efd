"""The real server with an echo in place of the Pusher protocol, for the Autobahn test suite.

    python -P -m tests.conformance.echo_server start --config=FILE

Autobahn's fuzzing client wants every message back. Fizz has no echo, and a bridge that understood
WebSockets itself would answer for Fizz: what the fuzzer breaks would never reach Fizz's frame
reader, or not as it was sent. So the bridge is inside, above the transport: the real command, the
real configuration and everything that holds a socket (listener, handler, upgrade, admission, frame
reader, outbox, flusher, both closing handshakes) stay as they are, and only what happens to a
message that has arrived whole is another thing. An event becomes an echo. The greeting is left out,
which the fuzzer would take for an answer.

Whether a text is UTF-8 is still decided by the product's own parser, since that is where Fizz
finds it out for a message that is one frame.
"""

from gevent import monkey

monkey.patch_all()

import contextlib  # noqa: E402
import sys  # noqa: E402

from fizz_gevent import cli, server  # noqa: E402
from fizz_gevent.channels.connection import Connection  # noqa: E402
from fizz_gevent.errors import ProtocolError  # noqa: E402
from fizz_gevent.protocol import frames, messages  # noqa: E402
from fizz_gevent.service.session import Sessions  # noqa: E402


class EchoSessions(Sessions):
    """Says back what it is told, as text or as binary."""

    def opened(self, connection: Connection) -> None:
        """Enter the connection, without a word."""
        connection.table.connections[connection.socket_id] = connection

    def received(self, connection: Connection, payload: bytes) -> None:
        """Send a text back.

        Raises:
            FrameError: The message is not UTF-8 (1007).
        """
        with contextlib.suppress(ProtocolError):  # the fuzzer does not speak Pusher
            messages.parse(payload)
        connection.send_frame(frames.text_frame(payload))

    def received_binary(self, connection: Connection, payload: bytes) -> None:
        """Send a binary message back."""
        frame = frames.text_frame(payload)
        connection.send_frame(bytes((0x80 | frames.BINARY,)) + frame[1:])


if __name__ == "__main__":
    vars(server)["Sessions"] = EchoSessions
    sys.exit(cli.main())
