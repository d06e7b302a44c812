"""What `memo forget` shows before it asks stays short."""

from cli.records.forget import MAX_SCOPES, _top_scopes


def test_scopes_are_listed_if_there_are_several() -> None:
    assert _top_scopes({}) == _top_scopes({"ada@host": 3}) == []
    assert _top_scopes({"ada@host": 3, "eve@host": 5}) == [("eve@host", 5), ("ada@host", 3)]


def test_scopes_with_most_events_are_listed() -> None:
    counts = {f"user{number}": number for number in range(1, MAX_SCOPES + 3)}
    *named, rest = _top_scopes(counts)
    assert named == [(f"user{number}", number) for number in range(MAX_SCOPES + 2, 2, -1)]
    assert rest == ("in other scopes", 1 + 2)
