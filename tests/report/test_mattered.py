"""What mattered, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_studies import Made

from raytune_nn.report.page import mattered as told
from raytune_nn.report.page.mattered import mattered
from raytune_nn.report.study import Study

LR, WIDTH, ACT = "optimizer.lr", "net.width", "net.act"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Twelve trials, the better the lower their rate; the best three have two widths and all the same activation."""
    made = Made().begin()
    for number in range(12):
        params: dict[str, Any] = {
            LR: 0.01 * (number + 1),
            WIDTH: (64, 64, 128, 32)[number % 4],
            ACT: "relu" if number < 6 else "tanh",
        }
        made.train(str(number), 0.9 - 0.05 * number, **params).end(str(number))
    return made.close().study(tmp_path)


def test_the_first_two_say_where_the_best_quarter_lies(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(LR, 0.7, 0.1), (WIDTH, 0.2, 0.02), (ACT, 0.1, 0.02)]
    monkeypatch.setattr(told, "important", lambda study: found)
    monkeypatch.setattr(told, "unclear", lambda study: "")
    assert mattered(study) == [
        (
            LR,
            "has an importance of 0.70 ± 0.10. In the best 3 of 12 trials it lies between 0.01 and 0.03, "
            "in all between 0.01 and 0.12.",
        ),
        (
            WIDTH,
            "has an importance of 0.20 ± 0.02. Of the best 3 of 12 trials, 2 have the value 64, as 50% of all do.",
        ),
    ]


def test_what_may_matter_as_much_as_the_second_is_named(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "important", lambda study: [(LR, 0.6, 0.1), (WIDTH, 0.2, 0.1), (ACT, 0.1, 0.01)])
    monkeypatch.setattr(told, "unclear", lambda study: "")
    _, (_, second) = mattered(study)
    assert "0.20 ± 0.10, not to be told apart from net.act." in second


def test_of_a_real_importance_the_rate_comes_first(study: Study) -> None:
    (first, _), *_ = mattered(study)
    assert first == LR


def test_too_few_trials_are_told(tmp_path: Path) -> None:
    study = Made().begin().train("0", 0.5, lr=0.1).end("0").close().study(tmp_path)
    assert mattered(study) == [("", "What mattered can be said from 10 trials with a value on; 1 trial has a value.")]
