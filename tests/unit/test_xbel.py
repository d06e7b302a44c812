"""The list of recently used files: entries that are read, and content that is rejected."""

from datetime import UTC, datetime

import pytest

from collector.sources.files.xbel import Bookmark, parse

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n{doctype}<xbel version="1.0"'
    ' xmlns:bookmark="http://www.freedesktop.org/standards/desktop-bookmarks">{inner}</xbel>'
)
BOMB = '<!DOCTYPE xbel [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>\n'


MEDIA = "http://www.freedesktop.org/standards/shared-mime-info"


def xbel(inner: str, doctype: str = "") -> bytes:
    return HEAD.format(doctype=doctype, inner=inner).encode()


def bookmark(href: str, inner: str = "", visited: str = "2026-01-02T03:04:05.678901Z") -> str:
    return f'<bookmark href="{href}" added="2026-01-01T00:00:00Z" visited="{visited}"><info>{inner}</info></bookmark>'


def application(name: str, command: str, modified: str) -> str:
    return f'<bookmark:application name="{name}" exec="{command}" modified="{modified}" count="1"/>'


def test_parse_returns_path_last_use_and_last_app() -> None:
    apps = (
        application("Old", "&apos;old %u&apos;", "2026-01-01T00:00:00Z")
        + application("New", "&apos;/opt/new app/new --flag %u&apos;", "2026-01-02T00:00:00Z")
        + application("Older", "older", "2025-01-01T00:00:00Z")
    )
    media_type = f'<mime-type xmlns="{MEDIA}" type="text/plain"/>'
    (found,) = parse(xbel(bookmark("file:///home/me/a%20b%E2%82%AC.txt", media_type + apps)))
    assert found == Bookmark("/home/me/a b€.txt", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC))
    assert (found.app, found.program, found.media_type) == ("New", "/opt/new", "text/plain")


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("file:///a/b.txt", "/a/b.txt"),
        ("file://localhost/a/b.txt", "/a/b.txt"),
        ("file:///a/../b%23.txt", "/b#.txt"),
        ("file:///a/%ff.txt", "/a/\udcff.txt"),
        ("file:///a/b?x#y", "/a/b"),
        ("file://server/a/b.txt", None),
        ("file:///a/folder/", None),
        ("file:///a/%00.txt", None),
        ("file:a.txt", None),
        ("http://host/a.txt", None),
        ("smb://[host/a", None),
        ("", None),
    ],
)
def test_parse_skips_files_that_are_not_local(href: str, path: str | None) -> None:
    assert [one.path for one in parse(xbel(bookmark(href)))] == ([path] if path else [])


def test_parse_skips_private_entries_and_those_without_time() -> None:
    kept = bookmark("file:///kept")
    private = bookmark("file:///private", "<bookmark:private/>")
    no_time = '<bookmark href="file:///no-time" visited="yesterday"/>'
    assert [one.path for one in parse(xbel(private + no_time + kept))] == ["/kept"]


def test_parse_accepts_a_doctype_and_rejects_entities() -> None:
    assert len(parse(xbel(bookmark("file:///a"), doctype="<!DOCTYPE xbel>\n"))) == 1
    with pytest.raises(ValueError, match="entities"):
        parse(xbel(bookmark("file:///a", "&b;"), doctype=BOMB))
    with pytest.raises(ValueError, match="entities"):
        parse(xbel("&x;", doctype='<!DOCTYPE xbel [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'))


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"<xbel>", xbel(bookmark("file:///a"))[:-9], b"{}"])
def test_parse_invalid_xml_raises_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="not well-formed"):
        parse(text)
