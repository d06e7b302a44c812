"""`memo config`: show and change settings."""

import os
import re
from datetime import timedelta
from typing import Annotated, Any

import psutil
import typer
from pydantic import SecretStr

from cli.setup import config_edit
from cli.terminal.options import Json, argument
from cli.terminal.output import print_json, print_text
from db.store_access import missing_file
from memo.config import settings_file
from memo.config.live import SETTLE_S, strictest
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.core.settings import (
    PrivacySettings,
    Settings,
    as_toml,
    find_origin,
    find_variable,
    setting_keys,
    setting_of,
    tables_at_once,
)
from memo.stack import running

FORGETS = {"apps": " --app", "sites": " --site", "folders": " --text", "titles": ""}
"""For each list of what is excluded, the option of `memo forget` that deletes such things; titles are patterns."""
CREDENTIALS = re.compile(r"(?<=://)\S*@")  # user and password in a URL

app = typer.Typer(help="Show and change settings.", no_args_is_help=True)


@app.command()
def get(
    key: Annotated[str, argument(metavar="KEY", help="Name of a setting, such as privacy.apps; else all.")] = "",
    as_json: Json = False,
) -> None:
    """Show the settings in force, and where each comes from: default, file or environment.

    Passwords and secrets are hidden.
    """
    settings = Settings.load()
    found = {
        name: {"value": _shown(setting_of(settings, name)), "from": find_origin(name)}
        for name in ([key] if key else setting_keys())
    }
    if as_json:
        print_json(found)
        return
    for name, one in found.items():
        print_text(f"{name} = {as_toml(one['value'])}  ({one['from']})")


@app.command("set")
def set_(
    key: Annotated[str, argument(metavar="KEY", help="Name of a setting, such as privacy.apps.")],
    words: Annotated[list[str], argument(metavar="VALUE…", help="Its value; for a list, all of its entries.")],
) -> None:
    """Change a setting in memo.toml, whose comments stay, and say when that takes effect.

    Examples: `memo config set privacy.apps signal thunderbird`, `memo config set dispatch.quiet_hours 22:00-07:30`

    A list is replaced whole. A value may be written as in memo.toml, too: '["signal"]', and '[]' for an empty list.
    """
    home, before = Home.find(), settings_file.read_text(Home.find())
    if isinstance(setting_of(Settings(), key), SecretStr):
        raise UsageError(f"Other users can see the words of a command, so {key} is set by `memo config edit`.")
    old = Settings.load()
    settings_file.save(home, before, settings_file.with_value(before, key, settings_file.parse_value(key, words)))
    new = Settings.load()
    print_text(f"{key} = {as_toml(_shown(setting_of(new, key)))}")
    notes = _exclusion_notes(home, old.privacy, new) if key.startswith("privacy.") else []
    print_text(" ".join([*_effects(home, key, old, new), *notes]))


@app.command()
def edit() -> None:
    """Edit a copy of memo.toml in the editor that VISUAL or EDITOR names; it replaces the file once it has no error."""
    home = Home.find()
    before = _find_rules()
    changed = config_edit.edit(home)
    if changed and running.holder(home):
        print_text(f"MEMO uses {', '.join(tables_at_once())} at once; for the rest run `memo down`, then `memo up`.")
    for sentence in _exclusion_notes(home, before, Settings.load()):
        print_text(sentence)


def _find_rules() -> PrivacySettings:
    """Return the privacy rules in force, or the default ones while the settings are wrong."""
    try:
        return Settings.load().privacy
    except UsageError:
        return PrivacySettings()


def _effects(home: Home, key: str, old: Settings, new: Settings) -> list[str]:
    """Return sentences that say when the value of a key takes effect, or what hides it."""
    pid, table = running.holder(home), key.partition(".")[0]
    if name := find_variable(key, os.environ):
        return [f"But {name} in the environment has another value, which is in force."]
    if pid is None:
        return ["MEMO is not running: commands use the new value at once, and `memo up` starts with it."]
    if name := find_variable(key, _environment(pid)):
        return [f"But MEMO was started with {name} in its environment, which stays in force."]
    if table not in tables_at_once():
        return ["The running MEMO still uses the former value; run `memo down`, then `memo up`."]
    if strictest(old.privacy, new.privacy) != new.privacy:
        return [f"It is in force now; what it no longer leaves out is recorded after {SETTLE_S:.0f} s."]
    return ["It is in force now."]


def _exclusion_notes(home: Home, old: PrivacySettings, new: Settings) -> list[str]:
    """Return sentences about what is stored, and what was trained, of what is excluded from now on."""
    from forget import retire

    gained = [name for name in FORGETS if not set(getattr(new.privacy, name)) <= set(getattr(old, name))]
    commands = " or ".join(dict.fromkeys(f"`memo forget{FORGETS[name]}`" for name in gained))
    is_stored = gained and not missing_file(new, home)
    stays = [f"What is stored already stays until {commands} deletes it."] if is_stored else []
    retired = retire.retire_where_due(new, home)
    return [*stays, *([retire.describe(retired)] if retired else [])]


def _environment(pid: int) -> dict[str, str]:
    try:
        return psutil.Process(pid).environ()
    except psutil.Error:  # it has just ended
        return {}


def _shown(value: Any) -> Any:
    """Return a value as JSON has it, without passwords."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, SecretStr):
        return str(value)
    return CREDENTIALS.sub("***@", value) if isinstance(value, str) else value
