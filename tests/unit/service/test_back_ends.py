"""How much back ends may ask for. Protocol: §12.2, 429. Signatures are tested with the API."""

import pytest

from fizz_gevent.errors import ApiError
from fizz_gevent.service.back_ends import BackEnd, BackEnds
from tests.harness.signing import App
from tests.unit.clockwork import UNIX_START
from tests.unit.rooms import APP, Node, application


def signed(node: Node, app: App = APP) -> tuple[BackEnds, BackEnd]:
    back_ends = BackEnds(node.tables, node.clock, "")
    path = f"/apps/{app.app_id}/channels"
    query = app.signed_query("GET", path, {"info": "user_count"}, timestamp=int(UNIX_START))
    return back_ends, back_ends.of_application(app.app_id, "GET", f"{path}?{query}", b"")


def retry_after(caught: pytest.ExceptionInfo[ApiError]) -> str:
    assert caught.value.status == 429
    return caught.value.headers["Retry-After"]


def test_a_verified_back_end_brings_its_application_and_its_parameters() -> None:
    node = Node()
    _, back_end = signed(node)
    assert back_end.table is node.table()
    assert back_end.application is node.table().application
    assert back_end.query()["info"] == "user_count"


def test_events_beyond_the_rate_are_refused_whole_and_the_caller_told_when() -> None:
    node = Node(max_backend_events_per_second=4)
    back_ends, back_end = signed(node)
    back_ends.spend_events(back_end, 3)
    with pytest.raises(ApiError) as caught:
        back_ends.spend_events(back_end, 2)
    assert retry_after(caught) == "1"
    back_ends.spend_events(back_end, 1)
    node.clock.advance(1)
    back_ends.spend_events(back_end, 4)


def test_a_wait_is_told_in_whole_seconds_and_never_none() -> None:
    node = Node(max_read_requests_per_second=100)
    back_ends, back_end = signed(node)
    for _ in range(100):
        back_ends.spend_read(back_end)
    with pytest.raises(ApiError) as caught:
        back_ends.spend_read(back_end)
    assert retry_after(caught) == "1"


def test_one_application_does_not_spend_anothers_rate() -> None:
    other = App("1002", "other-key", "other-secret")
    node = Node(
        application(max_read_requests_per_second=1),
        application(other, max_read_requests_per_second=1),
    )
    back_ends, mine = signed(node)
    _, theirs = signed(node, other)
    back_ends.spend_read(mine)
    back_ends.spend_read(theirs)
    for back_end in (mine, theirs):
        with pytest.raises(ApiError):
            back_ends.spend_read(back_end)


def test_without_a_limit_nothing_is_counted() -> None:
    back_ends, back_end = signed(Node())
    for _ in range(1000):
        back_ends.spend_read(back_end)
        back_ends.spend_events(back_end, 10)


def test_events_and_reads_are_counted_apart() -> None:
    node = Node(max_backend_events_per_second=1, max_read_requests_per_second=1)
    back_ends, back_end = signed(node)
    back_ends.spend_events(back_end, 1)
    back_ends.spend_read(back_end)
