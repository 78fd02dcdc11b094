"""Trainings of two workers by DDP and by FSDP, without Ray, in two processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.optim import SGD, Adagrad, Adam, AdamW, NAdam, RMSprop
from torch.utils.data import DataLoader, TensorDataset

from raytune_nn.trial.callbacks import Freeze, Penalty
from raytune_nn.trial.group import Group, Place, join, leave, open_store

Make = Callable[[LightningModule], torch.optim.Optimizer]


@dataclass(frozen=True)
class Case:
    """An optimizer, and what else acts on gradients and weights."""

    make: Make
    callbacks: Callable[[], list[Callback]] = list
    trainer: dict[str, Any] = field(default_factory=dict)


STRATEGIES = ("ddp_find_unused_parameters_true", "fsdp")
CASES = {
    "sgd": Case(lambda module: SGD(module.parameters(), 0.1, fused=True), trainer={"accumulate_grad_batches": 2}),
    "momentum": Case(
        lambda module: SGD(module.parameters(), 0.05, momentum=0.9, weight_decay=0.01),
        trainer={"gradient_clip_val": 0.5},
    ),
    "adagrad": Case(
        lambda module: Adagrad(module.parameters(), 0.05, eps=0.01, fused=True), lambda: [Penalty(0.01, power=1)]
    ),
    "rmsprop": Case(lambda module: RMSprop(module.parameters(), 0.01, eps=0.01), lambda: [Penalty(0.01, power=2)]),
    "adam": Case(
        lambda module: Adam(module.parameters(), 0.01, eps=0.01, fused=True),
        trainer={"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ),
    "adamw": Case(
        lambda module: AdamW(module.parameters(), 0.01, eps=0.01, foreach=True),
        lambda: [Freeze(["blocks.0", "head.bias"])],
    ),
    "nadam": Case(lambda module: NAdam(module.parameters(), 0.01, eps=0.01), trainer={"precision": "bf16-mixed"}),
}


class Tied(LightningModule):
    """Blocks, batch norm, a buffer, a weight that two layers share, and one that no step uses."""

    def __init__(self, make: Make) -> None:
        super().__init__()
        torch.manual_seed(3)
        block = nn.TransformerEncoderLayer(8, 2, 15, dropout=0.0, batch_first=True)  # 15 rows: parts of unequal size
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)), block])
        self.tied = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.tied[1].weight = self.tied[0].weight
        self.unused = nn.Linear(2, 2)
        self.head = nn.Linear(8, 3)
        self.make = make

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks[0](x)
        x = self.blocks[1](x.unsqueeze(1)).squeeze(1)
        out: Tensor = self.head(self.tied[1](self.tied[0](x).tanh()))
        return out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]), sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make(self)


class Rows(LightningDataModule):
    """32 rows in four batches a worker."""

    def setup(self, stage: str) -> None:
        random = torch.Generator().manual_seed(1)
        self.rows = TensorDataset(torch.randn(32, 8, generator=random), torch.randint(0, 3, (32,), generator=random))

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.rows, batch_size=4)

    val_dataloader = train_dataloader


@dataclass(frozen=True)
class Trained:
    """What worker 0 saves after two epochs, and, of FSDP, after two of which the second began with the file."""

    state: dict[str, Any]
    again: dict[str, Any] | None
    sharded: list[str]  # the modules that are


def train_all(folder: Path) -> dict[tuple[str, str], Trained]:
    """Trains every case with every strategy by two workers; they end with it, whatever happens.

    Returns:
        By strategy and case.
    """
    context = get_context("spawn")
    places = context.Queue()
    workers = [context.Process(target=_worker, args=(rank, folder, places)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(400)
        worker.kill()
    trained: dict[tuple[str, str], Trained] = torch.load(folder / "trained", weights_only=False)
    return trained


def _worker(rank: int, folder: Path, places: Queue[Place]) -> None:
    torch.set_num_threads(1)
    meet = partial(_meet, rank, places)
    trained = {(strategy, case): _train(meet, folder, strategy, case) for strategy in STRATEGIES for case in CASES}
    if rank == 0:
        torch.save(trained, folder / "trained")


def _meet(rank: int, places: Queue[Place]) -> Group:
    if rank:
        return join(places.get(timeout=60))
    store, (mine, other) = open_store("127.0.0.1", 2)
    places.put(other)
    return join(mine, store)


def _train(meet: Callable[[], Group], folder: Path, strategy: str, case: str) -> Trained:
    state, sharded = _fit(meet, strategy, CASES[case], 2)
    if strategy != "fsdp":
        return Trained(state, None, sharded)
    path = folder / "state"
    _fit(meet, strategy, CASES[case], 1, saves_to=path)
    again, _ = _fit(meet, strategy, CASES[case], 2, begins_with=path)
    return Trained(state, again, sharded)


def _fit(
    meet: Callable[[], Group],
    strategy: str,
    case: Case,
    epochs: int,
    saves_to: Path | None = None,
    begins_with: Path | None = None,
) -> tuple[dict[str, Any], list[str]]:
    group = meet()
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        callbacks=case.callbacks(),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"strategy": strategy, **group.trainer_keywords({"strategy": strategy})},
        **case.trainer,
    )
    module = Tied(case.make)
    trainer.fit(module, datamodule=Rows(), ckpt_path=begins_with, weights_only=True)
    state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
    if saves_to is not None and group.rank == 0:
        torch.save(state, saves_to)
    trainer.strategy.barrier()
    leave()
    return state, [name for name, part in module.named_modules() if isinstance(part, FSDPModule)]
