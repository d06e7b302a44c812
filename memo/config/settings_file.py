"""The text of memo.toml: a change is checked by the settings first, keeps comments, and replaces the file whole."""

import os
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from memo.core.errors import MemoError
from memo.core.files import hold_lock, write_atomically
from memo.core.paths import Home, make_private
from memo.core.settings import Settings, default_toml, setting_of


def write_default(home: Home) -> None:
    """Write memo.toml with every key commented out, unless it exists. Raises MemoError if that fails."""
    if not home.config.exists():
        _write(home.config, default_toml())  # private, as a URL in it may hold a password


def read_text(home: Home) -> str:
    """Return the text of memo.toml, or the one that a first start would write. Raises MemoError."""
    try:
        return home.config.read_text(encoding="utf-8")
    except FileNotFoundError:
        return default_toml()
    except (OSError, UnicodeDecodeError) as error:
        raise MemoError(f"Cannot read {home.config} ({error}); correct or remove it.") from error


def save(home: Home, before: str, text: str) -> None:
    """Put a text in the place of the text `before`, and let only its owner read the file.

    Raises UsageError if the settings are wrong, MemoError if the file has changed since or cannot be written.
    """
    Settings.check(text)
    with hold_lock(home.run / "config.lock", f"Another command is changing {home.config}; try again."):
        if read_text(home) != before:
            raise MemoError(f"{home.config} was changed meanwhile and is left as it is; try again.")
        _write(home.config, text)


def parse_value(key: str, words: Sequence[str]) -> Any:
    """Return the value that words state: for a list its entries, or TOML; for a text the text; else TOML."""
    default = setting_of(Settings(), key)
    if isinstance(default, list) and not words[0].startswith("["):
        return list(words)
    text = " ".join(words)
    return text if isinstance(default, str) and text[:1] not in ("'", '"') else _from_toml(text)


def with_value(text: str, key: str, value: Any) -> str:
    """Return the text with a key set; its line is used if it is commented out. Raises MemoError if that fails."""
    wanted = deepcopy(tomllib.loads(text))
    table, _, name = key.rpartition(".")
    (wanted.setdefault(table, {}) if table else wanted)[name] = value
    for candidate in (_uncommented(text, key), text):
        changed = _with_entry(candidate, table, name, value)
        if _is_toml_of(changed, wanted):
            return changed
    raise MemoError(f"{key} can't be set in this file without moving other keys; run `memo config edit`.")


def _from_toml(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


def _uncommented(text: str, key: str) -> str:
    """Return the text with the line of a key, and that of its table, no longer commented out."""
    table, _, name = key.rpartition(".")
    lines = text.splitlines(keepends=True)
    headers = [number for number, line in enumerate(lines) if line.removeprefix("# ").startswith("[")]
    begin = next((number for number in headers if lines[number].removeprefix("# ").startswith(f"[{table}]")), None)
    if begin is None and table:
        return text
    end = next((number for number in headers if begin is None or number > begin), len(lines))
    for number in range(begin or 0, end):
        if lines[number].startswith(f"# {name} = "):
            for uncommented in {begin or number, number}:
                lines[uncommented] = lines[uncommented].removeprefix("# ")
            break
    return "".join(lines)


def _with_entry(text: str, table: str, name: str, value: Any) -> str:
    """Return the text with an entry set or added, or as it is if it is not TOML."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        if table and table not in document:
            document[table] = tomlkit.table()
        place: Any = document[table] if table else document
        place[name] = tomlkit.inline_table() if isinstance(value, dict) else value
        if isinstance(value, dict):
            place[name].update(value)
        return tomlkit.dumps(document)
    except TOMLKitError:
        return text


def _is_toml_of(text: str, wanted: dict[str, Any]) -> bool:
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(text) == wanted
    return False


def _write(config: Path, text: str) -> None:
    try:
        make_private(config.parent)
        write_atomically(Path(os.path.realpath(config)), text)  # a link stays one
    except OSError as error:
        raise MemoError(
            f"{config} can't be written ({error.strerror}); free some space, or make its folder writable."
        ) from error
