"""The task queue: one Celery app, its queues, and the names of its tasks, by which the rooms reach each other."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery
    from kombu import Queue


PREFIX = "memo"  # of all names on the embedded broker; on others `broker.key_prefix` adds the store's id
PREDICT = "predict"  # queue of the worker
DISPATCH = "dispatch"  # queue of the dispatcher

LOOK = "memo.look"  # look(scope): predict what follows the newest event of a scope
ACT = "memo.act"  # act(prediction_id): route a prediction to its handlers
ROUTES = {LOOK: PREDICT, ACT: DISPATCH}

VISIBILITY_TIMEOUT_S = 300  # longer than the longest task; training runs are processes of their own
PRIORITY_STEPS = [0, 3, 6, 9]  # of messages on Redis: each has a list of its own
TICK_S = 5.0  # between two calls of what is periodic
LONGEST_SLEEP_S = 10.0  # of a worker's loop, which has a timer for whatever is due earlier
RESTORE_S = 60  # between two looks for messages whose worker has died
ACT_EXPIRES_S = 60
ANSWER_S = 2.0  # longest wait for each answer of the broker


def own_prefix(store_id: str) -> str:
    """Return how names begin on a broker that several stacks may share."""
    return f"{PREFIX}:{store_id}"


def stream_key(prefix: str = PREFIX) -> str:
    """Return the key of the stream of predictions on Redis."""
    return f"{prefix}:predictions"


def lengths(url: str, prefix: str = PREFIX) -> dict[str, int]:
    """Return the number of messages in each queue; 0 for a queue that does not exist yet."""
    from amqp import NotFound
    from kombu import Connection

    found = {}
    options = _transport_options(url, prefix)
    with Connection(url, connect_timeout=ANSWER_S, transport_options=options) as connection:
        for queue in _queues(url, prefix):
            with connection.channel() as channel:
                try:
                    # On Redis declaring stores nothing, while kombu's passive check looks for keys without our prefix.
                    found[queue.alias] = queue(channel).queue_declare(passive=not is_redis(url)).message_count
                except NotFound:
                    found[queue.alias] = 0
    return found


def is_redis(url: str) -> bool:
    """Return whether a broker URL names Redis or Valkey, else AMQP."""
    return url.startswith("redis")


def make_app(url: str, prefix: str = PREFIX, include: list[str] | None = None) -> "Celery":
    """Return the Celery app on a broker, not connected yet."""
    from celery import Celery

    app = Celery("memo", broker=url, include=include or [])
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_timer_precision=LONGEST_SLEEP_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=_queues(url, prefix),
        task_routes={task: {"queue": queue} for task, queue in ROUTES.items()},
        broker_transport_options=_transport_options(url, prefix),
    )
    return app


def _queues(url: str, prefix: str) -> "list[Queue]":
    from kombu import Exchange, Queue

    arguments: dict[str, Any] = {} if is_redis(url) else {"x-max-priority": 9}
    exchange, begin = Exchange(prefix), "" if is_redis(url) else f"{prefix}."  # on Redis `global_keyprefix` does it
    return [
        Queue(f"{begin}{alias}", exchange, routing_key=alias, queue_arguments=arguments, alias=alias)
        for alias in (PREDICT, DISPATCH)
    ]


def _transport_options(url: str, prefix: str) -> dict[str, Any]:
    if not is_redis(url):
        return {"read_timeout": ANSWER_S, "write_timeout": ANSWER_S}
    return {
        "socket_timeout": ANSWER_S,
        "socket_connect_timeout": ANSWER_S,
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "priority_steps": PRIORITY_STEPS,
        "unacked_restore_interval": RESTORE_S,
        "unacked_restore_throttle": 1,
        "reauth_check_interval": RESTORE_S,
        "global_keyprefix": f"{prefix}:",
    }
