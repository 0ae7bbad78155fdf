"""Training and use of the network, behind the member protocol."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.encoding import Encoder
from models.members.base import Distribution, Prepared
from models.settings import Settings
from models.support import Support

BATCH = 1024
# Small segments get more epochs: at least as many steps as the settings say, within bounds. From the seventh on the network learns rows by heart.
FEWEST_EPOCHS, MOST_EPOCHS = 4, 6
SMALL_EPOCHS = 12
_PREDICT_ROWS = 65_536
_SEED_STEP = 1_000


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

        torch.set_num_threads(1)
        self.modules_ = []
        for copy in range(self.settings.copies):
            own = seed + _SEED_STEP * copy
            torch.manual_seed(own)
            module = self._module(rows.numbers.shape[1])
            self._train(module, rows, _epochs(len(rows), self.settings.steps), self.settings.learning_rate, own)
            self.modules_.append(module)
        return self

    def refit(self, rows: Prepared, seed: int) -> Self:
        """Train one epoch more on all rows, at a small rate: the newest weeks join what was learned; or from scratch, where the settings say so."""
        if self.settings.retrain:
            return self._learn(rows, seed)
        for copy, module in enumerate(self.modules_):
            self._train(module, rows, 1, self.settings.learning_rate / 5, seed + 1 + _SEED_STEP * copy)
        return self

    def predict(self, rows: Prepared) -> Distribution:
        """Return the distribution of each row: the mean of the copies' (deep ensembles; Lakshminarayanan et al. 2017)."""
        import torch  # noqa: PLC0415

        from models.network.module import as_tensors  # noqa: PLC0415

        torch.set_num_threads(1)
        chances, sizes = np.zeros(len(rows), np.float32), np.zeros((len(rows), len(self.support)), np.float32)
        share = np.float32(1 / len(self.modules_))
        with torch.inference_mode():
            for module in self.modules_:
                module.eval()
                for start in range(0, len(rows), _PREDICT_ROWS):
                    part = slice(start, start + _PREDICT_ROWS)
                    chance, logits = module(*as_tensors(rows.numbers[part], rows.indices[part], rows.recent[part]))
                    chances[part] += share * torch.sigmoid(chance).numpy()
                    sizes[part] += share * torch.softmax(logits, dim=1).numpy()
        return Distribution(chances, sizes)

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Parameters by their torch names; those of the copies after the first with the copy's number before them."""
        return {
            _prefix(copy) + name: tensor.detach().numpy() for copy, module in enumerate(self.modules_) for name, tensor in module.state_dict().items()
        }

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]], encoder: Encoder, support: Support, settings: Settings) -> Self:
        """Rebuild from `state()`."""
        import torch  # noqa: PLC0415

        member = cls(encoder, support, settings)
        member.modules_ = []
        for copy in range(member.settings.copies):
            module = member._module(len(encoder.names))
            prefix = _prefix(copy)
            module.load_state_dict({name: torch.from_numpy(np.array(state[prefix + name])) for name in module.state_dict()})
            member.modules_.append(module)
        return member

    def _module(self, numbers: int) -> Any:
        from models.network.module import SizeNetwork  # noqa: PLC0415

        return SizeNetwork(numbers, self.encoder.cardinalities, len(self.support), self.settings.hidden, self.settings.dropout)

    def _train(self, module: Any, rows: Prepared, epochs: int, rate: float, seed: int) -> None:
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
        optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=self.settings.weight_decay, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 10), pct_start=0.2)
        module.train()
        for _ in range(epochs):
            shuffled = torch.from_numpy(order.permutation(len(rows)))
            for start in range(0, len(rows), batch):
                numbers, indices, recent, target, row_weight = (tensor[shuffled[start : start + batch]] for tensor in tensors)
                chance, logits = module(numbers, indices, recent)
                hit = target >= 0
                loss = binary_cross_entropy_with_logits(chance, hit.float(), weight=row_weight)
                if bool(hit.any()):
                    loss = loss + cross_entropy(logits[hit], target[hit])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
                optimizer.step()
                schedule.step()


def _prefix(copy: int) -> str:
    """Before the parameters of a copy; none for the first, so that artifacts of one network are as they always were."""
    return f"{copy}:" if copy else ""


def _batch(rows: int) -> int:
    """Rows in a batch: a power of two, fewer where a segment is small, so that an epoch has some two dozen steps at least."""
    return int(2 ** np.clip(np.round(np.log2(max(rows, 1) / 24)), 6, np.log2(BATCH)))


def _epochs(rows: int, steps: int) -> int:
    """Epochs of training from scratch, for at least so many steps of full batches."""
    most = MOST_EPOCHS if rows >= 20_000 else SMALL_EPOCHS
    return int(np.clip(np.ceil(steps * BATCH / max(rows, 1)), FEWEST_EPOCHS, most))
