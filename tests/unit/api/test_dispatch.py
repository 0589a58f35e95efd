"""The short way through Flask, and the long one beside it."""

import json
import logging
from collections.abc import Mapping

import pytest
from flask import Blueprint, abort, request
from werkzeug.wrappers import Response

from fizz_gevent.api.dispatch import FizzFlask
from fizz_gevent.api.request import ApiRequest
from tests.unit.api.house import error_of


@pytest.fixture
def flask() -> FizzFlask:
    """One ordinary blueprint and one direct one."""
    app = FizzFlask(prefix="", max_request_size=1000)
    plain = Blueprint("plain", __name__)

    @plain.get("/plain/<name>")
    def ordinary(name: str) -> dict[str, str]:
        return {"name": name, "query": request.args["q"]}

    @plain.get("/folder/")
    def folder() -> str:
        return "here"

    @plain.get("/missing")
    def missing() -> str:
        abort(404)

    @plain.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError

    direct = Blueprint("direct", __name__)

    @direct.post("/direct/<name>")
    def short(request: ApiRequest, name: str) -> Mapping[str, object]:
        return {"name": name, "body": request.body.decode(), "method": request.method}

    @direct.get("/teapot")
    def teapot(request: ApiRequest) -> Response:
        return Response("short and stout", status=418)

    @direct.get("/unspeakable")
    def unspeakable(request: ApiRequest) -> Mapping[str, object]:
        return {"what": object()}

    @direct.route("/socket/<key>", websocket=True)
    def socket(request: ApiRequest, key: str) -> Mapping[str, object]:
        return {"key": key, "upgrade": request.environ["HTTP_UPGRADE"]}

    app.register_blueprint(plain)
    app.register_direct(direct)
    return app


def test_a_direct_view_gets_the_request_and_the_variables(flask: FizzFlask) -> None:
    response = flask.test_client().post("/direct/a%20b?q=1", data=b"body")
    assert json.loads(response.data) == {"name": "a b", "body": "body", "method": "POST"}
    response = flask.test_client().get("/teapot")
    assert (response.status_code, response.data) == (418, b"short and stout")


def test_an_ordinary_view_has_all_of_flask(flask: FizzFlask) -> None:
    client = flask.test_client()
    for _ in range(2):  # found, and found again
        assert client.get("/plain/ann?q=1").json == {"name": "ann", "query": "1"}
    redirect = client.get("/folder")
    assert redirect.status_code == 308
    assert redirect.headers["Location"] == "http://localhost/folder/"


def test_errors_of_ordinary_views_have_the_same_form(
    flask: FizzFlask, caplog: pytest.LogCaptureFixture
) -> None:
    """Protocol: §12.2, "Fizz": there is no error page."""
    client = flask.test_client()
    assert error_of(client.get("/missing")) == (404, "Path not found")
    with caplog.at_level(logging.ERROR):
        status, text = error_of(client.get("/broken"))
    assert status == 500
    assert text.rpartition(" ")[2] in caplog.text


def test_an_answer_that_is_no_json_is_a_fault_and_not_half_an_answer(flask: FizzFlask) -> None:
    assert error_of(flask.test_client().get("/unspeakable"))[0] == 500


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c, websocket"])
def test_a_handshake_finds_only_the_routes_for_it(flask: FizzFlask, upgrade: str) -> None:
    client = flask.test_client()
    headers = {"Upgrade": upgrade, "Connection": "Upgrade"}
    response = client.get("/socket/k", headers=headers)
    assert response.json == {"key": "k", "upgrade": upgrade}
    assert error_of(client.get("/teapot", headers=headers))[0] == 400
    assert error_of(client.get("/nothing", headers=headers))[0] == 404
    assert error_of(client.get("/socket/k"))[0] == 400


def test_long_paths_are_served_like_others(flask: FizzFlask) -> None:
    response = flask.test_client().post(f"/direct/{'n' * 5000}", data=b"")
    assert json.loads(response.data)["name"] == "n" * 5000
