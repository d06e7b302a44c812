"""`memo pause` and `memo resume`."""

from memo.paths import Home


def pause() -> None:
    """Take in nothing until `memo resume`; what happens meanwhile is never stored, not even afterwards."""
    Home.find().paused.touch(mode=0o600)
    print("MEMO is paused; `memo resume` ends it.")


def resume() -> None:
    """Take in events again."""
    Home.find().paused.unlink(missing_ok=True)
    print("MEMO takes in events again.")
