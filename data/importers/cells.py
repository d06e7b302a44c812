"""Cells of CSV that no spreadsheet evaluates as a formula, and back.

Source: OWASP, CSV Injection: an apostrophe before = + - @, tab and carriage return. One is also put before cells that
look guarded already, so that reading takes away exactly what writing added.
"""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(cell: object) -> str:
    """Return a cell as text that no spreadsheet evaluates; a number is written as it is."""
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text.lstrip("'").startswith(FORMULA) else text


def original(cell: str) -> str:
    """Return the text from which `harmless` made a cell."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell
