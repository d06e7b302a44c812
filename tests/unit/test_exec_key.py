"""The key Exec of desktop entries, as the specification has it, and as nobody should write it."""

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
def test_arguments_are_those_of_the_specification(value: str) -> None:
    assert arguments(value) == GOOD[value]


@pytest.mark.parametrize("value", BAD)
def test_what_it_does_not_allow_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="Exec"):
        arguments(value)


def test_a_long_line_takes_no_time() -> None:
    assert len(arguments("a " * 200_000)) == 200_000
    with pytest.raises(ValueError, match="quoted"):
        arguments("a " * 200_000 + '"')
