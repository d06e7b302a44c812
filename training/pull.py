"""A base model of somebody else's: any causal language model that transformers loads."""

import re
from pathlib import Path

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home

NO_MODEL = "holds no causal language model that transformers can load; give a folder with config.json and weights"
TIMEOUT_S = 10
"""For the hub's first answer."""
UNREACHED = "can't be fetched; check the name and the network, or give a folder that holds the model"


def pull(name: str, home: Home) -> Path:
    """Load a hub model or a folder once, to see that it works, and keep it under the home's models.

    Raises UsageError for a name that is none, MemoError where it can't be fetched or loaded.
    """
    from huggingface_hub import snapshot_download
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = home.models / f"base-{_short(name)}"
    try:
        place = name if Path(name).is_dir() or _answers(name) else snapshot_download(name, local_files_only=True)
        model, tokenizer = AutoModelForCausalLM.from_pretrained(place), AutoTokenizer.from_pretrained(place)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise MemoError(f"{name} {NO_MODEL if Path(name).is_dir() else UNREACHED}.") from error
    return folder


def _answers(name: str) -> bool:
    """Whether the hub has the model; asked once, for the loader would try and complain for most of a minute."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=TIMEOUT_S)
    except Exception:  # its client library has many of its own
        return False
    return True


def _short(name: str) -> str:
    """The last part of a name or path, fit for a folder's name."""
    short = re.sub(r"[^\w.-]", "-", name.rstrip("/").rpartition("/")[2]).strip(".-")
    if not short:
        raise UsageError("A model is named like Qwen/Qwen3-0.6B, or by a folder.")
    return short
