"""The Pareto front, against the definition of dominance."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from drawn_studies import ACCURACY, THREE, TWO, Made, named

from raytune_nn.report.figures.pareto import draw


def beats(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """By accuracy and loss."""
    return ours != theirs and ours[0] >= theirs[0] and ours[1] <= theirs[1]


def test_the_front_stands_out_and_the_rest_is_faint() -> None:
    made, rng = Made(TWO), random.Random(0)
    made.open()
    points = [(round(rng.random(), 2), round(rng.random(), 2)) for _ in range(50)]
    for point in points:
        made.trial(point)
    made.close()
    figure = draw(made.study())
    assert figure is not None
    best = {point for point in points if not any(beats(other, point) for other in points)}
    front, rest = named(figure, "Pareto front"), named(figure, "dominated, or still running")
    assert set(zip(front.x, front.y, strict=True)) == best
    assert len(front.x) + len(rest.x) == 50
    assert rest.marker.opacity < front.marker.opacity
    assert "val_acc (higher is better" in figure.layout.xaxis.title.text
    assert "val_loss (lower is better" in figure.layout.yaxis.title.text


def test_no_trial_lies_on_the_better_side_of_the_line() -> None:
    made = Made(TWO)
    made.open()
    for point in ((0.2, 0.1), (0.5, 0.3), (0.9, 0.8), (0.4, 0.9)):
        made.trial(point)
    made.close()
    line = next(trace for trace in draw(made.study()).data if trace.mode == "lines")  # type: ignore[union-attr]
    assert list(zip(line.x, line.y, strict=True)) == [(0.2, 0.1), (0.5, 0.3), (0.9, 0.8)]
    # Between 0.2 and 0.5 only the trial at 0.5 is as accurate, so the line rises to its loss at once.
    assert line.line.shape == "vh"


def test_what_diverged_stands_in_the_worse_corner() -> None:
    made = Made(TWO)
    made.open()
    made.trial((0.5, 0.5))
    made.trial((0.9, math.nan), end="diverged", reason="val_loss was nan at epoch 1")
    figure = draw(made.study())
    lost = named(figure, "diverged or failed")
    assert lost.x[0] < 0.5 < lost.y[0]


def test_of_three_metrics_each_pair_has_a_field() -> None:
    made, rng = Made(THREE), random.Random(1)
    made.open()
    for _ in range(10):
        made.trial((rng.random(), rng.random(), rng.random()))
    figure = draw(made.study())
    assert figure is not None
    assert {trace.xaxis for trace in figure.data} == {"x", "x2", "x3"}
    assert sum(len(trace.x) for trace in figure.data) == 30


def test_one_metric_has_no_front() -> None:
    made = Made(ACCURACY)
    made.open()
    made.trial(0.5)
    assert draw(made.study()) is None
