"""Who trained when, as a journal tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_studies import Made, made_asha

from raytune_nn.report.page.slots import Piece, pieces_of, sessions
from raytune_nn.report.page.timeline import timeline, use_of_slots


def told(made: Made) -> list[tuple[str, int, str, int, int]]:
    pieces = pieces_of(made.events)
    return [(piece.trial, piece.slot, piece.state, piece.first_epoch, piece.last_epoch) for piece in pieces]


def test_a_trial_that_pauses_and_goes_on_has_two_pieces() -> None:
    assert told(made_asha()) == [
        ("0", 0, "paused", 0, 1),
        ("1", 1, "paused", 0, 1),
        ("1", 0, "complete", 1, 3),
        ("2", 1, "complete", 0, 3),
        ("3", 0, "failed", 0, 1),
    ]


def test_a_piece_lasts_from_its_start_to_its_end_in_the_study_s_own_time() -> None:
    made = Made().begin()
    made.train("0", 0.1, 0.2).end("0")
    assert pieces_of(made.events) == [Piece("0", 0, start=2.0, end=5.0, state="complete", first_epoch=0, last_epoch=2)]


def test_what_a_lost_process_had_begun_ends_when_it_is_tried_again() -> None:
    made = Made().begin().train("0", 0.1)
    made.tell("retried", trial="0", reason="gone", error="gone")
    made.train("0", 0.1).end("0")
    assert told(made) == [("0", 0, "tried again", 0, 1), ("0", 0, "complete", 0, 1)]


def test_the_time_between_two_drivers_does_not_count() -> None:
    made = Made().begin().train("0", 0.1)
    made.now += 1000
    made.begin().train("0", 0.1).end("0")
    first, second = pieces_of(made.events)
    assert (first.state, first.start, first.end) == ("cut off", 2.0, 3.0)
    assert (second.start, second.end) == (4.0, 6.0)
    assert sessions(made.events) == [3.0]


def test_what_has_not_ended_yet_runs() -> None:
    made = Made().begin().train("0", 0.1)
    assert told(made) == [("0", 0, "running", 0, 1)]
    made.close("interrupted")
    assert told(made) == [("0", 0, "cut off", 0, 1)]


def test_a_journal_without_slots_has_one() -> None:
    made = Made().begin()
    made.tell("suggested", trial="0", params={})
    made.tell("started", trial="0")
    assert told(made) == [("0", 0, "running", 0, 0)]


def test_each_piece_is_a_bar_and_each_slot_a_row(tmp_path: Path) -> None:
    made = made_asha()
    figure = timeline(made.study(tmp_path))
    assert figure is not None
    bars = [
        (bar.name, slot, begin, length)
        for bar in figure.data
        for slot, begin, length in zip(bar.y, bar.base, bar.x, strict=True)
    ]
    wanted = [(piece.state, piece.slot, piece.start, piece.seconds) for piece in pieces_of(made.events)]
    assert sorted(bars) == sorted(wanted)


def test_nothing_started_is_no_figure(tmp_path: Path) -> None:
    assert timeline(Made().begin().study(tmp_path)) is None


def test_how_busy_the_slots_were_is_the_share_of_their_time(tmp_path: Path) -> None:
    made = Made().begin()  # second 0
    made.train("0", 0.1).end("0")  # suggested at 1, trains from 2 to 4
    made.train("1", 0.1).end("1").close()  # from 6 to 8, closed at 9
    said = use_of_slots(made.study(tmp_path))
    assert f"The one slot was at work for {4 / 9:.0%} of the time" in said
    assert "was 2 s" in said


@pytest.mark.parametrize(("seconds", "unit"), [(100, "seconds"), (1000, "minutes"), (20_000, "hours")])
def test_the_axis_has_a_unit_that_suits(seconds: float, unit: str, tmp_path: Path) -> None:
    made = Made().begin().train("0", 0.1)
    made.now += seconds
    figure = timeline(made.end("0").study(tmp_path))
    assert figure is not None
    assert figure.layout.xaxis.title.text.startswith(unit)
