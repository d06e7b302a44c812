"""Which window is in use among those that a compositor lists."""

from typing import Any

from collector.sources.wayland.declared_protocols import Handle
from collector.sources.wayland.toplevels import Toplevel, Toplevels

MAIN, DIALOG, CLOSED = (object() for _ in range(3))


def listed(*windows: tuple[Any, Toplevel]) -> Toplevels:
    toplevels = Toplevels()
    toplevels.windows.update(windows)
    return toplevels


def test_a_dialog_counts_as_the_window_that_it_belongs_to() -> None:
    main, dialog = Toplevel(1), Toplevel(2, active=True, parent=MAIN)  # type: ignore[arg-type]
    assert listed((MAIN, main), (DIALOG, dialog)).find_active() is main


def test_a_window_whose_parent_is_closed_counts_itself() -> None:
    dialog = Toplevel(2, active=True, parent=CLOSED)  # type: ignore[arg-type]
    assert listed((MAIN, Toplevel(1)), (DIALOG, dialog)).find_active() is dialog


def test_windows_that_belong_to_each_other_end_the_search() -> None:
    one, other = Toplevel(1, active=True, parent=DIALOG), Toplevel(2, parent=MAIN)  # type: ignore[arg-type]
    assert listed((MAIN, one), (DIALOG, other)).find_active() in (one, other)


def test_no_window_is_in_use_without_a_focus() -> None:
    assert listed((MAIN, Toplevel(1))).find_active() is None


def test_the_compositor_tells_a_parent_and_its_end() -> None:
    class Window:
        def __init__(self) -> None:
            self.dispatcher: dict[str, Any] = {}

    toplevels = Toplevels()
    main: Any = Window()
    dialog: Any = Window()
    for window in (main, dialog):
        toplevels._add(None, window)
    dialog.dispatcher["parent"](dialog, main)
    assert set(toplevels.find_own()) == {main}
    dialog.dispatcher["parent"](dialog, None)
    assert set(toplevels.find_own()) == {main, dialog}


def test_a_parent_is_the_eighth_event_and_may_be_none() -> None:
    parent = Handle.events[7]
    assert (parent.name, parent.version, [argument.nullable for argument in parent.arguments]) == ("parent", 3, [True])
