"""Whoever tries passwords at the console keeps nobody out but himself, and operators are told."""

import re
from urllib.parse import urlencode

from tests.conftest import Start
from tests.harness.eventually import eventually
from tests.harness.http_api import Answer
from tests.harness.scrape import Scrape
from tests.harness.server import FizzServer, free_port
from tests.harness.sources import socket_from

PASSWORD = "correct horse battery"


def log_in(server: FizzServer, password: str, source: str) -> Answer:
    """Send the form from this address of loopback."""
    body = urlencode({"username": "fizz", "password": password}).encode()
    lines = [
        "POST /console/login HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    with socket_from(server, source) as connection:
        return connection.ask("\r\n".join([*lines, "", ""]).encode() + body)


def outcome(answer: Answer) -> str:
    assert answer.status == 303, answer
    return answer.headers["location"].partition("?refused=")[2] or "in"


def test_a_flood_of_wrong_passwords_keeps_no_operator_out(fizz: Start) -> None:
    metrics = {"enabled": True, "port": free_port()}
    server = fizz(server={"workers": 1, "console": {"password": PASSWORD}, "metrics": metrics})
    guessed = [outcome(log_in(server, "guess", "127.0.0.9")) for _ in range(8)]
    assert guessed == ["wrong"] * 5 + ["often"] * 3
    for number in range(100):
        assert outcome(log_in(server, "guess", f"127.0.1.{number}")) == "wrong"
    assert outcome(log_in(server, "guess", "127.0.1.7")) == "often", "one is enough now"
    assert outcome(log_in(server, PASSWORD, "127.0.1.7")) == "often", "nothing is looked at"
    assert outcome(log_in(server, PASSWORD, "127.0.0.3")) == "in"
    assert outcome(log_in(server, "mistyped", "127.0.0.4")) == "wrong"
    assert outcome(log_in(server, PASSWORD, "127.0.0.3")) == "in"
    scrape = Scrape.of(metrics["port"])
    assert scrape("fizz_refusals_total", reason="console_password") == 106
    assert scrape("fizz_refusals_total", reason="console_too_often") == 5
    line = r"clients were refused: .*console_password \d+.*most often 127\.0\.\d\.\d+, \d+ times"
    eventually(lambda: re.search(line, server.stderr) is not None)
