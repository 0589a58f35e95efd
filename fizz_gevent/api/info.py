"""What a back end asked to know about a channel, as an answer's attributes."""

from collections.abc import Collection

from fizz_gevent.protocol.members import ChannelCounts


def counted(counts: ChannelCounts, attributes: Collection[str]) -> dict[str, object]:
    """The counts among the attributes; ``user_count`` only where the channel has one.

    Protocol: §12.3, §12.5, §12.6.
    """
    info: dict[str, object] = {}
    if "user_count" in attributes and counts.user_count is not None:
        info["user_count"] = counts.user_count
    if "subscription_count" in attributes:
        info["subscription_count"] = counts.subscription_count
    return info
