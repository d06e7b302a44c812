"""The quiet hours, in which nothing happens that a person would notice."""

from datetime import datetime, time

from memo.core.settings import Settings


def find_end(settings: Settings) -> time | None:
    """Return when the quiet hours end, or None outside of them."""
    if not settings.dispatch.quiet_hours:
        return None
    since, until = map(time.fromisoformat, settings.dispatch.quiet_hours.split("-"))
    now = datetime.now(settings.zone).time()
    is_quiet = since <= now < until if since <= until else now >= since or now < until
    return until if is_quiet else None
