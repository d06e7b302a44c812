"""The identity of a window: its title without details that change while the page stays the same."""

import pytest

from memo.core.events import Action, Operation


def identity(title: str) -> str:
    return Action(Operation.WINDOW_FOCUS, title, "app").identity.target


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("News 和另外 3 个页面 - 个人 - Microsoft\u200b Edge", "News - Microsoft Edge"),
        ("News and 12 more pages - Personal - Microsoft Edge", "News - Microsoft Edge"),
        ("(3) Inbox", "(12+) Inbox"),
        ("Xmind 24.1.13", "Xmind 24.10.2"),
        ("Setup v1.2.3 - Installer", "Setup v1.2.4 - Installer"),
    ],
)
def test_identity_ignores_details(one: str, other: str) -> None:
    assert identity(one) == identity(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ssh 192.168.0.1", "ssh 192.168.0.2"),
        ("Python 3.11 documentation", "Python 3.12 documentation"),
        ("Chapter 1", "Chapter 2"),
        ("build 1.2.3.4", "build 1.2.3.5"),
        ("notes_1.2.3.txt", "notes_1.2.4.txt"),
    ],
)
def test_identity_keeps_other_numbers(one: str, other: str) -> None:
    assert identity(one) != identity(other)


@pytest.mark.parametrize("operation", [one for one in Operation if one is not Operation.WINDOW_FOCUS])
def test_identity_of_other_operations_is_the_action(operation: Operation) -> None:
    action = Action(operation, "(3) Setup 1.2.3", "place")
    assert action.identity == action
