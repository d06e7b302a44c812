"""What `memo forget` shows before it asks stays short."""

from cli.records.forget import SCOPES, _scopes


def test_scopes_are_named_where_there_is_more_than_one() -> None:
    assert _scopes({"scopes": {}}) == _scopes({"scopes": {"ada@host": 3}}) == []
    assert _scopes({"scopes": {"ada@host": 3, "eve@host": 5}}) == [("eve@host", 5), ("ada@host", 3)]


def test_of_many_scopes_those_with_most_events_are_named() -> None:
    counts = {f"user{number}": number for number in range(1, SCOPES + 3)}
    *named, rest = _scopes({"scopes": counts})
    assert named == [(f"user{number}", number) for number in range(SCOPES + 2, 2, -1)]
    assert rest == ("in other scopes", 1 + 2)
