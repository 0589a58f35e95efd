"""Routes that publish events."""

from flask import Blueprint

from fizz_gevent.api.dispatch import Answer
from fizz_gevent.api.gate import Gate
from fizz_gevent.api.info import counted
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.protocol.triggers import Event, parse_batch, parse_trigger
from fizz_gevent.service.back_ends import BackEnd, BackEnds
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.publisher import Publisher


def create_blueprint(
    gate: Gate, back_ends: BackEnds, publisher: Publisher, directory: Directory
) -> Blueprint:
    """The routes below ``/apps/<app_id>``. Each event is checked before any is sent."""
    blueprint = Blueprint("events", __name__)

    @blueprint.post("/events")
    @gate.signed
    def trigger(back_end: BackEnd, request: ApiRequest) -> Answer:
        """One event to up to 100 channels. Protocol: §12.3."""
        event = parse_trigger(request.body, back_end.application)
        back_ends.spend_events(back_end, 1)
        publisher.catch_up()
        publisher.publish(back_end.table, (event,))
        publisher.settle()
        return gate.marked({"channels": described(back_end, event)}) if event.info else {}

    @blueprint.post("/batch_events")
    @gate.signed
    def trigger_batch(back_end: BackEnd, request: ApiRequest) -> Answer:
        """Up to ten events, each to one channel. Protocol: §12.4."""
        batch = parse_batch(request.body, back_end.application)
        back_ends.spend_events(back_end, len(batch))
        publisher.catch_up()
        publisher.publish(back_end.table, batch)
        publisher.settle()
        if not any(event.info for event in batch):
            return {}
        return gate.marked(
            {"batch": [described(back_end, event)[event.channels[0]] for event in batch]}
        )

    def described(back_end: BackEnd, event: Event) -> dict[str, dict[str, object]]:
        if not event.info:
            return {name: {} for name in event.channels}
        application = back_end.application
        return {
            name: counted(directory.channel(application, name), event.info)
            for name in event.channels
        }

    return blueprint
