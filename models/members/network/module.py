"""The network itself: embeddings of the categories beside the numbers, two hidden layers, one head for the chance of demand and one for its size."""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import softplus

RECENT = 12
_LEAST_SCALE, _FURTHEST = 0.1, 5.0
"""Least standard deviation of log sizes that is divided by, and the most that an anchor counts, as all numbers do."""
_SHARPNESS = 2.0
"""What the sharpness of the bell begins with, before softplus."""
WIDTH = 8
"""Numbers that a category is embedded in; one width for all of them, so that one table holds them all and one lookup finds them."""


class SizeNetwork(nn.Module):
    """Embeddings of categories, a multilayer perceptron, a bell around what is expected, and a copy path from the last sizes.

    Parameters
    ----------
    numbers
        Count of numeric features.
    cardinalities
        Count of indices of each categorical column.
    sizes
        The usual sizes, shape (k,).
    hidden
        Width of the hidden layers.

    Notes
    -----
    Entity embeddings after Guo and Berkhahn (2016). The copy path adds to the logit of each size that the series had lately an amount that depends
    on how long ago that was and on the state of the series (a pointer in the sense of Vinyals, Fortunato and Jaitly 2015): series repeat
    themselves, and a row with little history falls back to what its categories say. The bell is a normal density of the log of the size around what
    the structural model (`transforms.features.structural_model`) expects, moved and sharpened by the state: sizes seldom seen get their chance from
    their neighbours'.
    """

    offset: torch.Tensor
    logs: torch.Tensor
    powers: torch.Tensor

    def __init__(self, numbers: int, cardinalities: list[int], sizes: Any, hidden: int) -> None:
        super().__init__()
        counts, logs = torch.tensor(cardinalities), torch.log(torch.from_numpy(sizes))
        self.register_buffer("offset", counts.cumsum(0) - counts, persistent=False)
        # Standardised log of each size; the first entry stands for a delivery that there was not.
        self.mean, self.scale = float(logs.mean()), max(float(logs.std(correction=0)), _LEAST_SCALE)
        scaled = (logs - self.mean) / self.scale
        self.register_buffer("logs", torch.cat([torch.zeros(1), scaled]), persistent=False)
        self.register_buffer("powers", torch.stack([scaled, scaled**2]), persistent=False)
        self.embedding = nn.Embedding(sum(cardinalities), WIDTH)
        # Near zero: a category says nothing until it has been seen often enough.
        nn.init.normal_(self.embedding.weight, std=0.05)
        # Two products instead of one over everything side by side: what is known beforehand needs no gradient.
        self.known = nn.Linear(numbers + 1 + 2 * RECENT, hidden)
        self.embedded = nn.Linear(len(cardinalities) * WIDTH, hidden, bias=False)
        self.body = nn.Sequential(nn.GELU(), nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU())
        self.chance = nn.Linear(hidden, 1)
        self.size = nn.Linear(hidden, len(sizes))
        self.bell = nn.Linear(hidden, 2)
        nn.init.zeros_(self.bell.weight)
        self.bell.bias.data = torch.tensor([0.0, _SHARPNESS])
        self.copy = nn.Linear(hidden, RECENT)
        nn.init.zeros_(self.copy.weight)
        self.copy.bias.data = torch.linspace(1.0, 0.2, RECENT)

    def inputs(self, numbers: torch.Tensor, anchor: torch.Tensor, recent: torch.Tensor) -> torch.Tensor:
        """Numbers of rows, their anchor, the logs of their last sizes and whether there were any, side by side, (n, numbers + 1 + 2 RECENT).

        `anchor` is what the log of the size is expected to be, shape (n,); `recent` has -1 for none.
        """
        anchored = ((anchor - self.mean) / self.scale).clamp(-_FURTHEST, _FURTHEST)[:, None]
        return torch.cat([numbers, anchored, self.logs[recent + 1], (recent >= 0).to(numbers.dtype)], dim=1)

    def forward(
        self, inputs: torch.Tensor, indices: torch.Tensor, recent: torch.Tensor, kept: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logit of demand (n,) and the logits of the sizes (n, k) for `inputs`, category `indices` and `recent` sizes (n, RECENT).

        `kept`, shape (n, hidden), multiplies the last layer's outputs while training.
        """
        inner = self.body(self.known(inputs) + self.embedded(self.embedding(indices + self.offset).flatten(1)))
        if kept is not None:
            inner = inner * kept
        logits = self.size(inner).scatter_add(1, recent.clamp(min=0), self.copy(inner) * inputs[:, -RECENT:])
        shift, sharpness = self.bell(inner).unbind(1)
        sharpness = softplus(sharpness)
        # -sharpness (log size - centre)^2 without its last term, which all sizes have alike: linear in log size and its square.
        bell = torch.stack([2 * sharpness * (inputs[:, -2 * RECENT - 1] + shift), -sharpness], dim=1)
        return self.chance(inner).squeeze(1), torch.addmm(logits, bell, self.powers)


def as_tensors(*arrays: Any) -> list[torch.Tensor]:
    """Tensors that share memory with numpy arrays."""
    return [torch.from_numpy(array) for array in arrays]
