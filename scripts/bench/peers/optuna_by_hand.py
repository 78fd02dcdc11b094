"""The same search written by hand on Optuna: processes that share a journal file, each with its part of the trials.

Run as ``python optuna_by_hand.py TRIALS EPOCHS PROCESSES FOLDER [halving]``; with ``halving``, its successive halving
prunes at reports of one an epoch.
"""

from __future__ import annotations

import logging
import sys
import warnings
from multiprocessing import get_context
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def work(trials: int, epochs: int, folder: str, halving: bool) -> None:
    """One process: its share of the trials, one after another."""
    import torch
    from by_hand import HandData, HandModule
    from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything

    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Report(Callback):
        """One report a validation."""

        def __init__(self, trial: optuna.Trial) -> None:
            self.trial = trial

        def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.trial.report(float(trainer.callback_metrics["val_acc"]), trainer.current_epoch + 1)
            if self.trial.should_prune():
                raise optuna.TrialPruned

    def objective(trial: optuna.Trial) -> float:
        seed_everything(0, verbose=False)
        module = HandModule(
            width=trial.suggest_categorical("width", [32, 64, 128, 256]),
            depth=trial.suggest_int("depth", 1, 3),
            dropout=trial.suggest_float("dropout", 0.0, 0.5),
            lr=trial.suggest_float("lr", 1e-4, 1e-1, log=True),
        )
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            callbacks=[Report(trial)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, datamodule=HandData())
        return float(trainer.callback_metrics["val_acc"])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name="digits",
        storage=storage(folder),
        sampler=optuna.samplers.RandomSampler(),
        pruner=optuna.pruners.SuccessiveHalvingPruner(reduction_factor=3) if halving else optuna.pruners.NopPruner(),
        direction="maximize",
        load_if_exists=True,
    )
    study.optimize(objective, n_trials=trials)


def storage(folder: str) -> JournalStorage:
    """What the processes share."""
    return JournalStorage(JournalFileBackend(str(Path(folder) / "journal.log")))


def main(trials: int, epochs: int, processes: int, folder: str, halving: bool) -> None:
    """The whole search."""
    Path(folder).mkdir(parents=True)
    optuna.create_study(study_name="digits", storage=storage(folder), direction="maximize")
    shares = [trials // processes + (rest < trials % processes) for rest in range(processes)]
    workers = [get_context("spawn").Process(target=work, args=(share, epochs, folder, halving)) for share in shares]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    study = optuna.load_study(study_name="digits", storage=storage(folder))
    assert len(study.trials) == trials
    print(f"val_acc = {study.best_value:.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], halving="halving" in sys.argv[5:])
