"""Initial weights that can already copy, so that a few minutes of training suffice.

From the usual initial weights the model did not learn to copy a label in 1,000 steps, 16 minutes on two cores
(docs/LOG.md). These contain an induction circuit from the start, the one that training finds by itself in the end
(Olsson et al., In-context Learning and Induction Heads, 2022), in the manner of mimetic initialization (Trockman
and Kolter, 2023). An untrained model then predicts a Markov chain nearly as well as in-context counts do.
"""

from typing import Any

import torch

EMBEDDING_STD = 0.1  # usually 0.02: the output weights are tied, and a copied label has to stand out
PEAK = 6.0  # sharpness of the attention to a relative position
WRITE = 0.3  # strength of the look-back heads' outputs
MATCH = 1.0  # strength of the match of queries with keys
COPY = 4.0  # strength of a copied label
QUIET = 0.1  # scale of all other outputs, those of later layers included
BACK = (1, 2)  # tokens back from an event: the mark of the event before it, and that event's label


@torch.no_grad()
def init_weights(model: Any) -> None:
    """Initialize a Llama model with attention biases and tied embeddings, by torch's seed."""
    model.model.embed_tokens.weight.normal_(0, EMBEDDING_STD)
    config, layers = model.config, [layer.self_attn for layer in model.model.layers]
    for layer in layers:
        # A head writes back what it reads: values and outputs are each other's inverse.
        turn = _orthogonal(config.hidden_size)
        layer.v_proj.weight.copy_(turn)
        layer.o_proj.weight.copy_(turn.T * QUIET)
        match = torch.randn_like(layer.q_proj.weight) / config.hidden_size**0.5
        layer.q_proj.weight.copy_(match)
        layer.k_proj.weight.copy_(match)
    places = _orthogonal(config.hidden_size)
    spaces = [places[:, n * config.head_dim : (n + 1) * config.head_dim] for n in range(len(BACK))]
    _init_look_back(layers[0], config, spaces)
    _init_match(layers[1], config, spaces)


def _orthogonal(size: int) -> torch.Tensor:
    turn: torch.Tensor = torch.linalg.qr(torch.randn(size, size))[0]
    return turn


def _init_look_back(layer: Any, config: Any, spaces: list[torch.Tensor]) -> None:
    """Let head n see the token `BACK[n]` before its own, by rotary position alone, and write it into `spaces[n]`."""
    half, size = config.head_dim // 2, config.head_dim
    turns = config.rope_parameters["rope_theta"] ** (-torch.arange(half) / half)
    reading = _orthogonal(config.hidden_size)[:, :size].T
    for n, back in enumerate(BACK):
        rows = slice(n * size, (n + 1) * size)
        layer.k_proj.weight[rows] = layer.q_proj.weight[rows] = 0
        layer.k_proj.bias[rows] = PEAK * torch.cat([torch.ones(half), torch.zeros(half)])
        layer.q_proj.bias[rows] = PEAK * torch.cat([torch.cos(-back * turns), torch.sin(-back * turns)])
        layer.v_proj.weight[rows] = reading
        layer.o_proj.weight[:, rows] = WRITE * spaces[n]


def _init_match(layer: Any, config: Any, spaces: list[torch.Tensor]) -> None:
    """Let heads attend to labels that followed the previous label before, and copy them.

    The query is at a mark, whose label is 1 back; the key is at a label, whose predecessor's label is 2 back.
    """
    for n in range(len(BACK)):
        rows = slice(n * config.head_dim, (n + 1) * config.head_dim)
        turn = MATCH * _orthogonal(config.head_dim)
        layer.q_proj.weight[rows] = turn @ spaces[0].T
        layer.k_proj.weight[rows] = turn @ spaces[1].T
        layer.o_proj.weight[:, rows] *= COPY / QUIET
