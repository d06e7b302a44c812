"""The built-in base model in NumPy: a Llama of four layers, which answers long before torch would be imported.

Source: LLaMA (Touvron et al. 2023), with biases in the attention; the weights are those that transformers stores.
Adapters are low-rank updates (LoRA, Hu et al. 2021), added to the weights when they are loaded.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from worker.predictors.language_model.label_coding import vocabulary
from worker.predictors.language_model.language import ADAPTER_WEIGHTS, LanguageModel
from worker.predictors.language_model.weights import BUILTIN, compute_sha256, find_weights

Array = NDArray[np.float32]
Tensors = Mapping[str, Array]
LOW_RANK = ("lora_A.weight", "lora_B.weight")


class Cache:
    """Keys and values of the tokens that the model has read, each (layers, heads, tokens, head size)."""

    def __init__(self, layers: int, heads: int, size: int) -> None:
        self._stored = np.empty((2, layers, heads, 64, size), np.float32)
        self.length = 0  # tokens

    def reserve(self, tokens: int) -> None:
        """Make room for more tokens."""
        room = self._stored.shape[3]
        if self.length + tokens > room:
            grown = np.empty_like(
                self._stored, shape=(*self._stored.shape[:3], 2 * room + tokens, self._stored.shape[4])
            )
            grown[:, :, :, : self.length] = self._stored[:, :, :, : self.length]
            self._stored = grown

    def put(self, layer: int, keys: Array, values: Array) -> tuple[Array, Array]:
        """Store a layer's keys and values of new tokens, for which there is room; return those of all tokens."""
        end = self.length + keys.shape[1]
        self._stored[0, layer, :, self.length : end] = keys
        self._stored[1, layer, :, self.length : end] = values
        return self._stored[0, layer, :, :end], self._stored[1, layer, :, :end]


@dataclass(frozen=True)
class Layer:
    """The weights of one layer; those that read the same input are joined."""

    attention_norm: Array  # (hidden,)
    attention_in: Array  # (hidden, 3 hidden): queries, keys, values
    attention_bias: Array  # (3 hidden,)
    attention_out: Array  # (hidden, hidden)
    out_bias: Array  # (hidden,)
    feed_norm: Array  # (hidden,)
    feed_in: Array  # (hidden, 2 inner): gate, up
    feed_out: Array  # (inner, hidden)

    @classmethod
    def of(cls, tensors: Tensors, number: int) -> "Layer":
        """Take a layer's weights out of a model's tensors."""
        prefix = f"model.layers.{number}."
        own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        attention = [f"self_attn.{part}_proj" for part in "qkv"]
        return cls(
            own["input_layernorm.weight"],
            np.vstack([own[f"{name}.weight"] for name in attention]).T.copy(),
            np.hstack([own[f"{name}.bias"] for name in attention]),
            own["self_attn.o_proj.weight"].T.copy(),
            own["self_attn.o_proj.bias"],
            own["post_attention_layernorm.weight"],
            np.vstack([own["mlp.gate_proj.weight"], own["mlp.up_proj.weight"]]).T.copy(),
            own["mlp.down_proj.weight"].T.copy(),
        )


class BuiltinModel(LanguageModel):
    """The built-in base model, on the CPU."""

    def __init__(self, folder: Path = BUILTIN, threads: int = 1) -> None:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.encode_special_tokens = True  # as plain text: a title may hold what looks like one
        words = vocabulary(tokenizer.get_vocab(), lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
        super().__init__("builtin", words, compute_sha256(find_weights(folder)))
        threadpool_limits(threads, "blas")
        self._tensors = load_file(folder / "model.safetensors")
        self._embeddings, self._norm = self._tensors["model.embed_tokens.weight"], self._tensors["model.norm.weight"]
        self._config = json.loads((folder / "config.json").read_text("utf-8"))
        self._epsilon = np.float32(self._config["rms_norm_eps"])
        self._turns = _turns(self._config)
        self._layers: dict[str | None, list[Layer]] = {None: self._join({})}

    def new_cache(self) -> Cache:
        """Return the cache of a context that the model has read nothing of."""
        config = self._config
        return Cache(config["num_hidden_layers"], config["num_attention_heads"], config["head_dim"])

    def next(
        self, tokens: Sequence[int], cache: Cache | None, columns: Sequence[int], version_id: str | None
    ) -> list[float]:
        """Feed tokens after those in `cache`; return log-probabilities of the tokens `columns` after the last one."""
        cache = cache or self.new_cache()
        cache.reserve(len(tokens))
        hidden = self._embeddings[list(tokens)]
        for number, layer in enumerate(self._layers[version_id]):
            hidden = hidden + self._attend(layer, number, self._normed(hidden, layer.attention_norm), cache)
            hidden = hidden + _feed_forward(layer, self._normed(hidden, layer.feed_norm))
        cache.length += len(tokens)
        scores = self._embeddings[list(columns)] @ self._normed(hidden[-1], self._norm)
        return list((scores - np.logaddexp.reduce(scores)).tolist())

    def _load_adapter(self, version_id: str, folder: Path) -> None:
        settings = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        found = load_file(folder / ADAPTER_WEIGHTS)
        scale = np.float32(settings["lora_alpha"] / settings["r"])
        names = {name.removesuffix(LOW_RANK[0]) for name in found if name.endswith(LOW_RANK[0])}
        updates = {
            f"{name.removeprefix('base_model.model.')}weight": scale
            * (found[name + LOW_RANK[1]] @ found[name + LOW_RANK[0]])
            for name in names
        }
        self._layers[version_id] = self._join(updates)

    def _remove_adapter(self, version_id: str) -> None:
        del self._layers[version_id]

    def _join(self, updates: Tensors) -> list[Layer]:
        """Return the layers with updates added to the weights. Raises KeyError for an update of no weight."""
        tensors = self._tensors | {name: self._tensors[name] + update for name, update in updates.items()}
        return [Layer.of(tensors, number) for number in range(self._config["num_hidden_layers"])]

    def _normed(self, hidden: Array, weight: Array) -> Array:
        """Return the root mean square norm (Zhang and Sennrich 2019)."""
        square = np.vecdot(hidden, hidden)[..., None] / np.float32(hidden.shape[-1])
        return np.asarray(hidden / np.sqrt(square + self._epsilon) * weight)

    def _attend(self, layer: Layer, number: int, given: Array, cache: Cache) -> Array:
        """Return what the tokens take from those before them, (tokens, hidden)."""
        count, heads, size = len(given), self._config["num_attention_heads"], self._config["head_dim"]
        joined = (
            (given @ layer.attention_in + layer.attention_bias).reshape(count, 3, heads, size).transpose(1, 2, 0, 3)
        )
        queries, keys = (self._rotated(part, cache.length) for part in joined[:2])
        keys, values = cache.put(number, keys, joined[2])
        scores = queries @ keys.transpose(0, 2, 1) / np.float32(np.sqrt(size))
        if count > 1:
            scores[:, np.arange(keys.shape[1]) > cache.length + np.arange(count)[:, None]] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ values).transpose(1, 0, 2).reshape(count, -1)
        return np.asarray(mixed @ layer.attention_out + layer.out_bias)

    def _rotated(self, vectors: Array, start: int) -> Array:
        """Return vectors (heads, tokens, size) turned by their positions from `start` on (RoPE, Su et al. 2021)."""
        cosine, sine = self._turns[:, start : start + vectors.shape[1]]
        first, second = _halves(vectors)
        return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1)


def _halves(joined: Array) -> tuple[Array, Array]:
    half = joined.shape[-1] // 2
    return joined[..., :half], joined[..., half:]


def _feed_forward(layer: Layer, given: Array) -> Array:
    gate, up = _halves(given @ layer.feed_in)
    return np.asarray(gate / (1 + np.exp(-gate)) * up @ layer.feed_out)


def _turns(config: Mapping[str, Any]) -> Array:
    """Return cosines and sines of the turn of each pair of numbers at each position, (2, positions, head size / 2)."""
    half = np.arange(0, config["head_dim"], 2) / config["head_dim"]
    angles = np.outer(np.arange(config["max_position_embeddings"]), config["rope_parameters"]["rope_theta"] ** -half)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
