"""Bodies that do not end take no more than their share of memory."""

from fizz_gevent.transport.unfinished import Unfinished


class Body:
    """One that is on its way."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.is_idle = False
        self.expired = 0

    def expire(self) -> None:
        self.expired += 1


def test_the_oldest_are_given_up_where_all_are_too_much() -> None:
    unfinished = Unfinished(100)
    bodies = [Body() for _ in range(5)]
    for _ in range(4):
        for body in bodies:
            unfinished.add(body, 5)
    assert unfinished.size_bytes == 100
    assert not any(body.expired for body in bodies)
    unfinished.add(bodies[4], 21)
    assert [body.expired for body in bodies] == [1, 1, 0, 0, 0]
    assert unfinished.size_bytes == 81


def test_who_is_complete_is_not_counted() -> None:
    unfinished = Unfinished(100)
    for _ in range(50):
        body = Body()
        unfinished.add(body, 60)
        unfinished.remove(body)
        unfinished.remove(body)
        assert not body.expired
    assert unfinished.size_bytes == 0


def test_one_alone_may_be_as_large_as_a_body_may_be() -> None:
    unfinished = Unfinished(100)
    body = Body()
    unfinished.add(body, 500)
    assert not body.expired
