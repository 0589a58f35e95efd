"""What operators are told of webhooks, application by application."""

from typing import Any

import pytest

from fizz_gevent.application import Application, Webhook
from fizz_gevent.errors import CommandError
from fizz_gevent.protocol import webhooks
from fizz_gevent.webhooks.desk import WebhookDesk
from fizz_gevent.webhooks.memory_backlog import MemoryBacklog
from tests.unit.clockwork import HandClock


class House:
    """Two applications, and what is told to their webhooks is given up."""

    def __init__(self) -> None:
        self.applications: dict[str, Application] = {
            name: Application(
                name, f"key-{name}", "secret", webhooks=(Webhook(f"https://me:x@{name}.test/a?b"),)
            )
            for name in ("one", "two")
        }
        self.backlog = MemoryBacklog(HandClock(), self.applications.get)
        self.desk = WebhookDesk(self.backlog, self.applications.get)

    def give_up(self, app_id: str, channel: str) -> None:
        self.backlog.note(app_id, webhooks.subscription_count(channel, 1))
        self.backlog.advance()
        (taken,) = self.backlog.take({}, 10, 10)
        self.backlog.give_up(taken, "status 500")

    def channels_failed(self, **arguments: Any) -> list[str]:
        return [each["events"][0]["channel"] for each in self.desk.failed(arguments)]


def test_what_was_given_up_is_told_the_latest_first_and_without_secrets() -> None:
    house = House()
    house.give_up("one", "a")
    house.give_up("two", "b")
    assert house.channels_failed() == house.channels_failed(app=None) == ["b", "a"]
    assert house.channels_failed(app="one") == ["a"]
    assert house.desk.failed({})[0]["url"] == "https://two.test/a"
    assert house.desk.waiting({}) == {"waiting": [], "failed": 2}
    assert house.desk.waiting({"app": "two"}) == {"waiting": [], "failed": 1}


def test_what_is_sent_again_waits_and_the_rest_stays_failed() -> None:
    house = House()
    for app_id, channel in (("one", "a"), ("two", "b"), ("one", "c")):
        house.give_up(app_id, channel)
    assert house.desk.retry({"app": "one"}) == 2
    assert house.channels_failed() == ["b"]
    waiting = [{"app_id": "one", "url": "https://one.test/a", "requests": 2}]
    assert house.desk.waiting({})["waiting"] == waiting
    assert house.desk.waiting({"app": "two"})["waiting"] == []
    assert house.desk.retry({}) == 1
    assert house.channels_failed() == []


def test_of_an_application_that_is_gone_only_what_is_left_is_told() -> None:
    house = House()
    house.give_up("one", "a")
    del house.applications["one"]
    assert house.channels_failed(app="one") == ["a"]
    with pytest.raises(CommandError, match="no application 'three'"):
        house.desk.failed({"app": "three"})
    with pytest.raises(CommandError, match="no application 'three'"):
        house.desk.waiting({"app": "three"})
    with pytest.raises(CommandError, match="no application 'one'"):
        house.desk.retry({"app": "one"})
