"""The table of studies."""

from __future__ import annotations

from typing import Any

from raytune_nn.report.study_list import study_list
from raytune_nn.store.listing import ListedStudy

NOW = 1_000_000.0


def listed(name: str, status: str, age: float, best: float | None = None, metric: Any = "val_acc") -> ListedStudy:
    summary: dict[str, Any] = {
        "counts": {"trials": 20, "complete": 3, "stopped": 11, "failed": 1, "diverged": 1, "paused": 4},
        "objective": {"metric": metric, "mode": "max"},
        "best": None if best is None else {"trial": "0", "value": best},
    }
    return ListedStudy(name, status, NOW - age, summary)


def test_a_line_a_study() -> None:
    studies = [
        listed("first", "running", 42, 0.974930),
        listed("2026-11-20_17-05-33_asha_mlp_digits", "interrupted", 3 * 3600 + 5),
        listed("front", "dead", 90, -1234.5678, ["val_perplexity_of_all", "x"]),
        ListedStudy("broken\x1b[2J", "invalid"),
    ]
    assert study_list(studies, NOW).splitlines() == [
        "status       done  best               age  study",
        "running        16  0.97493 val_acc   42 s  first",
        "interrupted    16                     3 h  2026-11-20_17-05-33_asha_mlp_digits",
        "dead           16  -1234.6 val_pe…  1 min  front",
        "invalid                                    'broken\\x1b[2J'",
        "",
        "dead: its driver is gone without a word; the command that began it goes on with it",
        "invalid: damaged, or it could not begin",
    ]


def test_a_name_with_a_time_stamp_fits_80_columns() -> None:
    studies = [
        listed("2026-11-20_17-05-33_asha_mlp_digits", "interrupted", 86400 * 400, -0.00012345, "validation_loss")
    ]
    assert max(map(len, study_list(studies, NOW).splitlines())) <= 80


def test_a_summary_of_somebody_else_is_shown_as_far_as_it_goes() -> None:
    odd = ListedStudy("odd", "complete", 0.0, {"counts": 7, "best": {"value": "x"}, "objective": None})
    assert study_list([odd], NOW).splitlines()[1].split() == ["complete", "odd"]
