"""The built-in base model in NumPy: a Llama of four layers, which answers long before torch would be imported.

Source: LLaMA (Touvron et al. 2023), with biases in the attention; the weights are those that transformers stores.
Adapters are low-rank updates (LoRA, Hu et al. 2021) beside the weights, which all versions share.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
AT_ONCE = 128  # tokens; more take longer, and memory that grows with their square
ROOM = 128  # tokens for which a full cache grows
LOW_RANK = ("lora_A.weight", "lora_B.weight")
JOINED = {  # the modules whose weights read the same input and are joined, by the name of the joined weight
    "attention_in": [f"self_attn.{part}_proj" for part in "qkv"],
    "attention_out": ["self_attn.o_proj"],
    "feed_in": ["mlp.gate_proj", "mlp.up_proj"],
    "feed_out": ["mlp.down_proj"],
}


class Update(NamedTuple):
    """A low-rank update of a joined weight: the product of both is added to it."""

    down: Array  # (inputs, ranks)
    up: Array  # (ranks, outputs)


Updates = Mapping[str, Update]
"""The updates of a layer, by the name of the weight."""


class Cache:
    """Keys and values of the tokens that the model has read, each (layers, heads, tokens, head size)."""

    def __init__(self, layers: int, heads: int, size: int) -> None:
        self._stored = np.empty((2, layers, heads, 64, size), np.float32)
        self.length = 0  # tokens

    def reserve(self, tokens: int) -> None:
        """Make room for more tokens."""
        needed = self.length + tokens
        if needed > self._stored.shape[3]:
            shape = (*self._stored.shape[:3], needed + ROOM, self._stored.shape[4])
            grown = np.empty_like(self._stored, shape=shape)
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
        joined = {
            name: np.vstack([own[f"{module}.weight"] for module in modules]).T.copy()
            for name, modules in JOINED.items()
        }
        return cls(
            attention_norm=own["input_layernorm.weight"],
            attention_bias=np.hstack([own[f"{module}.bias"] for module in JOINED["attention_in"]]),
            out_bias=own["self_attn.o_proj.bias"],
            feed_norm=own["post_attention_layernorm.weight"],
            **joined,
        )

    def multiply(self, given: Array, name: str, updates: Updates) -> Array:
        """Return the product of an input and a joined weight with its update."""
        product: Array = given @ getattr(self, name)
        if name in updates:
            product += given @ updates[name].down @ updates[name].up
        return product

    def join(self, adapter: dict[str, Array], number: int, scale: np.float32) -> Updates:
        """Take the updates of this layer, which has a number, out of an adapter. Raises KeyError or ValueError."""
        prefix = f"base_model.model.model.layers.{number}."
        found = {}
        for name, modules in JOINED.items():
            pairs = [[adapter.pop(f"{prefix}{module}.{part}") for part in LOW_RANK] for module in modules]
            found[name] = _join(pairs, getattr(self, name).shape, scale)
        return found


class BuiltinModel(LanguageModel):
    """The built-in base model, on the CPU."""

    is_quick: bool = True

    def __init__(self, threads: int = 1) -> None:
        tokenizer = Tokenizer.from_file(str(BUILTIN / "tokenizer.json"))
        tokenizer.encode_special_tokens = True  # as plain text: a title may hold what looks like one
        words = vocabulary(tokenizer.get_vocab(), lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
        super().__init__("builtin", words, compute_sha256(find_weights(BUILTIN)))
        threadpool_limits(threads, "blas")
        tensors = load_file(BUILTIN / "model.safetensors")
        self._embeddings, self._norm = tensors["model.embed_tokens.weight"], tensors["model.norm.weight"]
        self._config = json.loads((BUILTIN / "config.json").read_text("utf-8"))
        self._epsilon = np.float32(self._config["rms_norm_eps"])
        self._turns = _turns(self._config)
        self._layers = [Layer.of(tensors, number) for number in range(self._config["num_hidden_layers"])]
        self._updates: dict[str | None, list[Updates]] = {None: [{} for _ in self._layers]}

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
        for begin in range(0, len(tokens), AT_ONCE):
            last = self._read(tokens[begin : begin + AT_ONCE], cache, self._updates[version_id])
        scores = self._embeddings[list(columns)] @ last
        return list((scores - np.logaddexp.reduce(scores)).tolist())

    def _read(self, tokens: Sequence[int], cache: Cache, updates: Sequence[Updates]) -> Array:
        """Read tokens after those in the cache; return the state after the last one."""
        hidden = self._embeddings[list(tokens)]
        for number, (layer, own) in enumerate(zip(self._layers, updates, strict=True)):
            given = self._normed(hidden, layer.attention_norm)
            hidden = hidden + self._attend(layer, own, number, given, cache)
            hidden = hidden + _feed_forward(layer, own, self._normed(hidden, layer.feed_norm))
        cache.length += len(tokens)
        return self._normed(hidden[-1], self._norm)

    def _load_adapter(self, version_id: str, folder: Path) -> None:
        settings = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        adapter = load_file(folder / ADAPTER_WEIGHTS)
        scale = np.float32(settings["lora_alpha"] / settings["r"])
        updates = [layer.join(adapter, number, scale) for number, layer in enumerate(self._layers)]
        if adapter:
            raise ValueError(f"It updates {min(adapter)}, which the model lacks.")
        self._updates[version_id] = updates

    def _remove_adapter(self, version_id: str) -> None:
        del self._updates[version_id]

    def _normed(self, hidden: Array, weight: Array) -> Array:
        """Return the root mean square norm (Zhang and Sennrich 2019)."""
        square = np.vecdot(hidden, hidden)[..., None] / np.float32(hidden.shape[-1])
        return np.asarray(hidden / np.sqrt(square + self._epsilon) * weight)

    def _attend(self, layer: Layer, updates: Updates, number: int, given: Array, cache: Cache) -> Array:
        """Return what the tokens take from those before them, (tokens, hidden)."""
        count, heads, size = len(given), self._config["num_attention_heads"], self._config["head_dim"]
        joined = (
            (layer.multiply(given, "attention_in", updates) + layer.attention_bias)
            .reshape(count, 3, heads, size)
            .transpose(1, 2, 0, 3)
        )
        queries, keys = (self._rotated(part, cache.length) for part in joined[:2])
        keys, values = cache.put(number, keys, joined[2])
        scores = queries @ keys.transpose(0, 2, 1) / np.float32(np.sqrt(size))
        if count > 1:
            scores[:, np.arange(keys.shape[1]) > cache.length + np.arange(count)[:, None]] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ values).transpose(1, 0, 2).reshape(count, -1)
        return layer.multiply(mixed, "attention_out", updates) + layer.out_bias

    def _rotated(self, vectors: Array, start: int) -> Array:
        """Return vectors (heads, tokens, size) turned by their positions from `start` on (RoPE, Su et al. 2021)."""
        cosine, sine = self._turns[:, start : start + vectors.shape[1]]
        first, second = _halves(vectors)
        return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1)


def _halves(joined: Array) -> tuple[Array, Array]:
    half = joined.shape[-1] // 2
    return joined[..., :half], joined[..., half:]


def _feed_forward(layer: Layer, updates: Updates, given: Array) -> Array:
    gate, up = _halves(layer.multiply(given, "feed_in", updates))
    return layer.multiply(gate / (1 + np.exp(-gate)) * up, "feed_out", updates)


def _join(pairs: Sequence[Sequence[Array]], shape: tuple[int, int], scale: np.float32) -> Update:
    """Return one update for joined weights of a shape, each of which takes its part of the outputs."""
    inputs, width = shape[0], shape[1] // len(pairs)
    ranks = [len(down) for down, _ in pairs]
    joined = Update(np.zeros((inputs, sum(ranks)), np.float32), np.zeros((sum(ranks), shape[1]), np.float32))
    begin = 0
    for place, ((down, up), rank) in enumerate(zip(pairs, ranks, strict=True)):
        joined.down[:, begin : begin + rank] = down.T
        joined.up[begin : begin + rank, place * width : (place + 1) * width] = scale * up.T
        begin += rank
    return joined


def _turns(config: Mapping[str, Any]) -> Array:
    """Return cosines and sines of the turn of each pair of numbers at each position, (2, positions, head size / 2)."""
    half = np.arange(0, config["head_dim"], 2) / config["head_dim"]
    angles = np.outer(np.arange(config["max_position_embeddings"]), config["rope_parameters"]["rope_theta"] ** -half)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
