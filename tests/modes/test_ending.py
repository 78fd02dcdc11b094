"""The last words of a study without a winner, shown again by the same command."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from command_line import compose, run

from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal


@pytest.mark.parametrize(
    ("states", "found"),
    [(("failed",), "1 trial: 1 failed, 0 diverged"), (("failed", "diverged"), "2 trials: 1 failed, 1 diverged")],
)
def test_a_study_of_which_no_trial_has_a_value(states: tuple[str, ...], found: str, here: Path) -> None:
    command = ("+search=random", "study.name=first", f"budget.num_trials={len(states)}")
    composed = compose(*command)
    folder = StudyFolder(here / "studies" / "first")
    folder.create()
    folder.config.write_text(yaml.safe_dump(composed.config))
    journal = Journal(folder.journal)
    journal.append("opened", name=folder.name)
    for trial, state in enumerate(states):
        journal.append("suggested", trial=str(trial), params={})
        journal.append("ended", trial=str(trial), state=state, reason="so", error="E")
    journal.append("closed", status="failed", reason="")
    journal.close()
    ran = run(*command)
    assert (ran.code, ran.rule) == (3, "a study needs one trial that ends with a finite value")
    assert ran.found == found
    assert folder.status() == "failed", "its driver was ended before it wrote the results"
    assert folder.trials.read_text().splitlines()[1].startswith("0,failed,")
    written = folder.trials.stat().st_mtime_ns
    assert run(*command).code == 3
    assert folder.trials.stat().st_mtime_ns == written, "shown again, nothing is written"
