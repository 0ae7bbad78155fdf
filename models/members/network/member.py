"""Training and use of the network, behind the member protocol."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.members.base import Distribution, Prepared
from models.members.encoding import Encoder
from models.members.settings import Settings
from models.support import Support
from transforms.arrays import Floats32, Floats64

BATCH = 1024
_PREDICT_ROWS = 65_536
_SEEDS_APART = 101
_WARM_UP, _FIRST_RATE = 0.2, 0.04
"""Share of the steps in which the learning rate rises, and the share of its peak that it begins at."""


class NetworkMember:
    """Embedding networks with a categorical head over the usual sizes; what they say is averaged."""

    name = "network"

    def __init__(self, encoder: Encoder, support: Support, settings: Settings) -> None:
        self.encoder, self.support, self.settings = encoder, support, settings.network

    def fit(self, rows: Prepared, held_back: Prepared, encoder: Encoder, support: Support, seed: int) -> Self:  # noqa: ARG002 - protocol
        """Train from scratch."""
        self.encoder, self.support = encoder, support
        return self._learn(rows, seed)

    def _learn(self, rows: Prepared, seed: int) -> Self:
        import torch  # noqa: PLC0415 - heavy

        from models.members.network.module import SizeNetwork  # noqa: PLC0415

        torch.set_num_threads(1)
        self.modules_ = []
        for own in self._seeds(seed):
            torch.manual_seed(own)
            self.modules_.append(SizeNetwork(rows.numbers.shape[1], self.encoder.cardinalities, self.support.sizes, self.settings.hidden))
            self._train(self.modules_[-1], rows, self.settings.epochs, self.settings.learning_rate, own)
        return self

    def _seeds(self, seed: int) -> range:
        """A seed for each network, far from those of the next seed."""
        return range(seed, seed + _SEEDS_APART * self.settings.count, _SEEDS_APART)

    def refit(self, rows: Prepared, seed: int) -> Self:
        """Train one epoch more on all rows, at a small rate: the newest weeks join what was learned; or from scratch, where the settings say so."""
        if self.settings.retrain:
            return self._learn(rows, seed)
        for module, own in zip(self.modules_, self._seeds(seed), strict=True):
            self._train(module, rows, 1, self.settings.learning_rate / 5, own + 1)
        return self

    def predict(self, rows: Prepared) -> Distribution:
        """Return the distribution of each row."""
        import torch  # noqa: PLC0415

        from models.members.network.module import as_tensors  # noqa: PLC0415

        torch.set_num_threads(1)
        chances, sizes = [], []
        with torch.inference_mode():
            for start in range(0, len(rows), _PREDICT_ROWS):
                part = slice(start, start + _PREDICT_ROWS)
                numbers, anchor, indices, recent = as_tensors(rows.numbers[part], rows.anchor[part], rows.indices[part], rows.recent[part])
                outputs = [module(module.inputs(numbers, anchor, recent), indices, recent) for module in self.modules_]
                chances.append(torch.stack([torch.sigmoid(chance) for chance, _ in outputs]).mean(dim=0).numpy())
                sizes.append(torch.stack([torch.softmax(logits, dim=1) for _, logits in outputs]).mean(dim=0).numpy())
        empty = np.zeros((0, len(self.support)), np.float32)
        return Distribution(np.concatenate([empty[:, 0], *chances]), np.concatenate([empty, *sizes]))

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Parameters by the number of the network and their torch names."""
        modules = enumerate(self.modules_)
        return {f"{number}.{name}": tensor.detach().numpy() for number, module in modules for name, tensor in module.state_dict().items()}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]], encoder: Encoder, support: Support, settings: Settings) -> Self:
        """Rebuild from `state()`."""
        import torch  # noqa: PLC0415

        from models.members.network.module import SizeNetwork  # noqa: PLC0415

        member = cls(encoder, support, settings)
        member.modules_ = []
        for number in range(member.settings.count):
            module, prefix = SizeNetwork(encoder.width, encoder.cardinalities, support.sizes, member.settings.hidden), f"{number}."
            own = {name.removeprefix(prefix): torch.from_numpy(np.array(array)) for name, array in state.items() if name.startswith(prefix)}
            module.load_state_dict(own)
            member.modules_.append(module)
        return member

    def _train(self, module: Any, rows: Prepared, epochs: int, rate: float, seed: int) -> None:
        """AdamW under a one-cycle rate; cross-entropy of the size where there was demand, of the occurrence on every row by its weight."""
        import torch  # noqa: PLC0415
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy  # noqa: PLC0415

        from models.members.network.module import as_tensors  # noqa: PLC0415

        torch.set_num_threads(1)
        order, noise = np.random.default_rng(seed), np.random.Generator(np.random.SFC64(seed))
        weight, batch = (rows.weight / rows.weight.mean()).astype(np.float32), _batch(len(rows))
        numbers, anchor, *others = as_tensors(rows.numbers, rows.anchor, rows.indices, rows.recent, rows.target, weight)
        tensors = [module.inputs(numbers, anchor, others[1]), *others]
        rates = iter(_rates(rate, epochs * -(-len(rows) // batch)))
        parameters = list(module.parameters())
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=self.settings.weight_decay, fused=True)
        shares = torch.from_numpy(_shares(self.support.sizes, self.settings.smoothing)) if self.settings.smoothing else None
        for _ in range(epochs):
            shuffled = torch.from_numpy(order.permutation(len(rows)))
            for parts in zip(*(torch.split(tensor[shuffled], batch) for tensor in tensors), strict=True):
                inputs, indices, recent, target, row_weight = parts
                kept = torch.from_numpy(_kept(noise, len(target), self.settings.hidden, self.settings.dropout))
                chance, logits = module(inputs, indices, recent, kept)
                hit = target >= 0
                loss = binary_cross_entropy_with_logits(chance, hit.float(), weight=row_weight)
                # The sum over the rows with demand, so that a batch without any adds nothing.
                aim = target if shares is None else shares[target]
                loss = loss + cross_entropy(logits, aim, ignore_index=-1, reduction="sum") / hit.sum().clamp(min=1)
                optimizer.param_groups[0]["lr"] = next(rates)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()


def _shares(sizes: Floats32, width: float) -> Floats32:
    """How much of a target's probability each size is taught to have: a normal density of its distance in log size, shape (k + 1, k).

    The last row, of a target that there was not (-1), is all 0.
    """
    log_sizes = np.log(sizes)
    density = np.exp(-0.5 * ((log_sizes[:, None] - log_sizes) / width) ** 2)
    return np.vstack([density / density.sum(axis=1, keepdims=True), np.zeros_like(density[:1])]).astype(np.float32)


def _batch(rows: int) -> int:
    """Rows in a batch: a power of two, fewer where a segment is small, so that an epoch has some two dozen steps at least."""
    return int(2 ** np.clip(np.round(np.log2(max(rows, 1) / 24)), 6, np.log2(BATCH)))


def _rates(peak: float, steps: int) -> Floats64:
    """Learning rate of each step, up to `peak` and down to nearly 0 along half cosines (one cycle, Smith and Topin 2018)."""
    up = max(int(_WARM_UP * steps), 1)
    rise = _FIRST_RATE + (1 - _FIRST_RATE) * (1 - np.cos(np.pi * np.arange(up) / up)) / 2
    fall = (1 + np.cos(np.pi * np.arange(steps - up) / max(steps - up, 1))) / 2
    return np.asarray(peak * np.concatenate([rise, fall]))


def _kept(noise: np.random.Generator, rows: int, hidden: int, dropout: float) -> Floats32:
    """Dropout (Srivastava et al. 2014) from one random byte an output: torch's own draws cost as much as a layer's product."""
    kept = np.frombuffer(noise.bytes(rows * hidden), np.uint8).reshape(rows, hidden) >= round(256 * dropout)
    scaled: Floats32 = kept.astype(np.float32) / np.float32(1 - round(256 * dropout) / 256)
    return scaled
