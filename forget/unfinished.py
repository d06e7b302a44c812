"""Marks of unfinished forgets: what a query asks for, as digests and times, from the first deletion to the last."""

from datetime import UTC
from hashlib import blake2b
from operator import eq, ge, le

from sqlalchemy.orm import Session

from db.upkeep import jobs
from forget.query import ForgetQuery, fold, fold_site

Mark = dict[str, str]
"""Conditions of a query: a digest of each text, and the times in UTC. A query without some of them is wider."""
TIMES = {"since": le, "until": ge}  # how the time of a wider query compares; a text has to be the same


def make_mark(query: ForgetQuery) -> Mark:
    """Return the mark of a query."""
    texts = {"app": fold(query.app), "site": fold_site(query.site), "text": fold(query.text)}
    texts["scope"] = "" if query.scope is None else f"of {query.scope}"
    times = {"since": query.since, "until": query.until}
    return {name: _digest(text) for name, text in texts.items() if text} | {
        name: time.astimezone(UTC).isoformat(timespec="microseconds") for name, time in times.items() if time
    }


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def completes(query: ForgetQuery, mark: Mark) -> bool:
    """Return whether a query deletes all that an unfinished forget was to delete: it is the same, or a wider one."""
    given = make_mark(query).items()
    return all(name in mark and TIMES.get(name, eq)(value, mark[name]) for name, value in given)


def describe(mark: Mark) -> str:
    """Return which forget is unfinished and what to do about it; a text is left out."""
    words = "".join(f" --{name} {value if name in TIMES else '…'}" for name, value in mark.items())
    return f"`memo forget{words or ' --all'}` is unfinished; unless it still runs, it was interrupted: run it again."


def find_unfinished(session: Session) -> list[Mark]:
    """Return the marks of the unfinished forgets."""
    names = jobs.find_names(session, jobs.UNFINISHED)
    return [dict(word.split("=") for word in name.removeprefix(jobs.UNFINISHED).split()) for name in names]


def record_unfinished(session: Session, query: ForgetQuery) -> None:
    """Store the mark of a query whose forget begins."""
    jobs.record_run(session, _name(make_mark(query)), "run the same command again")


def delete_unfinished(session: Session, query: ForgetQuery) -> None:
    """Delete the marks of all forgets that this one has completed."""
    done = [_name(mark) for mark in find_unfinished(session) if completes(query, mark)]
    jobs.delete_jobs(session, done)


def _name(mark: Mark) -> str:
    return " ".join((jobs.UNFINISHED, *(f"{name}={value}" for name, value in mark.items())))
