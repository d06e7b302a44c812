"""The key Exec of desktop entries, valid and invalid by the specification."""

import pytest

from memo.desktop.exec_line import arguments

GOOD = {
    "firefox-esr %u": ["firefox-esr"],
    "/usr/bin/flatpak run --command=gimp org.gimp.GIMP @@u %U @@": [
        "/usr/bin/flatpak", "run", "--command=gimp", "org.gimp.GIMP", "@@u", "@@",
    ],
    'app "two words" ""': ["app", "two words", ""],
    'app "a\\\\\\\\b" "\\\\$x" "\\\\`" "\\\\""': ["app", "a\\b", "$x", "`", '"'],
    "app 100%% --open=%f %i %c %k": ["app", "100%", "--open="],
    '"/opt/my app/run"': ["/opt/my app/run"],
    "env LANG=C app": ["env", "LANG=C", "app"],
    'app "%u"': ["app", "%u"],
    "app  --a   --b ": ["app", "--a", "--b"],
}  # fmt: skip
BAD = [
    "",
    " ",
    "app; rm -rf ~",
    "app $(id)",
    "app `id`",
    "app | sh",
    "app > /etc/passwd",
    "app &",
    "app 'single'",
    'app "open',
    'app "a"b',
    'app "$HOME"',
    'app "`id`"',
    "app %z",
    "app %",
    "app a\\nb;",
    "app ~/x",
    "app *",
    "app #x",
    "app \\\\ x",
    "app\ttab",
]


@pytest.mark.parametrize("value", GOOD)
def test_arguments_of_a_valid_key_follow_the_specification(value: str) -> None:
    assert arguments(value) == GOOD[value]


@pytest.mark.parametrize("value", BAD)
def test_arguments_of_an_invalid_key_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="Exec"):
        arguments(value)


def test_arguments_of_a_long_line_take_linear_time() -> None:
    assert len(arguments("a " * 50_000)) == 50_000
    with pytest.raises(ValueError, match="quoted"):
        arguments("a " * 50_000 + '"')
