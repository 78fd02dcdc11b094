"""Studies of modules that were written elsewhere, as whole commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from processes import Finished, events, new_place, rows, summary

MODULES = Path(__file__).parents[1] / "trial" / "third_party.py"
OPTIONS = {
    "model/other.yaml": "_target_: third_party.OwnOptimizer",
    "model/many.yaml": "_target_: third_party.ManyLoaders",
    "data/other.yaml": "_target_: third_party.Data",
    "data/several.yaml": "_target_: third_party.Combined",
    "search_space/other.yaml": (
        "model: {_target_: {dist: choice, options: "
        "[third_party.OwnOptimizer, third_party.Manual, third_party.Adversarial, third_party.ManualSchedule]}}"
    ),
    "search_space/many.yaml": "optimizer: {lr: {dist: loguniform, low: 1.0e-3, high: 1.0e-1}}",
}
STUDIES = {
    "other": ("data=other", "optimizer=from_model", "objective.metric=val_error", "budget.num_trials=10"),
    "many": ("data=several", "objective.metric=val_error/dataloader_idx_1", "budget.num_trials=2"),
}


@pytest.mark.slow
def test_they_are_tuned_unchanged(tmp_path: Path) -> None:
    with new_place(tmp_path) as place:
        shutil.copy(MODULES, place.work)
        for name, text in OPTIONS.items():
            path = place.work / "my_conf" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")

        def tune(name: str, *more: str) -> Finished:
            where = ("--config-dir", "my_conf", f"model={name}", f"study.name={name}")
            return place.run("+search=random", "objective.mode=min", "budget.max_epochs=2", *where, *more)

        for name, arguments in STUDIES.items():
            ran = tune(name, *arguments)
            assert (ran.code, ran.err) == (0, "")
            assert summary(place.study(name))["status"] == "complete"
            assert {row["state"] for row in rows(place.study(name))} == {"complete"}
        suggested = [event for event in events(place.study("other")) if event["type"] == "suggested"]
        assert len({event["params"]["model._target_"] for event in suggested}) == 4

        ran = tune("many", *STUDIES["many"], "objective.metric=val_error", "study.name=short")
        assert ran.code == 2
        assert ran.err.endswith("try:   objective.metric=val_error/dataloader_idx_0\n")
        space = "+search_space={optimizer: {lr: 'loguniform(1e-3, 1e-1)'}}"
        manual = ("model._target_=third_party.Adversarial", "optimizer=adam", "~search_space", space)
        ran = tune("other", *STUDIES["other"], *manual, "study.name=refused")
        assert ran.code == 2, ran.out + ran.err
        assert ran.err.endswith("try:   optimizer=from_model\n")
        assert not place.study("refused").exists()
        assert ran.seconds < 60
        assert place.leftovers() == []
