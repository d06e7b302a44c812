"""Pull a base model: any causal language model that transformers can load."""

import re
from pathlib import Path

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home

NO_MODEL = "holds no causal language model that transformers can load; give a folder with config.json and weights"
UNREACHED = "can't be fetched; check the name and the network, or give a folder that holds the model"
TIMEOUT_S = 10  # for the hub's first answer


def pull(name: str, home: Home) -> Path:
    """Load a hub model or a folder once, to check that it works, and save it under the home's models.

    Raises UsageError for an impossible name, MemoError if the model can't be fetched or loaded.
    """
    from huggingface_hub import snapshot_download
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = home.models / f"base-{_short_name(name)}"
    is_folder = Path(name).is_dir()
    try:
        place = name if is_folder or _is_on_hub(name) else snapshot_download(name, local_files_only=True)
        model, tokenizer = AutoModelForCausalLM.from_pretrained(place), AutoTokenizer.from_pretrained(place)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise MemoError(f"{name} {NO_MODEL if is_folder else UNREACHED}.") from error
    return folder


def _is_on_hub(name: str) -> bool:
    """Return whether the hub has the model, with one request; the loader would retry for almost a minute."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=TIMEOUT_S)
    except Exception:  # the client library raises many types
        return False
    return True


def _short_name(name: str) -> str:
    """Return the last part of a name or path as the name of a folder."""
    short = re.sub(r"[^\w.-]", "-", name.rstrip("/").rpartition("/")[2]).strip(".-")
    if not short:
        raise UsageError("A model is named like Qwen/Qwen3-0.6B, or by a folder.")
    return short
