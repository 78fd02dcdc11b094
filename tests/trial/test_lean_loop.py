"""Lightning's loop with and without what it does to no effect: the same batches, weights and metrics, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning_fabric.utilities import registry
from pytorch_lightning import LightningModule, Trainer, seed_everything
from pytorch_lightning.profilers import PassThroughProfiler, Profiler
from pytorch_lightning.trainer.connectors.logger_connector.result import _ResultMetric
from pytorch_lightning.utilities import signature_utils
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split
from torch.utils.data._utils.fetch import _MapDatasetFetcher
from torchmetrics.classification import MulticlassAccuracy

from raytune_nn.trial.lean_loop import lighten

X = torch.arange(44, dtype=torch.float32).reshape(11, 4)
Y = torch.arange(11) % 3


@pytest.fixture
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Undoes what `lighten` does, until the test ends."""
    import inspect

    lighten()
    made: Any = LightningModule.__setattr__

    def undo() -> None:
        monkeypatch.setattr(_MapDatasetFetcher, "fetch", _MapDatasetFetcher.fetch.__wrapped__)  # type: ignore[attr-defined]
        monkeypatch.setattr(_ResultMetric, "to", _ResultMetric.to.__wrapped__)  # type: ignore[attr-defined]
        monkeypatch.setattr(PassThroughProfiler, "profile", Profiler.profile)
        monkeypatch.setattr(LightningModule, "__setattr__", made.__wrapped__)
        monkeypatch.setattr(signature_utils, "inspect", inspect)
        monkeypatch.setattr(registry, "entry_points", registry.entry_points.__wrapped__)  # type: ignore[attr-defined]

    return undo


class Net(LightningModule):
    """Logs numbers, tensors and a metric, by step and by epoch, and notes all that it logs."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        self.accuracy = MulticlassAccuracy(3)
        self.seen: list[dict[str, float]] = []

    def training_step(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        loss = nn.functional.cross_entropy(self.net(x), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("number", float(x[0, 0]), on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.accuracy(self.net(x), y)
        self.log("val_acc", self.accuracy)
        self.log("val_loss", nn.functional.cross_entropy(self.net(x), y))

    def on_train_epoch_end(self) -> None:
        self.seen.append({name: float(value) for name, value in self.trainer.callback_metrics.items()})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.1)


def fit() -> Net:
    seed_everything(0, verbose=False)
    net = Net()
    train, val = random_split(TensorDataset(X, Y), [7, 4])
    trainer = Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(net, DataLoader(train, 2, shuffle=True), DataLoader(val, 2))
    return net


@pytest.mark.filterwarnings("ignore:The .*dataloader.* does not have many workers")
@pytest.mark.filterwarnings("ignore:The number of training batches")
def test_a_training_is_the_same_to_the_bit(as_it_was: Callable[[], None]) -> None:
    lean = fit()
    as_it_was()
    plain = fit()
    assert lean.seen == plain.seen
    assert len(lean.seen) == 3
    for ours, theirs in zip(lean.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


class Doubled(TensorDataset):
    """Not what it is derived from."""

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(2 * part for part in super().__getitem__(index))  # type: ignore[no-untyped-call]


class Rows(Dataset[Tensor]):
    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> Tensor:
        return X[index]


@pytest.mark.parametrize(
    ("dataset", "how"),
    [
        (TensorDataset(X, Y), {"batch_size": 4, "shuffle": True}),
        (TensorDataset(X, Y), {"batch_size": 4, "drop_last": True}),
        (TensorDataset(X), {"batch_size": None}),
        (TensorDataset(X, Y), {"batch_size": 4, "collate_fn": list}),
        (TensorDataset(X, Y), {"batch_sampler": [(0, 2), [-1, 3]]}),
        (TensorDataset(X.t().contiguous().t(), Y), {"batch_size": 4}),
        (TensorDataset(X.double(), Y > 0, Y.to(torch.uint8)), {"batch_size": 4}),
        (Subset(Subset(TensorDataset(X, Y), [9, 3, 5, 7]), [3, 0, 1]), {"batch_size": 2}),
        (Subset(TensorDataset(X, Y), torch.tensor([4, 8, 1])), {"batch_size": 2}),  # type: ignore[arg-type]
        (Doubled(X, Y), {"batch_size": 4}),
        (Rows(), {"batch_size": 4}),
    ],
)
def test_batches_are_those_of_torch(dataset: Any, how: dict[str, Any], as_it_was: Callable[[], None]) -> None:
    def batches() -> list[Any]:
        return list(DataLoader(dataset, generator=torch.Generator().manual_seed(1), **how))

    lean = batches()
    as_it_was()
    plain = batches()
    assert len(lean) == len(plain) > 0
    for ours, theirs in zip(lean, plain, strict=True):
        assert type(ours) is type(theirs)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, check_stride=True)


def test_rows_of_tensors_are_not_fetched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lighten()
    monkeypatch.delattr(TensorDataset, "__getitem__")
    assert len(list(DataLoader(random_split(TensorDataset(X, Y), [6, 5])[0], 4))) == 2


def test_a_batch_may_be_changed_in_place() -> None:
    lighten()
    data = TensorDataset(X.clone(), Y)
    for x, _ in DataLoader(data, 11):
        x.zero_()
    assert torch.equal(data.tensors[0], X)


def test_a_profiler_that_was_asked_for_profiles() -> None:
    from pytorch_lightning.profilers import SimpleProfiler

    lighten()
    profiler = SimpleProfiler()
    with profiler.profile("something"):
        pass
    assert list(profiler.recorded_durations) == ["something"]
