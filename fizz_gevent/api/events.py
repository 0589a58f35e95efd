"""Routes that publish events."""

from collections.abc import Mapping

from flask import Blueprint

from fizz_gevent.api.gate import Gate
from fizz_gevent.api.info import counted
from fizz_gevent.api.request import ApiRequest
from fizz_gevent.channels.table import ChannelTable
from fizz_gevent.protocol.triggers import Event, parse_batch, parse_trigger
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.publisher import Publisher


def create_blueprint(gate: Gate, publisher: Publisher, directory: Directory) -> Blueprint:
    """The routes below ``/apps/<app_id>``. Each event is checked before any is sent."""
    blueprint = Blueprint("events", __name__)

    @blueprint.post("/events")
    @gate.signed
    def trigger(table: ChannelTable, request: ApiRequest) -> Mapping[str, object]:
        """One event to up to 100 channels. Protocol: §12.3."""
        event = parse_trigger(request.body, table.application)
        gate.admit_events(table, 1)
        publisher.publish(table, (event,))
        return {"channels": described(table, event)} if event.info else {}

    @blueprint.post("/batch_events")
    @gate.signed
    def trigger_batch(table: ChannelTable, request: ApiRequest) -> Mapping[str, object]:
        """Up to ten events, each to one channel. Protocol: §12.4."""
        batch = parse_batch(request.body, table.application)
        gate.admit_events(table, len(batch))
        publisher.publish(table, batch)
        if not any(event.info for event in batch):
            return {}
        return {"batch": [described(table, event)[event.channels[0]] for event in batch]}

    def described(table: ChannelTable, event: Event) -> dict[str, dict[str, object]]:
        if not event.info:
            return {name: {} for name in event.channels}
        application = table.application
        return {
            name: counted(directory.channel(application, name), event.info)
            for name in event.channels
        }

    return blueprint
