"""The shell commands that the documents show, as words."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_SEPARATORS = {"&&", "|", ";"}


def shown_commands() -> list[tuple[str, ...]]:
    """Return the different commands of all blocks of shell code, in order; a pipe is several commands."""
    blocks = (block for path in DOCUMENTS for block in re.findall(r"```sh\n(.+?)```", path.read_text("utf-8"), re.S))
    return list(dict.fromkeys(command for block in blocks for line in block.splitlines() for command in _split(line)))


def mentioned_commands() -> set[tuple[str, ...]]:
    """Return the commands of `memo` within sentences, without what stands for several words."""
    texts = (path.read_text("utf-8") for path in DOCUMENTS)
    return {tuple(found.split()) for text in texts for found in re.findall(r"`(memo [a-z][^`…]*)`", text)}


def _split(line: str) -> Iterator[tuple[str, ...]]:
    words: list[str] = []
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    for word in [*lexer, ";"]:
        if word not in _SEPARATORS:
            words.append(word)
        elif words:
            yield tuple(_without_folder(words))
            words = []


def _without_folder(words: list[str]) -> list[str]:
    return [words[0].removeprefix(".venv/bin/"), *words[1:]]
