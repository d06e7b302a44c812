"""Write the reference from the code: `make docs` runs this, and a test fails where a page differs from the code."""

import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Column
from typer.core import TyperGroup
from typer.main import get_command

import cli
from db import migrate
from db.models import Base
from memo.core.events import default_scope
from memo.core.paths import Home
from memo.core.settings import Settings, default_toml, read_comments, tables_at_once

FOLDER = Path(__file__).parent
SCHEMAS = FOLDER.parent / "schemas"
NOTE = "*Written by `make docs` from the code.*\n"


def pages() -> dict[str, str]:
    """Return the text of each page by its file's name."""
    return {
        "cli.md": _page("Commands", _commands()),
        "settings.md": _page("Settings", _settings()),
        "tables.md": _page("Tables and views of the store", _tables()),
        "messages.md": _page("Messages", _messages()),
    }


def _page(title: str, parts: Iterator[str]) -> str:
    return "\n".join([f"# {title}\n", NOTE, *parts])


def _table(*rows: tuple[str, ...]) -> str:
    head, *others = (" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)
    return "\n".join(f"| {row} |" for row in [head, " | ".join("---" for _ in rows[0]), *others]) + "\n"


def _commands() -> Iterator[str]:
    program: Any = get_command(cli.make(list(cli.COMMANDS)))
    yield f"{program.help}\n"
    yield from _command("memo", program)


def _command(name: str, command: Any) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for word, inner in command.commands.items():
            yield from _command(f"{name} {word}", inner)
        return
    yield f"## {name}\n\n{command.help}\n"
    context = command.context_class(command)
    rows = [(f"`{_usage(parameter, context)}`", parameter.help or "") for parameter in command.params]
    if rows:
        yield _table(("argument or option", "meaning"), *rows)


def _usage(parameter: Any, context: Any) -> str:
    """Return an option with its value, or an argument, in brackets if it may be left out."""
    value = parameter.metavar or parameter.display_type(context)
    if parameter.param_type_name == "argument":
        return value if parameter.required else f"[{value}]"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if getattr(parameter, "is_flag", False) else f"{names} {value}"


def _settings() -> Iterator[str]:
    yield "The file memo.toml with every key, its default and its meaning:\n"
    yield f"```toml\n{default_toml().replace(default_scope(), 'user@host')}```\n"
    names = ", ".join(f"`{name}`" for name in tables_at_once())
    yield f"A running MEMO uses a change of these tables at once: {names}.\n"


def _tables() -> Iterator[str]:
    yield "Programs may read the views, which keep their columns; tables may change with any version.\n"
    for view, columns in _views():
        yield f"## View {view}\n\n{', '.join(f'`{column}`' for column in columns)}\n"
    for mapper in sorted(Base.registry.mappers, key=lambda mapper: mapper.local_table.name):  # type: ignore[attr-defined]
        comments = read_comments(mapper.class_)
        yield f"## Table {mapper.local_table.name}\n\n{' '.join((mapper.class_.__doc__ or '').split())}\n"  # type: ignore[attr-defined]
        rows = [_column(column, comments.get(name, "")) for name, column in mapper.columns.items()]
        yield _table(("column", "type", "meaning"), *rows)


def _column(column: Column[Any], comment: str) -> tuple[str, ...]:
    kind = re.sub(r"\(.*", "", str(column.type)).lower()
    return f"`{column.name}`", f"{kind}{' or null' if column.nullable else ''}", comment


def _views() -> Iterator[tuple[str, list[str]]]:
    """Yield the views of a new store with their columns."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        migrate.upgrade(Settings(database_url=home.database_url), home)
        with closing(sqlite3.connect(home.root / "memo.db")) as store:
            for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name").fetchall():
                yield name, [column for _, column, *_ in store.execute(f"PRAGMA table_info({name})")]


def _messages() -> Iterator[str]:
    for path in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        yield f"## [{path.stem}](../schemas/{path.name})\n\n{schema.get('description', '')}\n"
        yield _table(("key", "type", "meaning"), *_keys(schema, schema, ""))


def _keys(part: dict[str, Any], whole: dict[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    """Yield a row for each key of an object, and below it those of the objects that it holds."""
    for name, value in part.get("properties", {}).items():
        found = _resolve(value, whole)
        yield f"`{prefix}{name}`", _kind(found), found.get("description", "")
        items = _resolve(found.get("items", {}), whole)
        yield from _keys(found, whole, f"{prefix}{name}.")
        yield from _keys(items, whole, f"{prefix}{name}[].")


def _resolve(value: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    target: dict[str, Any] = whole["$defs"][value["$ref"].rpartition("/")[2]]
    return target | {key: inner for key, inner in value.items() if key != "$ref"}


def _kind(value: dict[str, Any]) -> str:
    if "const" in value or "enum" in value:
        return ", ".join(f"`{one}`" for one in value.get("enum", [value.get("const")]))
    kinds = value.get("type", "")
    return " or ".join(kinds) if isinstance(kinds, list) else kinds


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
