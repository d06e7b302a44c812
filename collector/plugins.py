"""Installed sources; one that cannot be loaded is replaced by a placeholder that says why."""

import threading
from importlib.metadata import entry_points

from collector.privacy.secrets import hide_secrets
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Emit, FindCursor, Source, Stop

GROUP = "memo.sources"


class Unusable:
    """Implements `memo.protocols.Source` for a source that cannot be loaded."""

    def __init__(self, name: str, says: str) -> None:
        self.name, self._says = name, says
        self.watching = threading.Event()

    def missing(self) -> str:
        """Return the reason and the remedy."""
        return self._says

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Raise RuntimeError: there is nothing to run."""
        raise RuntimeError(self._says)


def installed_names() -> set[str]:
    """Return the names of all `memo.sources` entry points."""
    return {entry.name for entry in entry_points(group=GROUP)}


def make_source(name: str, settings: Settings, home: Home) -> Source:
    """Return the source of this name, or a placeholder."""
    entry = next(iter(entry_points(group=GROUP, name=name)), None)
    if entry is None:
        return Unusable(name, "No source of this name is installed; correct it in sources.on of memo.toml.")
    try:
        source: Source = entry.load()(settings, home)
    except Exception as error:  # whatever a package raises
        reason = hide_secrets(clean(f"{type(error).__name__}: {error}"))
        package = entry.value.partition(":")[0]
        return Unusable(name, f"Its package {package} cannot be loaded ({reason}); repair or uninstall it.")
    return source
