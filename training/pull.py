"""A base model of somebody else's: any causal language model that transformers loads."""

import re
from pathlib import Path

from memo.errors import MemoError, UsageError
from memo.paths import Home

NO_MODEL = "holds no causal language model that transformers can load; give a folder with config.json and weights"
UNREACHED = "can't be fetched; check the name and the network, or give a folder that holds the model"


def pull(name: str, home: Home) -> Path:
    """Load a hub model or a folder once, to see that it works, and keep it under the home's models.

    Raises UsageError for a name that is none, MemoError where it can't be fetched or loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = home.models / f"base-{_short(name)}"
    try:
        model, tokenizer = AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise MemoError(f"{name} {NO_MODEL if Path(name).is_dir() else UNREACHED}.") from error
    return folder


def _short(name: str) -> str:
    """The last part of a name or path, fit for a folder's name."""
    short = re.sub(r"[^\w.-]", "-", name.rstrip("/").rpartition("/")[2]).strip(".-")
    if not short:
        raise UsageError("A model is named like Qwen/Qwen3-0.6B, or by a folder.")
    return short
