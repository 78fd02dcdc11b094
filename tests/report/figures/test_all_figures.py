"""All figures of odd studies, of a big one, and of one that really ran."""

from __future__ import annotations

import json
import math
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_studies import ACCURACY, FOLDS, LOSS, SPACE, THREE, TWO, Made, drive, settings
from one_slot import run
from plotly.utils import PlotlyJSONEncoder

from raytune_nn.config.objective import Objective
from raytune_nn.report.figures import FIGURES
from raytune_nn.report.figures.learning_curves import draw as draw_curves
from raytune_nn.report.study import Study, read_study
from raytune_nn.search.asha import ASHA
from raytune_nn.search.pbt import PBT
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.resume import stored_config

ASHA_SETTINGS = {"grace_period": 1, "reduction_factor": 3, "max_epochs": 9, "brackets": 1}


def drawn(study: Study) -> dict[str, Any]:
    """Title to what the page holds of each figure that there is; what it holds is JSON that a browser reads."""
    figures = {section.title: section.draw(study) for section in FIGURES}
    there = {title: figure.to_plotly_json() for title, figure in figures.items() if figure is not None}
    texts = {title: json.dumps(figure, cls=PlotlyJSONEncoder) for title, figure in there.items()}
    return {title: json.loads(text, parse_constant=_refuse) for title, text in texts.items()}


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def values(objective: Objective, rng: random.Random) -> tuple[float, ...]:
    return tuple(rng.random() for _ in objective.goals)


def mixed(made: Made) -> None:
    """Trials of all fates, some of which run, wait or are paused."""
    rng = random.Random(0)
    made.open()
    for number in range(24):
        params = SPACE.sample(rng)
        reports = [values(made.objective, rng) for _ in range(1 + number % 3)]
        end = ("complete", "stopped", "diverged", "failed", None)[number % 5]
        if end == "diverged":
            reports[-1] = tuple(math.nan if number % 2 else -math.inf for _ in reports[-1])
        made.trial(*reports, end=end, params=params, reason=f"because <of> {number}")
    paused = made.suggest(SPACE.sample(rng))
    made.tell("started", trial=paused)
    made.report(paused, 1, *values(made.objective, rng), saved=True, rung=1)
    made.tell("decided", trial=paused, epoch=1, decision="pause", reason="paused at rung 1: 0.5 is number 1 of 1")
    made.suggest(SPACE.sample(rng))


def interrupted(made: Made) -> None:
    mixed(made)
    made.close("interrupted")


def resumed(made: Made) -> None:
    mixed(made)
    made.now += 1e5
    made.open()
    made.trial(*[values(made.objective, random.Random(1))] * 3, params=SPACE.sample(random.Random(1)))
    made.close()


def failed_only(made: Made) -> None:
    made.open()
    for number in range(12):
        made.trial(end="failed", params=SPACE.sample(random.Random(number)), reason="ValueError: no")
    made.close("failed")


def diverged_only(made: Made) -> None:
    made.open()
    for number in range(12):
        nothing = tuple(math.nan for _ in made.objective.goals)
        made.trial(nothing, end="diverged", params=SPACE.sample(random.Random(number)), reason="nan")
    made.close("failed")


def one_trial(made: Made) -> None:
    made.open()
    made.trial(values(made.objective, random.Random(0)), params=SPACE.sample(random.Random(0)))
    made.close()


def one_training(made: Made) -> None:
    made.open()
    made.trial(*[values(made.objective, random.Random(0))] * 5)
    made.close()


def constant(made: Made) -> None:
    made.open()
    for number in range(12):
        made.trial(tuple(0.0 for _ in made.objective.goals), params=SPACE.sample(random.Random(number)))
    made.close()


def extreme(made: Made) -> None:
    made.open()
    for number in range(30):
        value = 10.0 ** (number % 15 * 20)
        made.trial(tuple(value for _ in made.objective.goals), params=SPACE.sample(random.Random(number)))


def begun(made: Made) -> None:
    made.open()


def unborn(made: Made) -> None:
    """A driver that died before it wrote a line."""


ALIVE = [mixed, interrupted, resumed, failed_only, diverged_only, one_trial, one_training, constant, extreme]
CASES = [
    *[pytest.param(tell, LOSS, SPACE, id=f"{tell.__name__}-one") for tell in [*ALIVE, begun, unborn]],
    *[pytest.param(tell, TWO, SPACE, id=f"{tell.__name__}-two") for tell in ALIVE],
    pytest.param(mixed, ACCURACY, None, id="mixed-no-space"),
    pytest.param(mixed, FOLDS, SPACE, id="mixed-folds"),
    pytest.param(mixed, THREE, SPACE, id="mixed-three"),
]


@pytest.mark.parametrize(("tell", "objective", "space"), CASES)
def test_odd_studies_have_figures_or_none(tell: Callable[[Made], None], objective: Objective, space: Any) -> None:
    made = Made(objective, space, settings(ASHA_SETTINGS) if space is not None else None)
    tell(made)
    figures = drawn(made.study())
    assert bool(figures) == (tell in ALIVE)
    for figure in figures.values():
        assert not {"paper_bgcolor", "plot_bgcolor", "font"} & figure["layout"].keys(), "these are the page's"


def test_the_same_journal_gives_the_same_figures() -> None:
    made = Made(LOSS, SPACE, settings(ASHA_SETTINGS))
    mixed(made)
    assert drawn(made.study()) == drawn(made.study())


def test_a_population_has_lineage_and_schedules_but_no_rungs() -> None:
    made, rng = Made(space=SPACE), random.Random(0)
    params = [SPACE.sample(rng) for _ in range(8)]
    drive(made, PBT(8, 9, 3, space=SPACE, perturb=["optimizer.lr"]), params, lambda p, e: p["optimizer.lr"] * e, 9)
    titles = drawn(made.study()).keys()
    assert {"Lineage", "Schedules", "Learning curves"} <= titles
    assert "Rungs" not in titles


def big(trials: int, epochs: int) -> Study:
    """Half of the trials go no further than the first half of their epochs."""
    made, rng = Made(space=SPACE, config=settings({**ASHA_SETTINGS, "max_epochs": epochs})), random.Random(0)
    params = [SPACE.sample(rng) for _ in range(trials)]
    numbers = iter(range(10**6))
    drive(
        made,
        ASHA(max_epochs=epochs, grace_period=epochs // 2, reduction_factor=2),
        params,
        lambda p, epoch: p["optimizer.lr"] + (1 - 1 / epoch) + (next(numbers) % 97) / 970,
        epochs,
    )
    return made.study()


@pytest.mark.slow
def test_a_big_study_is_drawn_in_seconds_and_fits_a_page() -> None:
    study = big(1000, 300)
    began = time.process_time()
    texts = {}
    for section in FIGURES:
        figure = section.draw(study)
        if figure is not None:
            texts[section.title] = json.dumps(figure.to_plotly_json(), cls=PlotlyJSONEncoder)
    seconds = time.process_time() - began
    sizes = {title: len(text) / 1e6 for title, text in texts.items()}
    assert sum(sizes.values()) < 18, sizes
    assert seconds < 6 * 3, "6 s where nobody else is at work"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """An ASHA study of six trials that one slot trained."""
    place = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "path", list(sys.path))
        patch.setenv("HYDRA_FULL_ERROR", "1")
        run("first", ("+search=asha", "budget.num_trials=6", "budget.max_epochs=9"))
    folder = StudyFolder(Path(place) / "studies" / "first")
    return read_study(folder, stored_config(folder))


def test_a_study_that_ran_has_a_mark_for_each_report(real: Study) -> None:
    reports = [event for event in real.events if event["type"] == "reported"]
    figure = draw_curves(real)
    assert figure is not None
    lines = [trace for trace in figure.data if "lines" in trace.mode]
    assert sum(int(np.isfinite(line.y).sum()) for line in lines) == len(reports) > 6
    assert {"Optimisation history", "Learning curves", "Rungs", "Slices", "Parallel coordinates"} <= drawn(real).keys()


def test_the_traces_of_a_figure_lie_in_one_layer() -> None:
    study = big(100, 60)
    for section in FIGURES:
        figure = section.draw(study)
        kinds = {trace.type for trace in figure.data if "scatter" in trace.type} if figure is not None else set()
        assert len(kinds) <= 1, f"{section.title}: what WebGL draws would hide the rest"
    assert draw_curves(study).data[0].type == "scattergl"  # type: ignore[union-attr]
