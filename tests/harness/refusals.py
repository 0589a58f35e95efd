"""How a refused subscription looks from outside."""

import json

from tests.harness.pusher_client import PusherClient


def expect_refusal(
    client: PusherClient, channel: str, type: str, status: int, code: int | None
) -> str:
    """Demand the two frames of a refusal and nothing else; return what they say."""
    first, second = client.next_event(), client.next_event()
    message: str = first["data"]["error"]
    assert json.loads(first["raw"]) == {
        "event": "pusher:subscription_error",
        "channel": channel,
        "data": {"type": type, "error": message, "status": status},
    }
    assert json.loads(second["raw"]) == {
        "event": "pusher:error",
        "data": {"code": code, "message": message},
    }
    client.expect_nothing()
    return message
