"""The one Flask application, put together from its blueprints."""

from fizz_gevent.api import channels, connections, events, handshake, health, users
from fizz_gevent.api.dispatch import FizzFlask
from fizz_gevent.api.gate import Gate
from fizz_gevent.service.back_ends import BackEnds
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.publisher import Publisher
from fizz_gevent.service.readiness import Readiness
from fizz_gevent.service.users import Users


def create_app(
    *,
    back_ends: BackEnds,
    publisher: Publisher,
    directory: Directory,
    users_service: Users,
    readiness: Readiness,
    prefix: str = "",
    max_request_size: int = 1048576,
) -> FizzFlask:
    """Every HTTP route but those of the WebSocket endpoint and the console.

    Args:
        prefix: ``ServerConfig.path``; in front of all routes, and for health also left out.
        max_request_size: Bytes of a body.
    """
    app = FizzFlask(prefix=prefix, max_request_size=max_request_size)
    gate = Gate(back_ends, directory)
    below_application = f"{prefix}/apps/<app_id>"
    for blueprint in (
        events.create_blueprint(gate, back_ends, publisher, directory),
        channels.create_blueprint(gate, directory),
        connections.create_blueprint(gate, directory),
    ):
        app.register_direct(blueprint, url_prefix=below_application)
    app.register_direct(users.create_blueprint(gate, users_service), url_prefix=prefix)
    app.register_direct(handshake.create_blueprint(), url_prefix=prefix)
    app.register_direct(health.create_blueprint(readiness))
    if prefix:
        app.register_direct(
            health.create_blueprint(readiness), name="health_below_prefix", url_prefix=prefix
        )
    return app
