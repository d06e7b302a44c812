"""The statements INSERT of both databases that say what happens to a row that is there already."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""By the name of the dialect. Statements are built once from it, as building one takes longer than running it."""
