"""The commands of `memo` that the documents name exist, with their options."""

from typing import Any

import pytest
from documented import mentioned_commands, shown_commands
from typer.core import TyperGroup
from typer.main import get_command

import cli

Command = tuple[str, ...]
SHOWN = [command for command in shown_commands() if command[0] == "memo"]


def _find(command: Command) -> tuple[Any, list[str]]:
    """Return the command of the program that words name, and the words after it."""
    found: Any = get_command(cli.make([command[1]]))
    words = list(command[1:])
    while isinstance(found, TyperGroup) and words and words[0] in found.commands:
        found = found.commands[words.pop(0)]
    return found, words


@pytest.mark.parametrize("command", [one for one in SHOWN if not one[1].startswith("-")], ids=" ".join)
def test_words_of_a_shown_command_are_accepted(command: Command) -> None:
    found, words = _find(command)
    assert not isinstance(found, TyperGroup), f"{command} ends in the middle"
    found.make_context(command[1], ["1" if word == "ID" else word for word in words])


@pytest.mark.parametrize("command", sorted(mentioned_commands()), ids=" ".join)
def test_options_of_a_mentioned_command_exist(command: Command) -> None:
    found, words = _find(command)
    options = {name for parameter in found.params for name in parameter.opts} | {"--help"}
    assert [word for word in words if word.startswith("--") and word not in options] == []
    assert found.name != "memo" and command[1] in cli.COMMANDS
