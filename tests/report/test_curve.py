"""A curve as text."""

from __future__ import annotations

import pytest

from raytune_nn.report.curve import MARGIN, draw_curve


def test_a_straight_line_in_the_logarithm() -> None:
    assert draw_curve([1e-2, 1e-1, 1.0, 10.0], [3.0, 2.0, 1.0, 0.0], [], width=MARGIN + 31, height=4) == "\n".join(
        [
            "        3 ┤•",
            "          ┤          •",
            "          ┤                    •",
            "        0 ┤                              •",
            "          └┬─────────┬─────────┬─────────┬",
            "           1e-2    1e-1       1e0      1e1",
        ]
    )


def test_marks_are_lines_behind_the_curve() -> None:
    lines = draw_curve([1.0, 10.0], [1.0, 0.0], [1.0, 10.0], width=50, height=3).splitlines()
    first, last = MARGIN, 49
    assert [line[first] for line in lines[:3]] == ["•", "│", "│"]
    assert [line[last] for line in lines[:3]] == ["│", "│", "•"]


@pytest.mark.parametrize("width", [0, 30, 80, 200])
def test_it_keeps_to_the_width(width: int) -> None:
    rates = [10.0 ** (power / 3) for power in range(-30, 5)]
    drawn = draw_curve(rates, [float(number) for number in range(35)], [1.0], width)
    assert max(map(len, drawn.splitlines())) == max(width, 30)


def test_labels_that_have_no_room_are_left_out() -> None:
    axis = draw_curve([1e-12, 1e12], [1.0, 0.0], [], width=40).splitlines()[-1].split()
    assert all(label.startswith("1e") for label in axis)
    assert 2 <= len(axis) <= 6


def test_a_constant_curve_stands_at_the_top() -> None:
    lines = draw_curve([1.0, 10.0], [2.0, 2.0], [], width=40, height=3).splitlines()
    assert lines[0].count("•") == 2
