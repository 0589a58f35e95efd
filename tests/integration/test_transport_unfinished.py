"""Bodies that never end take no memory without bound; the oldest of them are given up.

Protocol: RFC 9110 §15.5.9.
"""

import json
from contextlib import ExitStack

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.http_socket import HttpSocket, request
from tests.harness.signing import App
from tests.probe.vitals import Vitals

APP = App()
EVENTS = f"/apps/{APP.app_id}/events"
COUNT = 90
SIZE = 900_000
"""Bytes of each body, all together more than the 64 MB that are kept of unfinished ones."""


def test_the_oldest_unfinished_bodies_are_given_up(fizz: Start) -> None:
    server = fizz(server={"workers": 1, "request_body_timeout": 60})
    event = json.dumps({"name": "drop", "channel": "ocean", "data": "{}"}).encode()
    body = event.ljust(SIZE)
    query = APP.signed_query("POST", EVENTS, None, body)
    whole = request("POST", f"{EVENTS}?{query}", f"Content-Length: {SIZE}", body=body)
    before = Vitals.of(server.pid).heap_kb
    with ExitStack() as stack:
        client = stack.enter_context(server.client())
        client.subscribe("ocean")
        opened = []
        for _ in range(COUNT):
            http = stack.enter_context(HttpSocket.open(server.address))
            opened.append(http)
            http.send_raw(whole[:-1])
        eventually(lambda: opened[0].is_readable(within=0), what="the first is given up")
        assert opened[0].read_answer().status == 408
        opened[-1].send_raw(whole[-1:])
        assert opened[-1].read_answer().status == 200
        assert client.expect("drop", "ocean") == {}
        assert server.api().get("/channels").status == 200
        given_up = sum(http.is_readable(within=0) for http in opened[1:-1])
        assert 5 < given_up < COUNT / 2, given_up
        assert Vitals.of(server.pid).heap_kb - before < 110 * 1024
