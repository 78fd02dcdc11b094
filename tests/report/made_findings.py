"""What the doctor might have found in a study that never ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from made_studies import Made

from raytune_nn.report.doctor.diagnose import Count, StudyFindings
from raytune_nn.report.doctor.examination import Examination
from raytune_nn.report.doctor.finding import Finding, Kind, Unseen
from raytune_nn.report.study import Study

CONFIG = {"budget": {"max_epochs": 9}, "optimizer": {"lr": 1.0}, "model": {"net": {"width": 1, "dropout": 0.0}}}
EXPLODES = Finding(Kind.exploding_gradients, 4, "norm 1.2 to 3.4e+04", "optimizer.lr=0.001", "a paper, section 3")
OVER_FITS = Finding(Kind.over_fitting, 9, "val_loss 0.1 to 0.3", "model.net.dropout=0.3", "a book")
PRESSED = Finding(Kind.bound, 0, "optimizer.lr: 4 of the best 4 at 0.1", "search_space.optimizer.lr.high=1.0", "")
NO_PROBES = Unseen((Kind.vanishing_gradients, Kind.dead_units), "trained without probes", "callbacks=probes")


def made(folder: Path, trials: int = 12, **params: Any) -> Study:
    """So many trials of three reports, the last the best."""
    told = Made().begin()
    for number in range(trials):
        told.train(str(number), 0.1, 0.2, 0.3 + number / 100, **(params or {"optimizer.lr": 0.01})).end(str(number))
    return replace(told.close().study(folder), config=CONFIG)


def found(study: Study, *findings: Finding, ill: int = 0, of_study: tuple[Finding, ...] = ()) -> Examination:
    """These findings in the first ``ill`` trials."""
    ids = tuple(study.record.trials)
    trials = {id: list(findings) if number < ill else [] for number, id in enumerate(ids)}
    counts = [Count(finding.kind, ids[:ill], finding.action) for finding in findings]
    unseen = {id: [NO_PROBES] for id in ids}
    return Examination(StudyFindings(trials, unseen, counts, list(of_study), []), ids[::-1], 3 * len(ids))
