"""How far a running study has come, as the terminal shows it: slots, rungs or generations, the last decision, the time
left; also where there is no colour, no Unicode or no terminal."""

from __future__ import annotations

import io
import os
import re
import time
from typing import Any

import pytest
from made_records import Told, make_settings
from rich.console import Console

from raytune_nn.report.live import LINE_SECONDS, LiveView
from raytune_nn.search.asha import ASHA
from raytune_nn.search.pbt import PBT
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.space.domains import LogUniform
from raytune_nn.space.space import Space

SPACE = Space({"optimizer.lr": LogUniform(1e-4, 1e-1)})


class Watched:
    """A study under a scheduler, and what a terminal shows of it."""

    def __init__(
        self,
        scheduler: Scheduler | None = None,
        trials: int = 16,
        width: int = 100,
        limits: dict[str, Any] | None = None,
        **told: Any,
    ) -> None:
        self.told, self.scheduler = Told(**told), scheduler
        self.console = Console(
            file=io.StringIO(), width=width, height=40, force_terminal=True, color_system=None, legacy_windows=False
        )
        self.view = LiveView(make_settings(**(limits or {})), trials, self.console, slots=2, scheduler=scheduler)

    def tell(self, type: str, **fields: Any) -> None:
        self.view.heard(self.told.tell(type, **fields), self.told.record)

    def start(self, trial: str, epoch: int = 0) -> None:
        if trial not in self.told.record.trials:
            self.tell("suggested", trial=trial, params={})
            if self.scheduler is not None:
                self.scheduler.on_start(trial, {"optimizer.lr": 0.01})
        self.tell("started", trial=trial, **({"epoch": epoch} if epoch else {}))

    def report(self, trial: str, epoch: int, value: float) -> None:
        """And what the scheduler says to it."""
        metrics = {self.told.metric: value}
        self.tell("reported", trial=trial, epoch=epoch, seconds=float(epoch), metrics=metrics, saved=True)
        if self.scheduler is None:
            return
        maximise = self.told.record.objective.maximise
        verdict = self.scheduler.on_report(trial, epoch, value if maximise else -value)
        if verdict.decision != "continue":
            reason = verdict.words(maximise)
            self.tell("decided", trial=trial, epoch=epoch, decision=str(verdict.decision), reason=reason)

    def go_on(self) -> None:
        assert self.scheduler is not None
        resumption = self.scheduler.next_to_run(new_available=False)
        assert resumption is not None
        words = resumption.words(self.told.record.objective.maximise)
        changed = {"source": resumption.source, "params": resumption.params}
        self.tell("resumed", trial=resumption.trial, new=False, **changed, **({"reason": words} if words else {}))

    def lines(self) -> list[str]:
        """Of one drawing, without what moves the cursor."""
        with self.view:
            self.console.file = file = io.StringIO()
            self.view._draw()
            drawn = file.getvalue()
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", drawn).splitlines()]


def halved(width: int = 100) -> Watched:
    """Four trials at the first rung of ASHA, of which one goes on; losses."""
    watched = Watched(ASHA(9), width=width, metric="val_loss", maximise=False)
    for trial, value in [("0", 0.5), ("1", 0.25), ("2", 0.75), ("3", 0.875)]:
        watched.start(trial)
        watched.report(trial, 1, value)
    watched.go_on()
    watched.start("1", epoch=1)
    watched.report("1", 2, 0.125)
    return watched


def test_rungs_slots_and_the_last_decision_of_asha() -> None:
    lines = halved().lines()
    assert "now     1/2 slots, 5 of at most 144 epochs" in lines
    assert "search  reached rung 1: 4, 3: 0" in lines
    assert "last    trial 1 goes on from rung 1: 0.25 is one of the best 1 of 4" in lines


def test_a_trial_that_goes_on_overtakes_the_best_while_it_runs() -> None:
    watched = Watched(ASHA(9))
    for trial, value in [("0", 0.5), ("1", 0.25)]:
        watched.start(trial)
        watched.report(trial, 1, value)
    watched.tell("resumed", trial="1", new=False, source=None, params=None)
    watched.start("1", epoch=1)
    watched.tell("reported", trial="1", epoch=2, seconds=2.0, metrics={"val_acc": 0.75}, saved=True)
    lines = watched.lines()
    best = next(place for place, line in enumerate(lines) if line.startswith("best"))
    assert [line.split()[:2] for line in (lines[best][4:], lines[best + 1])] == [["1", "0.75"], ["0", "0.5"]]


def test_a_stop_says_by_which_values_of_a_loss() -> None:
    watched = Watched(ASHA(9, promote=False), metric="val_loss", maximise=False)
    for trial, value in [("0", 0.5), ("1", 0.25), ("2", 0.75)]:
        watched.start(trial)
        watched.report(trial, 1, value)
    assert "last    trial 2 stopped at rung 1: 0.75 > 0.25" in watched.lines()


def test_generations_and_who_copied_whom() -> None:
    watched = Watched(PBT(4, 9, interval=3, space=SPACE), trials=4)
    for trial, value in [("0", 0.5), ("1", 0.25), ("2", 0.75), ("3", 0.625)]:
        watched.start(trial)
        watched.report(trial, 3, value)
    assert "search  generation 2 of 3" in watched.lines()
    watched.go_on()  # the best of those with the fewest epochs as it is, then the worst
    watched.go_on()
    lines = watched.lines()
    assert "search  generation 2 of 3, trial 1 copied 2 last" in lines
    assert "last    trial 1 copies trial 2: 0.25 < 0.75" in lines


def test_without_a_scheduler_there_is_no_line_of_it() -> None:
    watched = Watched()
    watched.start("0")
    assert not [line for line in watched.lines() if line.startswith(("search ", "last "))]


def test_the_limit_that_is_nearest() -> None:
    watched = Watched(limits={"max_total_epochs": 8, "max_hours": 10.0, "stagnation": 5})
    watched.start("0")
    watched.report("0", 1, 0.5)
    watched.report("0", 2, 0.5)
    assert "limit   25% of budget.max_total_epochs=8" in watched.lines()


def test_what_a_scheduler_gives_no_reason_for_is_told_too() -> None:
    watched = Watched()
    watched.start("0")
    watched.tell("decided", trial="0", epoch=1, decision="stop", reason="")
    assert "last    trial 0 stopped" in watched.lines()


def test_what_somebody_stopped_is_no_decision_of_the_scheduler() -> None:
    watched = Watched()
    watched.start("0")
    watched.tell("decided", trial="0", epoch=1, decision="stop", reason="by hand")
    assert "last    trial 0 stopped by hand" in watched.lines()


def test_forty_columns_hold_the_curve_and_the_facts() -> None:
    lines = halved(width=40).lines()
    assert max(map(len, lines)) <= 40
    assert [line.split() for line in lines if line.startswith("running")] == [["running", "1", "0.125", "█▁", "2/9"]]
    assert "1/2 slots, 5 of at most 144 epochs" in lines
    assert "reached rung 1: 4, 3: 0" in lines
    assert any("~" in line and "left" in line for line in lines)


def test_the_time_left_needs_trials_that_ended() -> None:
    watched = Watched(ASHA(9))
    watched.start("0")
    for epoch in range(1, 3):
        watched.report("0", epoch, 0.5)
    assert not [line for line in watched.lines() if "left" in line]
    assert [line for line in halved().lines() if "left" in line]


def test_ascii_only_terminals_get_ascii() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    watched = halved()
    with watched.view:
        watched.console.file = Ascii()
        watched.view._draw()
        shown = watched.console.file.getvalue()
    assert shown.isascii()
    assert "^_" in shown


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_without_colour_there_are_no_colours(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "dumb" if variable == "TERM" else "1")
    environment = {**os.environ, "TERM": os.environ.get("TERM", "xterm") if variable == "TERM" else "xterm-256color"}
    console = Console(file=io.StringIO(), width=100, height=40, force_terminal=True, _environ=environment)
    watched = halved()
    view = LiveView(make_settings(), 4, console, slots=2)
    with view:
        view.heard(watched.told.open(), watched.told.record)
        for event in watched.told.trial(0.5, 0.75):
            view.heard(event, watched.told.record)
        view._draw()
    written = console.file.getvalue()  # type: ignore[attr-defined]
    if variable == "TERM":
        assert written.splitlines()[0] == "starting"
        assert "\x1b" not in written
    else:
        assert "searching" in written
        assert not re.search(r"\x1b\[[0-9;]*(?:3[0-9]|9[0-7])(?:;[0-9]+)*m", written)


def test_the_log_of_a_long_study_grows_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    told, console = Told(), Console(file=io.StringIO(), width=100)
    monkeypatch.setattr("time.monotonic", lambda: told.now)
    with LiveView(make_settings(), 20_000, console) as view:
        view.heard(told.open(), told.record)
        for _ in range(8_640):  # a trial every ten seconds for a day
            told.now += LINE_SECONDS - 4.0
            for event in told.trial(0.5, end="complete"):
                view.heard(event, told.record)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert 200 < len(lines) < 800


def test_drawing_takes_little_of_the_drivers_time() -> None:
    watched = halved()
    with watched.view:
        watched.view._draw()
        begin = time.process_time()
        for _ in range(20):
            watched.view._draw()
        each = (time.process_time() - begin) / 20
    assert each < 0.02, "it draws four times a second"
