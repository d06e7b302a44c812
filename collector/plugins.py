"""The sources that are installed; one that can't be made stops nobody: another stands in its place and says why."""

import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from collector.privacy.secrets import hide
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Emit, Source, Stop

GROUP = "memo.sources"


class Unusable:
    """Implements `memo.protocols.Source` for one that can't be made, and so never is there."""

    def __init__(self, name: str, says: str) -> None:
        self.name, self._says = name, says
        self.watching = threading.Event()

    def missing(self) -> str:
        """Why, and what to do."""
        return self._says

    def run(self, emit: Emit, cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Raises RuntimeError: it lacks itself."""
        raise RuntimeError(self._says)


def names() -> set[str]:
    """Of all entry points of `memo.sources`."""
    return {entry.name for entry in entry_points(group=GROUP)}


def make(name: str, settings: Settings, home: Home) -> Source:
    """The source of that name."""
    entry = next(iter(entry_points(group=GROUP, name=name)), None)
    if entry is None:
        return Unusable(name, "No source of this name is installed; correct it in sources.on of memo.toml.")
    try:
        source: Source = entry.load()(settings, home)
    except Exception as error:  # whatever a package raises
        reason = hide(clean(f"{type(error).__name__}: {error}"))
        return Unusable(
            name, f"Its package {entry.value.partition(':')[0]} can't be used ({reason}); mend or remove it."
        )
    return source
