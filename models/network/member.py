"""Training and use of the network, behind the member protocol."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.encoding import Encoder
from models.members.base import Distribution, Prepared
from models.settings import Settings
from models.support import Floats, Support

BATCH = 1024
# Small segments get more epochs: at least as many steps as the settings say, within bounds. From the seventh on the network learns rows by heart.
FEWEST_EPOCHS, MOST_EPOCHS = 4, 6
SMALL_EPOCHS = 12
_PREDICT_ROWS = 65_536


class NetworkMember:
    """Embedding network with a categorical head over the usual sizes."""

    name = "network"

    def __init__(self, encoder: Encoder, support: Support, settings: Settings) -> None:
        self.encoder, self.support, self.settings = encoder, support, settings.network

    def fit(self, rows: Prepared, held_back: Prepared, encoder: Encoder, support: Support, seed: int) -> Self:  # noqa: ARG002 - protocol
        """Train from scratch."""
        self.encoder, self.support = encoder, support
        return self._learn(rows, seed)

    def _learn(self, rows: Prepared, seed: int) -> Self:
        import torch  # noqa: PLC0415 - heavy

        from models.network.module import SizeNetwork  # noqa: PLC0415

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.module_ = SizeNetwork(rows.numbers.shape[1], self.encoder.cardinalities, len(self.support), self.settings.hidden, self.settings.dropout)
        self._train(rows, _epochs(len(rows), self.settings.steps), self.settings.learning_rate, seed)
        return self

    def refit(self, rows: Prepared, seed: int) -> Self:
        """Train one epoch more on all rows, at a small rate: the newest weeks join what was learned; or from scratch, where the settings say so."""
        if self.settings.retrain:
            return self._learn(rows, seed)
        self._train(rows, 1, self.settings.learning_rate / 5, seed + 1)
        return self

    def predict(self, rows: Prepared) -> Distribution:
        """Return the distribution of each row."""
        import torch  # noqa: PLC0415

        from models.network.module import as_tensors  # noqa: PLC0415

        torch.set_num_threads(1)
        self.module_.eval()
        chances, sizes = [], []
        with torch.inference_mode():
            for start in range(0, len(rows), _PREDICT_ROWS):
                part = slice(start, start + _PREDICT_ROWS)
                chance, logits = self.module_(*as_tensors(rows.numbers[part], rows.indices[part], rows.recent[part]))
                chances.append(torch.sigmoid(chance).numpy())
                sizes.append(torch.softmax(logits, dim=1).numpy())
        empty = np.zeros((0, len(self.support)), np.float32)
        return Distribution(np.concatenate([empty[:, 0], *chances]), np.concatenate([empty, *sizes]))

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Parameters by their torch names."""
        return {name: tensor.detach().numpy() for name, tensor in self.module_.state_dict().items()}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]], encoder: Encoder, support: Support, settings: Settings) -> Self:
        """Rebuild from `state()`."""
        import torch  # noqa: PLC0415

        from models.network.module import SizeNetwork  # noqa: PLC0415

        member = cls(encoder, support, settings)
        member.module_ = SizeNetwork(len(encoder.names), encoder.cardinalities, len(support), member.settings.hidden, member.settings.dropout)
        member.module_.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
        return member

    def _train(self, rows: Prepared, epochs: int, rate: float, seed: int) -> None:
        """AdamW under a one-cycle rate; cross-entropy of the size where there was demand, of the occurrence on every row by its weight."""
        import torch  # noqa: PLC0415
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy  # noqa: PLC0415

        from models.network.module import as_tensors  # noqa: PLC0415

        torch.set_num_threads(1)
        order = np.random.default_rng(seed)
        torch.manual_seed(seed)
        weight, batch = rows.weight / rows.weight.mean(), _batch(len(rows))
        tensors = as_tensors(rows.numbers, rows.indices, rows.recent, rows.target, weight.astype(np.float32))
        steps = epochs * -(-len(rows) // batch)
        optimizer = torch.optim.AdamW(self.module_.parameters(), lr=rate, weight_decay=self.settings.weight_decay, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 10), pct_start=0.2)
        shares = torch.from_numpy(_shares(self.support.sizes, self.settings.smoothing)) if self.settings.smoothing else None
        self.module_.train()
        for _ in range(epochs):
            shuffled = torch.from_numpy(order.permutation(len(rows)))
            for start in range(0, len(rows), batch):
                numbers, indices, recent, target, row_weight = (tensor[shuffled[start : start + batch]] for tensor in tensors)
                chance, logits = self.module_(numbers, indices, recent)
                hit = target >= 0
                loss = binary_cross_entropy_with_logits(chance, hit.float(), weight=row_weight)
                if bool(hit.any()):
                    loss = loss + cross_entropy(logits[hit], target[hit] if shares is None else shares[target[hit]])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.module_.parameters(), 1.0)
                optimizer.step()
                schedule.step()


def _shares(sizes: Floats, width: float) -> Floats:
    """How much of a target's probability each size is taught to have: a normal density of its distance in log size, shape (k, k)."""
    log_sizes = np.log(sizes)
    density = np.exp(-0.5 * ((log_sizes[:, None] - log_sizes) / width) ** 2)
    return np.asarray(density / density.sum(axis=1, keepdims=True), np.float32)


def _batch(rows: int) -> int:
    """Rows in a batch: a power of two, fewer where a segment is small, so that an epoch has some two dozen steps at least."""
    return int(2 ** np.clip(np.round(np.log2(max(rows, 1) / 24)), 6, np.log2(BATCH)))


def _epochs(rows: int, steps: int) -> int:
    """Epochs of training from scratch, for at least so many steps of full batches."""
    most = MOST_EPOCHS if rows >= 20_000 else SMALL_EPOCHS
    return int(np.clip(np.ceil(steps * BATCH / max(rows, 1)), FEWEST_EPOCHS, most))
