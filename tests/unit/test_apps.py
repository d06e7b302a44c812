"""Apps from desktop entries as the distributions write them, and from broken ones."""

import os
from pathlib import Path

import pytest

from memo.desktop.apps import Apps
from memo.desktop.desktop_entries import default_folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "applications"
    made.mkdir()
    return made


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH."""
    made = tmp_path / "bin"
    made.mkdir()
    monkeypatch.setenv("PATH", f"{made}:{os.environ['PATH']}")
    return made


def write(folder: Path, entry_id: str, **keys: str) -> None:
    lines = ["[Desktop Entry]", "Type=Application", *(f"{key}={value}" for key, value in keys.items())]
    (folder / f"{entry_id}.desktop").write_text("\n".join(lines) + "\n", "utf-8")


def program(path: Path, text: str = "\x7fELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "latin-1")
    path.chmod(0o755)
    return path


def test_of_window_tries_class_then_id_then_program(folder: Path) -> None:
    write(folder, "firefox-esr", Exec="/usr/lib/firefox-esr/firefox-esr %u", StartupWMClass="Firefox-esr")
    write(folder, "org.gnome.gedit", Exec="gedit %U", DBusActivatable="true")
    write(folder, "signal", Exec="/opt/Signal/signal-desktop %U")
    write(folder, "org.gnome.Terminal", Exec="gnome-terminal")
    apps = Apps([folder])
    assert apps.of_window(["Navigator", "firefox-esr"]) == "firefox-esr"
    assert apps.of_window(["org.gnome.gedit"]) == "org.gnome.gedit"
    assert apps.of_window(["gedit", "Gedit"]) == "org.gnome.gedit"
    assert apps.of_window(["main", "Main"], "/opt/Signal/signal-desktop") == "signal"
    assert apps.of_window(["gnome-terminal-server", "Gnome-terminal"]) == "org.gnome.Terminal"


def test_called_finds_an_app_by_any_of_its_names(folder: Path) -> None:
    write(
        folder,
        "debian-xterm",
        Exec="/usr/bin/xterm",
        StartupWMClass="XTerm",
        Name="Terminal",
        **{"Name[zh_CN]": "终端"},
    )
    write(folder, "org.gnome.gedit", Exec="gedit %U", Name="Text Editor")
    write(folder, "notes", Exec="python3 /opt/notes.py", Name="Notes", NoDisplay="true")
    write(folder, "torn", Exec="'", Name="Notes")
    apps = Apps([folder])
    for name in ("debian-xterm", "XTERM", "terminal", "终端", " xterm "):
        assert apps.called(name) == {"debian-xterm"}, name
    assert apps.called("text editor") == apps.called("GEdit") == {"org.gnome.gedit"}
    assert apps.called("notes") == {"notes"}
    assert apps.called("python3") == apps.called("term") == apps.called("") == set(), "an interpreter names no app"


def test_of_window_without_an_app_is_class_or_program(folder: Path) -> None:
    apps = Apps([folder])
    assert apps.of_window(["xterm", "XTerm"], "/usr/bin/xterm") == "XTerm"
    assert apps.of_window(["", ""], "/usr/bin/xterm") == "xterm"
    assert apps.of_window([]) == ""
    assert apps.of_window(["a\x1b[31m\nb"]) == "a [31m b"


def test_of_window_prefers_an_entry_in_menus_to_a_hidden_one(folder: Path) -> None:
    write(folder, "a-preview", Exec="evince-previewer", StartupWMClass="evince", NoDisplay="true")
    write(folder, "org.gnome.Evince", Exec="evince %U", StartupWMClass="evince")
    apps = Apps([folder])
    assert apps.of_window(["evince"]) == "org.gnome.Evince"
    assert apps.of_process("/usr/bin/evince-previewer") == "", "no app of its own"


def test_of_process_follows_a_script_to_the_same_name(folder: Path, programs: Path) -> None:
    program(programs / "chromium", "#!/bin/sh\n")
    write(folder, "chromium", Exec=f"{programs}/chromium %U", StartupWMClass="chromium")
    apps = Apps([folder])
    assert apps.of_process("/usr/lib/chromium/chromium", ["/usr/lib/chromium/chromium", "--type=zygote"]) == "chromium"
    assert apps.of_process("/usr/bin/dash", ["/bin/sh", f"{programs}/chromium"]) == "chromium", "the script itself"
    assert apps.of_process(f"{programs}/other") == "", "what else lies in that folder is something else"


def test_of_process_follows_a_script_to_its_own_folder(folder: Path, programs: Path, tmp_path: Path) -> None:
    script = program(tmp_path / "opt/chrome/google-chrome", "#!/bin/bash\n")
    (programs / "google-chrome-stable").symlink_to(script)
    write(folder, "google-chrome", Exec="google-chrome-stable %U")
    assert Apps([folder]).of_process(f"{tmp_path}/opt/chrome/chrome") == "google-chrome"


def test_of_process_follows_a_link_to_a_versioned_program(folder: Path, programs: Path) -> None:
    (programs / "gimp").symlink_to(program(programs / "gimp-2.10"))
    write(folder, "gimp", Exec="gimp %U")
    apps = Apps([folder])
    assert apps.of_process(f"{programs}/gimp-2.10") == "gimp"
    assert apps.of_process(f"{programs}/gimp-2.10 (deleted)") == "gimp", "upgraded while it runs"


def test_of_process_of_an_interpreter_is_its_scripts_app(folder: Path, programs: Path) -> None:
    python = program(programs / "python3.11")
    (programs / "python3").symlink_to(python)
    script = program(programs / "meld", "#!/usr/bin/env python3\n")
    write(folder, "python3.11", Exec=f"{python}", Terminal="true")
    write(folder, "org.gnome.Meld", Exec="meld %F")
    write(folder, "notes", Exec="env LANG=C python3 -m notes --window")
    apps = Apps([folder])
    assert apps.of_process(str(python), ["python3", str(script), "one.txt"]) == "org.gnome.Meld"
    assert apps.of_process(str(python), ["python3", "-m", "notes", "--window"]) == "notes"
    assert apps.of_process(str(python), ["python3", "-m", "http.server"]) == ""
    assert apps.of_process(str(python), ["python3"]) == ""
    assert apps.of_window(["python3"], str(python)) == "python3"


def test_of_process_tells_entries_apart_by_arguments(folder: Path) -> None:
    write(folder, "a-writer", Exec="office --writer %U")
    write(folder, "b-start", Exec="office %U")
    write(folder, "c-calc", Exec="office --calc %U")
    apps = Apps([folder])
    assert apps.of_process("/usr/bin/office", ["office", "--calc", "sums.ods"]) == "c-calc"
    assert apps.of_process("/usr/bin/office", ["office", "sums.ods"]) == "b-start"
    assert apps.of_process("/usr/bin/office") == "b-start"


def test_of_file_tells_the_apps_of_one_program_apart(folder: Path, programs: Path) -> None:
    program(programs / "office")
    write(folder, "office-start", Exec="office %U")
    write(folder, "office-writer", Exec="office --writer %U", MimeType="text/plain;application/rtf;")
    write(folder, "office-calc", Exec="office --calc %U", MimeType="text/csv;")
    apps = Apps([folder])
    found = [apps.of_file("office", media_type) for media_type in ("text/plain", "text/csv", "image/png", "")]
    assert found == ["office-writer", "office-calc", "office-start", "office-start"]


def test_of_process_finds_a_flatpak_by_its_inner_program(folder: Path) -> None:
    write(folder, "org.gimp.GIMP", Exec="/usr/bin/flatpak run --command=gimp-2.10 org.gimp.GIMP @@u %U @@")
    apps = Apps([folder])
    assert apps.of_process("/app/bin/gimp-2.10") == "org.gimp.GIMP"
    assert apps.of_process("/usr/bin/flatpak", ["flatpak", "list"]) == ""


def test_apps_ignore_invalid_files(folder: Path) -> None:
    write(folder, "good", Exec="good")
    (folder / "empty.desktop").touch()
    (folder / "no-group.desktop").write_text("Exec=x\n")
    (folder / "bytes.desktop").write_bytes(b"\xff\xfe[Desktop Entry]\x00\n\xff=\xff")
    (folder / "lonely-key.desktop").write_text("[Desktop Entry]\nTerminal\nExec=lonely %f\n")
    (folder / "quote.desktop").write_text('[Desktop Entry]\nExec="x\n')
    (folder / "large.desktop").write_text("[Desktop Entry]\nExec=large\n#" + "x" * 2_000_000)
    (folder / "link.desktop").write_text("[Desktop Entry]\nType=Link\nExec=linked\n")
    os.mkfifo(folder / "pipe.desktop")
    (folder / "loop.desktop").symlink_to(folder / "loop.desktop")
    (folder / "round").symlink_to(folder)
    apps = Apps([folder, folder / "absent"])
    assert apps.of_process("/usr/bin/good") == "good"
    assert apps.of_process("/usr/bin/lonely") == "lonely-key"
    assert [apps.of_process(f"/usr/bin/{name}") for name in ("x", "large", "linked")] == ["", "", ""]


def test_apps_prefer_the_users_own_entry(tmp_path: Path, folder: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    write(own, "mail", Exec="my-mail")
    write(own, "news", Exec="news", Hidden="true")
    write(folder, "mail", Exec="mail")
    write(folder, "news", Exec="news")
    apps = Apps([own, folder])
    assert [apps.of_process(f"/usr/bin/{name}") for name in ("my-mail", "mail", "news")] == ["mail", "", ""]


def test_apps_put_the_subfolder_into_the_id(folder: Path) -> None:
    apps = Apps([folder])
    os.utime(folder, (0, 0))  # the clock of folders is coarse
    assert apps.of_process("/usr/bin/konsole") == ""
    (folder / "kde4").mkdir()
    write(folder / "kde4", "konsole", Exec="konsole")
    assert apps.of_process("/usr/bin/konsole") == "kde4-konsole"


def test_apps_notice_installed_and_removed_entries(folder: Path) -> None:
    apps = Apps([folder])
    os.utime(folder, (0, 0))  # the clock of folders is coarse
    assert apps.of_process("/usr/bin/late") == ""
    write(folder, "late", Exec="late")
    assert apps.of_process("/usr/bin/late") == "late"
    os.utime(folder, (0, 0))
    assert apps.of_process("/usr/bin/late") == "late"
    (folder / "late.desktop").unlink()
    assert apps.of_process("/usr/bin/late") == ""


def test_default_folders_are_those_of_the_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/home/me/data")
    monkeypatch.setenv("XDG_DATA_DIRS", "/one::/two")
    folders = [str(folder) for folder in default_folders()]
    assert folders[:3] == ["/home/me/data/applications", "/one/applications", "/two/applications"]
    assert "/home/me/data/flatpak/exports/share/applications" in folders
    assert "/var/lib/snapd/desktop/applications" in folders
