"""Pull a base model: any causal language model that transformers can load, also from a GGUF file."""

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home

GGUF = ".gguf"
TIMEOUT_S = 10  # for the hub's first answer


def pull(name: str, home: Home) -> Path:
    """Load a hub model, a folder or a GGUF file once, to check that it works, and save it under the home's models.

    The file `pulled.json` beside it holds its origin and the SHA-256 of the weights. Raises UsageError for an
    impossible name, MemoError if the model can't be fetched or loaded.
    """
    from worker.predictors.language_model.loading import LOAD_ERRORS, first_line
    from worker.predictors.language_model.weights import compute_sha256, find_weights

    folder = home.models / f"base-{_short_name(name)}"
    place, gguf = _find(name)
    try:
        model, tokenizer = _load(place, gguf)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except LOAD_ERRORS as error:
        raise MemoError(
            f"{name} is no causal language model that transformers can load ({first_line(error)}); "
            "give a folder with config.json and weights, or a GGUF file."
        ) from error
    origin = {"from": name, "sha256": compute_sha256(find_weights(folder))}
    if gguf:
        origin["gguf_sha256"] = compute_sha256([Path(place) / gguf])
    (folder / "pulled.json").write_text(json.dumps(origin, indent=2) + "\n", "utf-8")
    return folder


def _find(name: str) -> tuple[str, str | None]:
    """Return what transformers loads a model from: a folder or a hub name, and a GGUF file in the folder, if any."""
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == GGUF:
        return str(path.parent), path.name
    if path.is_dir():
        return str(path), _find_gguf(path)
    if path.is_file() or name.startswith(("/", ".", "~")) or name.count("/") > 1:
        wrong = "is neither a folder nor a GGUF file" if path.exists() else "does not exist"
        raise MemoError(f"{name} {wrong}; give a folder with config.json and weights, a GGUF file, or a hub name.")
    return _fetch(name), None


def _find_gguf(folder: Path) -> str | None:
    """Return the name of the GGUF file in a folder that holds no other weights. Raises MemoError for several."""
    from worker.predictors.language_model.weights import find_weights

    files = sorted(folder.glob(f"*{GGUF}"))
    if not files or find_weights(folder):
        return None
    if len(files) > 1:
        raise MemoError(f"{folder} holds {len(files)} GGUF files; name one of them, such as {files[0]}.")
    return files[0].name


def _load(place: str, gguf: str | None) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    if gguf is None:
        return AutoModelForCausalLM.from_pretrained(place), AutoTokenizer.from_pretrained(place)
    if find_spec("gguf") is None:
        raise MemoError(f"Reading {gguf} needs the package gguf; run `{sys.executable} -m pip install gguf`.")
    unpacked = GgufConfig(dequantize=True)  # otherwise transformers refuses to save it
    model = AutoModelForCausalLM.from_pretrained(place, gguf_file=gguf, quantization_config=unpacked)
    return model, AutoTokenizer.from_pretrained(place, gguf_file=gguf)


def _fetch(name: str) -> str:
    """Return the hub name if the hub answers, with one request, else its folder in the cache. Raises MemoError.

    The loader itself would retry for almost a minute.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    from worker.predictors.language_model.loading import first_line

    try:
        HfApi().model_info(name, timeout=TIMEOUT_S)
        return name
    except Exception as error:  # the client library raises many types
        reason = first_line(error)
    try:
        return snapshot_download(name, local_files_only=True)
    except (LocalEntryNotFoundError, ValueError) as error:
        raise MemoError(
            f"{name} can't be fetched ({reason}); check the name and the network, or give a folder."
        ) from error


def _short_name(name: str) -> str:
    """Return the last part of a name or path as the name of a folder."""
    short = re.sub(r"[^\w.-]", "-", name.removesuffix(GGUF).rstrip("/").rpartition("/")[2]).strip(".-")
    if not short:
        raise UsageError("Name a model as OWNER/NAME, or give a folder or a GGUF file.")
    return short
