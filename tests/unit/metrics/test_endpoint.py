"""Answers of the metrics listener. Protocol: §12.10."""

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fizz_gevent.metrics.endpoint import create_application
from fizz_gevent.metrics.figures import Figures


def ask(path: str, method: str = "GET", **figures: Any) -> tuple[str, dict[str, str], bytes]:
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        answer.update(status=status, headers=dict(headers))

    application = create_application(lambda: Figures(**figures))
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method}
    body = b"".join(application(environ, start_response))  # type: ignore[arg-type]
    return answer["status"], answer["headers"], body


def test_metrics_are_text_for_prometheus() -> None:
    status, headers, body = ask("/metrics", values={"fizz_open_files": {(): 7}})
    assert status == "200 OK"
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["Content-Length"] == str(len(body))
    families = {family.name for family in text_string_to_metric_families(body.decode())}
    assert "fizz_open_files" in families


def test_usage_tells_the_memory() -> None:
    status, headers, body = ask("/usage", resident_bytes=1_000_000)
    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    (memory,) = json.loads(body).values()
    assert set(memory) == {"free", "used", "total", "percent"}
    assert memory["used"] == 1_000_000
    assert memory["free"] + memory["used"] == memory["total"]
    assert memory["percent"] == round(100 * memory["used"] / memory["total"], 2)


@pytest.mark.parametrize("path", ["/", "/up", "/metrics/", "/apps", "/metric", ""])
def test_nothing_else_is_here(path: str) -> None:
    status, headers, body = ask(path)
    assert status == "404 Not Found"
    assert json.loads(body) == {"error": "Path not found", "code": 404}
    assert headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("path", ["/metrics", "/usage"])
def test_nothing_can_be_changed_here(path: str) -> None:
    status, headers, _ = ask(path, "POST")
    assert (status, headers["Allow"]) == ("405 Method Not Allowed", "GET, HEAD")


def test_a_head_has_the_length_of_the_answer() -> None:
    _, headers, body = ask("/metrics", "HEAD")
    assert body == b""
    assert int(headers["Content-Length"]) == len(ask("/metrics")[2])


def test_a_fault_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = ask("/metrics", values={"fizz_unknown": 1, "fizz_connections": None})
    assert status == "500 Internal Server Error"
    fault = json.loads(body)["error"].removeprefix("Internal error ")
    assert len(fault) == 8
    assert f"fault {fault} at /metrics" in caplog.text
