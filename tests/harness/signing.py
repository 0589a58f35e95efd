"""What an application signs: written from the protocol's text, not from Fizz's code."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_SAFE = ",;:=@/-_."


@dataclass(frozen=True)
class App:
    """The credentials of an application, as its back end knows them."""

    app_id: str = "1001"
    key: str = "fizz-test-key"
    secret: str = "fizz-test-secret"

    def sign(self, text: str) -> str:
        """Return the lower-case hex HMAC-SHA256 of ``text``."""
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def channel_auth(self, socket_id: str, channel: str, channel_data: str | None = None) -> str:
        """Return ``auth`` of a subscription. Protocol: §6.2."""
        parts = [socket_id, channel] if not channel_data else [socket_id, channel, channel_data]
        return f"{self.key}:{self.sign(':'.join(parts))}"

    def user_auth(self, socket_id: str, user_data: str) -> str:
        """Return ``auth`` of a signin. Protocol: §9.1."""
        return f"{self.key}:{self.sign(f'{socket_id}::user::{user_data}')}"

    def signed_query(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        timestamp: int | None = None,
    ) -> str:
        """Return the whole query of an API request. Protocol: §12.1.

        The values are signed as they are and escaped for the way where they have to be.

        Args:
            path: Without the server's path prefix, since that is never signed.
        """
        signed = {
            **(params or {}),
            "auth_key": self.key,
            "auth_timestamp": str(int(time.time()) if timestamp is None else timestamp),
            "auth_version": "1.0",
        }
        if body:
            signed["body_md5"] = hashlib.md5(body).hexdigest()
        keys = sorted(signed)
        plain = "&".join(f"{key}={signed[key]}" for key in keys)
        query = "&".join(f"{key}={quote(signed[key], safe=_SAFE)}" for key in keys)
        signature = self.sign("\n".join([method, path, plain]))
        return f"{query}&auth_signature={signature}"

    def settings(self, **others: Any) -> dict[str, Any]:
        """Return this application as an entry of ``apps.apps`` in the configuration."""
        return {"app_id": self.app_id, "key": self.key, "secret": self.secret, **others}


def compact(value: Any) -> str:
    """JSON without spaces, as pusher-js and the Node SDK write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
