"""Choose the feed for a broker URL: the Redis stream, or a queue on the AMQP exchange."""

from memo.messaging.feed import Feed
from memo.stack.task_queue import is_redis


def make_feed(url: str, group: str | None) -> Feed:
    """Return the feed for a broker URL; it connects when it is opened."""
    from memo.messaging.amqp import TopicFeed
    from memo.messaging.redis_group import GroupFeed
    from memo.messaging.redis_stream import StreamFeed

    if not is_redis(url):
        return TopicFeed(url, group)
    return GroupFeed(url, group) if group else StreamFeed(url)
