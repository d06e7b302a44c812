"""The scripts that run inside KDE and GNOME, run by node with a minimal desktop around them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import collector
from collector.sources.wayland.desktop_bus import NAME, PATH, FocusInterface

SHIPPED = Path(collector.__path__[0]) / "desktop"
KWIN, GNOME = SHIPPED / "kwin", SHIPPED / "gnome" / "memo@memo-daemon"
SCRIPT, EXTENSION = KWIN / "contents" / "code" / "main.js", GNOME / "extension.js"

SIGNAL = """
function signal() {
    const called = new Set();
    const emit = (...given) => called.forEach(f => f(...given));
    return {connect: f => called.add(f), disconnect: f => called.delete(f), emit};
}
const calls = [];
"""
KDE_DESKTOP = """
function callDBus(...given) { calls.push(given); }
const other = {caption: "Inbox", resourceClass: "mail", desktopFileName: "", internalId: "{2}", pid: 8,
    captionChanged: signal()};
const one = {caption: "Notes", resourceClass: "kate", desktopFileName: "org.kde.kate", internalId: "{1}", pid: 7,
    captionChanged: signal()};
const workspace = {windowActivated: signal(), windowRemoved: signal(), activeWindow: one};
"""
KDE_ACTS = """
one.caption = "Changed"; one.captionChanged.emit();
workspace.windowActivated.emit(other);
one.captionChanged.emit();
workspace.windowRemoved.emit(one);
workspace.windowRemoved.emit(other);
"""
GNOME_DESKTOP = """
class Source {
    constructor() { this.connected = new Map(); }
    connectObject(name, f, owner) { this.connected.set(owner, f); }
    disconnectObject(owner) { this.connected.delete(owner); }
    emit() { this.connected.forEach(f => f()); }
}
class Window extends Source {
    constructor(given) { super(); Object.assign(this, given); }
    get_id() { return this.id; }
    get_title() { return this.title; }
    get_pid() { return this.pid; }
    get_wm_class() { return this.class; }
}
class Extension {}
const GLib = {Variant: class { constructor(kinds, given) { this.kinds = kinds; this.given = given; } }};
let appeared = null;
const call = (name, path, face, method, v) => calls.push([name, path, face, method, v.kinds, ...v.given]);
const Gio = {
    DBus: {session: {call}},
    DBusCallFlags: {}, BusType: {}, BusNameWatcherFlags: {},
    bus_watch_name: (type, name, flags, f) => { appeared = f; return 1; }, bus_unwatch_name: () => {},
};
const Shell = {WindowTracker: {get_default: () => ({get_window_app: w => w.app && {get_id: () => w.app}})}};
const one = new Window({id: 1, title: "Notes", pid: 7, class: "gedit", app: "org.gnome.gedit.desktop"});
const other = new Window({id: 2, title: null, pid: 8, class: "mail", app: "window:5"});
const global = {display: new Source()};
global.display.focus_window = one;
"""
GNOME_ACTS = """
const extension = new MemoExtension();
extension.enable();
appeared();
one.title = "Changed"; one.emit();
global.display.focus_window = other; global.display.emit();
one.emit();
extension.disable();
other.emit(); global.display.emit();
"""


def node(code: str, *flags: str) -> str:
    """Return what node prints for the code."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed")
    done = subprocess.run([program, *flags], input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def calls(*parts: str) -> list[list[str]]:
    """Return the arguments of the D-Bus calls that the scripts make."""
    found: list[list[str]] = json.loads(node("\n".join([SIGNAL, *parts, "console.log(JSON.stringify(calls));"])))
    assert {tuple(call[:4]) for call in found} == {(NAME, PATH, NAME, FocusInterface.FocusWindow.__name__)}
    return [call[4:] for call in found]


@pytest.mark.parametrize("script", [SCRIPT, EXTENSION], ids=["kwin", "gnome"])
def test_scripts_are_valid_javascript(script: Path) -> None:
    node(script.read_text(), "--input-type=module", "--check")


def test_kde_script_reports_windows_and_titles() -> None:
    notes, changed = ["{1}", "org.kde.kate", "Notes", "7"], ["{1}", "org.kde.kate", "Changed", "7"]
    mail, nothing = ["{2}", "mail", "Inbox", "8"], ["", "", "", "0"]
    assert calls(KDE_DESKTOP, SCRIPT.read_text(), KDE_ACTS) == [notes, changed, mail, nothing]


def test_kde_script_supports_kde_5() -> None:
    older = {"windowActivated": "clientActivated", "windowRemoved": "clientRemoved", "activeWindow": "activeClient"}
    desktop, acts = KDE_DESKTOP, KDE_ACTS
    for new, old in older.items():
        desktop, acts = desktop.replace(new, old), acts.replace(new, old)
    assert len(calls(desktop, SCRIPT.read_text(), acts)) == 4


def test_gnome_extension_reports_windows_and_titles() -> None:
    extension = re.sub(r"^import .*$", "", EXTENSION.read_text(), flags=re.M).replace("export default", "")
    kinds, app = "(ssss)", "org.gnome.gedit.desktop"
    notes, changed = [kinds, "1", app, "Notes", "7"], [kinds, "1", app, "Changed", "7"]
    mail, nothing = [kinds, "2", "mail", "", "8"], [kinds, "", "", "", "0"]
    assert calls(GNOME_DESKTOP, extension, GNOME_ACTS) == [notes, notes, changed, mail, nothing]


def test_metadata_names_the_scripts() -> None:
    kwin: dict[str, Any] = json.loads((KWIN / "metadata.json").read_text())
    gnome: dict[str, Any] = json.loads((GNOME / "metadata.json").read_text())
    assert kwin["KPackageStructure"] == "KWin/Script"
    assert KWIN / "contents" / kwin["X-Plasma-MainScript"] == SCRIPT
    assert gnome["uuid"] == GNOME.name
