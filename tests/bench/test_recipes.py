"""The bench of recipes: what it runs exists, what it prints is right, and one recipe, shortened, learns."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benches import load

from raytune_nn.config.compose import conf_dir

REPOSITORY = Path(__file__).parents[2]
recipes: Any = load("recipes")


def outcome(reached: float) -> Any:
    return recipes.Outcome(reached, repeated=int(reached), trials=3, epochs=20, seconds=7.4)


def test_every_recipe_is_an_experiment() -> None:
    experiments = {path.stem for path in Path(conf_dir(), "experiment").glob("*.yaml")}
    assert recipes.RECIPES
    assert set(recipes.RECIPES) <= experiments


def test_an_accuracy_must_be_as_high_and_an_error_as_low_as_its_target() -> None:
    accuracy, error = recipes.RECIPES["mnist"], recipes.RECIPES["concrete"]
    assert [accuracy.holds(value) for value in (0.96, 0.97, 0.98)] == [False, True, True]
    assert [error.holds(value) for value in (5.9, 6.0, 6.1)] == [True, True, False]


def test_the_table_has_the_mean_over_splits_and_says_what_is_missed() -> None:
    text = recipes.table({"mnist": [outcome(0.9)], "concrete": [outcome(4.0), outcome(7.0)]})
    _, _, mnist, concrete = text.splitlines()
    assert "| 0 | ≥ 0.97 | 0.9000 **missed** | 3 | 20 | 7 |" in mnist
    assert "| 4 to 7 | ≤ 6 | 5.50 (4.00 to 7.00) | 6 | 40 | 15 |" in concrete


@pytest.mark.slow
def test_a_shortened_recipe_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Path(os.environ.get("RAYTUNE_NN_SHARED") or REPOSITORY.parent / "shared")
    if not (shared / "data" / "fsdd").exists():
        pytest.skip(f"real data are absent: {shared}/data/fsdd (RAYTUNE_NN_SHARED names another folder)")
    for name in [key for key in os.environ if key.startswith(("RAY_", "TUNE_"))]:
        monkeypatch.delenv(name)  # those of a Ray in this process
    short = ("budget.num_trials=3", "budget.max_epochs=6")
    monkeypatch.setitem(recipes.RECIPES, "spoken_digits", replace(recipes.RECIPES["spoken_digits"], overrides=short))
    found = recipes.study("spoken_digits", split=0, data=shared / "data", folder=tmp_path, cpus=2)
    assert found.trials == 3
    assert 6 < found.epochs <= 18
    assert found.reached > 0.9
    assert found.repeated == 0
