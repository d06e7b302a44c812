"""The task of the dispatcher. What it needs is imported in the child alone, so that the parent stays small."""

from celery import shared_task

from memo.queue import ACT

TIME_LIMIT_S = 30


@shared_task(name=ACT, time_limit=TIME_LIMIT_S)  # type: ignore[untyped-decorator]
def act(prediction_id: int) -> None:
    """Act on a prediction."""
    from worker.context import context
    from worker.dispatch import dispatch

    dispatch(context(), prediction_id)
