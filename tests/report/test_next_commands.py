"""What to type next about a study: the same one with other settings, or one of its trials alone."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from raytune_nn.report.commands import another_command, training_command
from raytune_nn.store.folder import StudyFolder

TYPED = (
    "python -m raytune_nn +search=asha search/searcher=tpe search.scheduler.grace_period=2 model=mlp optimizer.lr=0.5 "
    "'search_space.optimizer.lr=\"loguniform(1e-5, 1e-1)\"' budget.num_trials=9 budget.max_epochs=5 "
    "--config-dir my_conf study.name=first study.storage=studies mode=run"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.chdir(tmp_path)
    return StudyFolder(tmp_path / "studies" / "first")


def test_another_study_keeps_what_was_typed_and_takes_the_next_free_name(folder: StudyFolder) -> None:
    command = another_command(folder, TYPED, "optimizer.lr=0.1", "callbacks=probes")
    assert shlex.split(command) == [
        *("python", "-m", "raytune_nn", "+search=asha", "search/searcher=tpe", "search.scheduler.grace_period=2"),
        *("model=mlp", 'search_space.optimizer.lr="loguniform(1e-5, 1e-1)"', "budget.num_trials=9"),
        *("budget.max_epochs=5", "--config-dir", "my_conf", "optimizer.lr=0.1", "callbacks=probes"),
        *("study.storage=studies", "study.name=first-2"),
    ]
    folder.path.with_name("first-2").mkdir(parents=True)
    assert "study.name=first-3" in another_command(folder, TYPED, "seed=1")
    assert "study.name=first-3" in another_command(StudyFolder(folder.path.with_name("first-2")), TYPED, "seed=1")


def test_a_study_that_named_itself_does_so_again(folder: StudyFolder) -> None:
    again = another_command(folder, "python -m raytune_nn +search=asha", "seed=1")
    assert again == "python -m raytune_nn +search=asha seed=1 study.storage=studies"


def test_a_trial_alone_has_its_values_and_no_search(folder: StudyFolder) -> None:
    params = {"optimizer.lr": 0.01, "optimizer": "sgd", "model.net.act": "relu", "model.net.bias": True}
    command = training_command(folder, TYPED, params, "model.net.act=tanh")
    assert shlex.split(command) == [
        *("python", "-m", "raytune_nn", "model=mlp", "budget.max_epochs=5", "--config-dir", "my_conf"),
        *("optimizer.lr=0.01", "optimizer=sgd", "model.net.bias=true", "model.net.act=tanh"),
        *("study.storage=studies", "study.name=first-2"),
    ]


SCALARS = st.none() | st.booleans() | st.integers(-999, 999) | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS | st.text("aZ0 .,'\\\"[]{}:=$~-", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


@given(VALUES)
def test_hydra_reads_the_values_back_as_they_were_sampled(value: Any) -> None:
    folder = StudyFolder(Path("/nowhere/first"))
    words = shlex.split(training_command(folder, "python -m raytune_nn", {"a.b": value}))
    (override,) = OverridesParser.create().parse_overrides([word for word in words[3:] if word.startswith("a.b")])
    assert override.value() == value
