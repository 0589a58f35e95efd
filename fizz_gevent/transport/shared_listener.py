"""The listening socket of a server with several workers, as one of them sees it."""

import time
from typing import Any

from fizz_gevent.transport.balance import BEAT_SECONDS, Balance
from fizz_gevent.transport.listener import Listener

_PAUSE_SECONDS = 0.002
_LONGEST_WAIT_SECONDS = 0.02
"""How long a newcomer may wait for a worker that has fewer clients."""
_SAME_NEWCOMER_SECONDS = 0.01


class SharedListener(Listener):
    """Accepts from a socket from which other processes accept too, so that all get as many.

    It takes one newcomer a turn of the loop, and while this worker is ahead of another, it leaves
    newcomers to that for a moment: the kernel would give most of a burst to whoever wakes first.
    """

    max_accept = 16

    def __init__(self, *args: Any, balance: Balance, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._balance = balance
        self._is_polite = True
        self._beat = self.loop.timer(BEAT_SECONDS, BEAT_SECONDS)
        self._last_pause_at = 0.0
        self._wait_ends_at = 0.0

    def start(self) -> None:
        """Accept clients, and let the other workers know."""
        super().start()
        self._balance.beat()
        self._beat.start(self._balance.beat)

    def do_read(self) -> Any:
        """Accept one socket, or leave it to another worker."""
        if self._is_polite and self._balance.is_ahead() and self._leaves_it():
            return None
        return super().do_read()

    def close_to_newcomers(self) -> None:
        """Accept who waits already, then nobody; other workers expect no more of this one."""
        self._expect_nothing()
        super().close_to_newcomers()

    def leave_newcomers_waiting(self) -> None:
        """Leave who comes from now on to other workers; they expect no more of this one."""
        self._expect_nothing()
        super().leave_newcomers_waiting()

    def _expect_nothing(self) -> None:
        self._beat.stop()
        self._balance.rest()
        self._is_polite = False

    def has_room(self) -> bool:
        """Whether the client that was counted just now may connect, to this worker and at all."""
        return super().has_room() and self._balance.has_room()

    def _count_changed(self) -> None:
        self._balance.show(self.open_sockets, self.open_websockets)

    def _rest(self, error: OSError) -> None:
        self._balance.rest()  # until the next beat
        super()._rest(error)

    def _leaves_it(self) -> bool:
        """Look away for a moment, so that another worker takes who waits; False where all of them
        have had their chance: the one with fewer clients is busy, or hangs.
        """
        now = time.monotonic()
        if now - self._last_pause_at > _SAME_NEWCOMER_SECONDS:
            self._wait_ends_at = now + _LONGEST_WAIT_SECONDS
        if now >= self._wait_ends_at:
            self._last_pause_at = 0.0
            return False
        self._last_pause_at = now
        self._pause_accepting(_PAUSE_SECONDS)
        return True
