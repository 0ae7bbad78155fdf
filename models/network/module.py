"""The network itself: embeddings of the categories beside the numbers, two hidden layers, one head for the chance of demand and one for its size."""

from typing import Any

import torch
from torch import nn

RECENT = 12
LAST_WIDTH = 6


class SizeNetwork(nn.Module):
    """Embeddings of categories and of the last sizes, a multilayer perceptron, and a copy path from the last sizes.

    Parameters
    ----------
    numbers
        Count of numeric features.
    cardinalities
        Count of indices of each categorical column.
    sizes
        Count of usual sizes.
    hidden
        Width of the hidden layers.
    dropout
        Share of the last layer's outputs left out while training.

    Notes
    -----
    Entity embeddings after Guo and Berkhahn (2016). The copy path adds a learned amount, falling with age, to the logit of each size that the
    series had lately: series repeat themselves, and a row with little history falls back to what its categories say.
    """

    def __init__(self, numbers: int, cardinalities: list[int], sizes: int, hidden: int, dropout: float) -> None:
        super().__init__()
        widths = [min(16, 2 + round(1.6 * count**0.4)) for count in cardinalities]
        self.embeddings = nn.ModuleList(_embedding(count, width) for count, width in zip(cardinalities, widths, strict=True))
        # Index 0 stands for a delivery that there was not.
        self.last = nn.Embedding(sizes + 1, LAST_WIDTH)
        inputs = numbers + sum(widths) + RECENT * LAST_WIDTH
        self.body = nn.Sequential(
            nn.Linear(inputs, hidden), nn.GELU(), nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout)
        )
        self.chance = nn.Linear(hidden, 1)
        self.size = nn.Linear(hidden, sizes)
        self.copy = nn.Parameter(torch.linspace(1.0, 0.2, RECENT))

    def forward(self, numbers: torch.Tensor, indices: torch.Tensor, recent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logit of demand (n,) and the logits of the sizes (n, k); `recent` is (n, RECENT) with -1 for none."""
        embedded = [embedding(indices[:, column]) for column, embedding in enumerate(self.embeddings)]
        inner = self.body(torch.cat([numbers, *embedded, self.last(recent + 1).flatten(1)], dim=1))
        logits = self.size(inner)
        known = (recent >= 0).to(logits.dtype)
        copied = torch.zeros_like(logits).scatter_add(1, recent.clamp(min=0), self.copy * known)
        return self.chance(inner).squeeze(1), logits + copied


def _embedding(count: int, width: int) -> nn.Embedding:
    embedding = nn.Embedding(count, width)
    # Near zero: a category says nothing until it has been seen often enough.
    nn.init.normal_(embedding.weight, std=0.05)
    return embedding


def as_tensors(*arrays: Any) -> list[torch.Tensor]:
    """Tensors that share memory with numpy arrays."""
    return [torch.from_numpy(array) for array in arrays]
