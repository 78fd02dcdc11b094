"""Whatever a training logs, no rule raises: the report and a study's end wait for them."""

from __future__ import annotations

import math
from typing import Any

from histories import ACCURACY, BOTH, CONFIG, HEALTHY, SPACE
from hypothesis import given, settings
from hypothesis import strategies as st

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.report.doctor.diagnose import diagnose_study
from raytune_nn.report.doctor.history import History
from raytune_nn.space.domains import LogUniform
from raytune_nn.space.space import Space

LOSS = Objective("val_loss", False, Take.last)
NAMES = (*HEALTHY, "train_acc", "probe/dead/x", "probe/grad_norm/", "probe/grad_norm/10", "loss", "val_", "")
VALUES = st.one_of(
    st.floats(),  # NaN, inf, subnormal and huge ones, too
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.0, -1.0, 1e308, 5e-324, math.nan, math.inf, -math.inf]),
    st.integers(-3, 3),
)
GROUPS: list[dict[str, Any]] = [{}, {"model": {"net": None}}, {"optimizer": None}, {"callbacks": None}]
STATES = ("waiting", "running", "paused", "complete", "stopped", "failed", "diverged")


@st.composite
def series(draw: st.DrawFn, reports: int) -> tuple[float, ...]:
    """A curve of odd values, the same one again and again, or a healthy one with a few odd values."""
    wild = st.lists(VALUES, min_size=reports, max_size=reports).map(tuple)
    constant = VALUES.map(lambda value: (value,) * reports)
    few = st.lists(st.sampled_from([0.1, 0.2, 0.4, 0.8, 1.6]), min_size=reports, max_size=reports).map(tuple)
    curve: tuple[float, ...] = draw(st.one_of(wild, constant, few))
    return curve


@st.composite
def histories(draw: st.DrawFn, id: str, objective: Objective) -> History:
    reports = draw(st.integers(0, 12))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=9))
    first = draw(st.integers(1, 5))
    net = draw(st.sampled_from(GROUPS))
    params = draw(st.sampled_from([{}, {"optimizer.lr": 1e-4}, {"optimizer.lr": 0.1}, {"optimizer.lr": 1e-9}]))
    return History(
        id,
        objective,
        {**CONFIG, **net},
        params,
        draw(st.sampled_from(STATES)),
        tuple(range(first, first + reports)),
        {name: draw(series(reports)) for name in names} if reports else {},
    )


@st.composite
def studies(draw: st.DrawFn) -> list[History]:
    objective = draw(st.sampled_from([ACCURACY, BOTH, LOSS]))
    return [draw(histories(str(number), objective)) for number in range(draw(st.integers(1, 3)))]


@settings(max_examples=150, deadline=None)
@given(studies())
def test_every_trial_is_answered_for(trials: list[History]) -> None:
    found = diagnose_study(trials, Space({"optimizer.lr": LogUniform(1e-4, 1e-1)}))
    assert set(found.trials) == {trial.id for trial in trials}
    for trial in trials:
        for finding in found.trials[trial.id]:
            assert finding.epoch in trial.epochs
            assert finding.action
            assert finding.evidence


@settings(max_examples=30, deadline=None)
@given(st.lists(VALUES, min_size=8, max_size=16), st.integers(1, 3))
def test_bounds_are_asked_of_odd_values(values: list[float], reports: int) -> None:
    trials = [
        History(str(n), ACCURACY, {**CONFIG, "search_space": SPACE}, {"optimizer.lr": 0.1}, "complete",
                tuple(range(1, reports + 1)), {"val_acc": (value,) * reports})
        for n, value in enumerate(values)
    ]  # fmt: skip
    found = diagnose_study(trials, Space({"optimizer.lr": LogUniform(1e-4, 1e-1)}))
    known = sum(map(math.isfinite, values))
    assert bool(found.study) == (known == len(values)), "all trials are at the bound; one that diverged has a say"
