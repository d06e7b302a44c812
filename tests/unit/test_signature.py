"""What docs/handlers-builtin.md gives a server to check the webhook's signature with."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.handlers.webhook import signature

TEXT = (Path(__file__).parents[2] / "docs" / "handlers-builtin.md").read_text(encoding="utf-8")


@pytest.fixture
def is_genuine() -> Callable[..., bool]:
    shown = re.search(r"```python\n(.+?)```", TEXT, re.S)
    assert shown
    names: dict[str, Any] = {}
    exec(shown[1], names)
    found: Callable[..., bool] = names["is_genuine"]
    return found


def test_it_takes_ours_and_nothing_else(is_genuine: Callable[..., bool]) -> None:
    stamp, body = str(int(time.time())), b'{"text": "\xe6\x96\xb0"}'
    signed = f"sha256={signature('secret', stamp, body)}"
    assert is_genuine("secret", stamp, signed, body)
    assert not is_genuine("other", stamp, signed, body)
    assert not is_genuine("secret", stamp, signed, body + b" ")
    assert not is_genuine("secret", str(int(stamp) + 1), signed, body)
    old = str(int(stamp) - 3_600)
    assert not is_genuine("secret", old, f"sha256={signature('secret', old, body)}", body)
