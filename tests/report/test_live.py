"""What a running study shows, on consoles that are recorded."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Callable

import pytest
from made_records import Told, make_settings
from rich.console import Console

from raytune_nn.report import live
from raytune_nn.report.live import LiveView
from raytune_nn.report.live_table import SHOWN_RUNNING

Script = Callable[[Told, LiveView], None]


class Clock:
    """Seconds, as ``time.monotonic`` would give them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def console_of(width: int = 100, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, height=30, force_terminal=terminal, color_system=None)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def watch(script: Script, told: Told | None = None, verbose: int = 1, trials: int = 4, **console: int) -> str:
    """All that is written while this happens."""
    target = console_of(console.get("width", 100), bool(console.get("terminal", 0)))
    told = told or Told()
    with LiveView(make_settings(verbose), trials, target) as view:
        script(told, view)
    return shown(target)


def hear(told: Told, view: LiveView, *values: float, **more: object) -> None:
    for event in told.trial(*values, **more):  # type: ignore[arg-type]
        view.heard(event, told.record)


def a_study(told: Told, view: LiveView) -> None:
    """A better trial, a worse one, and one that diverges; one runs on."""
    view.heard(told.open(), told.record)
    hear(told, view, 0.5, params={"optimizer.lr": 0.0123456})
    hear(told, view, 0.4)
    hear(told, view, float("nan"), end="diverged")
    hear(told, view, 0.9, 0.8, end=None, params={"model.act": "relu"})
    view.refresh()


def test_without_a_terminal_there_are_plain_lines(clock: Clock) -> None:
    lines = watch(a_study).splitlines()
    assert lines == ["starting", "    4.0 s  1/4 trials  best val_acc = 0.5 (trial 0)"]


def test_what_is_damaged_is_said(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(), told.record)
        hear(told, view, 0.5, end=None)
        for epoch in (3, 0):
            fields = {"file": "checkpoints/0/resume-2.ckpt", "why": "it is empty", "epoch": epoch, "params": None}
            view.heard(told.tell("fell_back", trial="0", **fields), told.record)
        what = {"file": "checkpoints/0/model.ckpt", "why": "it is empty"}
        view.heard(told.tell("damaged", trial="0", **what), told.record)

    trial = "trial 0 cannot go on from checkpoints/0/resume-2.ckpt: it is empty; it "
    model = "the model of trial 0 is damaged, checkpoints/0/model.ckpt: it is empty"
    said = [f"{trial}goes on from epoch 3", f"{trial}begins anew", model]
    assert watch(script).splitlines() == ["starting", *said]
    assert watch(script, verbose=0) == ""


def test_that_there_are_no_safety_copies_is_said_once(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(), told.record)
        for trial in ("0", "1"):
            told.tell("suggested", trial=trial, params={})
            view.heard(told.tell("started", trial=trial), told.record)
            event = told.tell("reported", trial=trial, epoch=1, seconds=1.0, metrics={"val_acc": 0.5}, unsaved="why")
            view.heard(event, told.record)

    said = "no safety copies (checkpoints.every_minutes) of trial 0: why"
    assert watch(script).splitlines() == ["starting", said]
    assert said not in watch(script, verbose=0)


def test_a_line_for_each_new_best_and_one_now_and_then(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(), told.record)
        for value, seconds in [(0.5, 0.0), (0.4, 1.0), (0.6, 1.0), (0.3, live.LINE_SECONDS)]:
            clock.now += seconds
            hear(told, view, value)

    lines = watch(script).splitlines()[1:]
    assert [line.partition("s  ")[2] for line in lines] == [
        "1/4 trials  best val_acc = 0.5 (trial 0)",
        "3/4 trials  best val_acc = 0.6 (trial 2)",
        "4/4 trials  best val_acc = 0.6 (trial 2)",
    ]


def test_a_trial_that_pauses_counts_and_shows_as_long_as_it_may_be_the_best(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        def hear_pause(trial: str, epoch: int, value: float) -> None:
            metrics = {"val_acc": value}
            told.tell("reported", trial=trial, epoch=epoch, seconds=1.0, metrics=metrics, saved=True)
            view.heard(told.tell("decided", trial=trial, decision="pause", reason="so"), told.record)

        view.heard(told.open(), told.record)
        for trial, value in [("0", 0.5), ("1", 0.5), ("2", 0.6)]:
            view.heard(told.tell("suggested", trial=trial, params={}), told.record)
            view.heard(told.tell("started", trial=trial), told.record)
            hear_pause(trial, 1, value)
        view.heard(told.tell("resumed", trial="2", source=None, params=None, new=True), told.record)
        view.heard(told.tell("started", trial="2", epoch=1), told.record)
        clock.now += live.LINE_SECONDS
        view.heard(told.tell("ended", trial="2", state="diverged"), told.record)

    lines = watch(script).splitlines()[1:]
    assert [line.partition("s  ")[2] for line in lines] == [
        "1/4 trials  best val_acc = 0.5 (trial 0)",
        "3/4 trials  best val_acc = 0.6 (trial 2)",
        "3/4 trials  best val_acc = 0.5 (trial 0)",
    ]


def test_trials_that_diverged_are_counted_and_none_is_the_best(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(), told.record)
        for _ in range(3):
            clock.now += live.LINE_SECONDS
            hear(told, view, float("nan"), end="diverged")

    lines = watch(script).splitlines()
    assert [line.partition("s  ")[2] for line in lines[1:]] == ["1/4 trials", "2/4 trials", "3/4 trials"]
    text = drawn(script)
    assert "3/4 trials" in text
    assert "best" not in text


@pytest.mark.parametrize("terminal", [0, 1])
def test_nothing_is_shown_where_only_the_result_is_wanted(terminal: int) -> None:
    assert watch(a_study, verbose=0, terminal=terminal) == ""


def test_the_libraries_own_output_gets_plain_lines_even_on_a_terminal(clock: Clock) -> None:
    assert watch(a_study, verbose=2, terminal=1).splitlines()[0] == "starting"


def drawn(script: Script, trials: int = 4, width: int = 100) -> str:
    """The last drawing on a terminal, without what moves the cursor."""
    target, told = console_of(width, terminal=True), Told()
    with LiveView(make_settings(), trials, target) as view:
        script(told, view)
        view._draw()
        target.file = io.StringIO()
        view._draw()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", shown(target))


def test_a_terminal_shows_what_runs_and_what_is_best(clock: Clock) -> None:
    text = drawn(a_study)
    rows = [line.split() for line in text.splitlines()]
    assert ["running", "3", "0.9", "█▁", "2/9", "act=relu"] in rows
    assert ["best", "0", "0.5", "1/9", "lr=0.01235"] in rows
    assert ["1", "0.4", "1/9"] in rows
    assert "searching" in text
    assert "3/4 trials" in text


def test_what_runs_has_its_present_parameters_and_the_best_those_of_its_value(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(), told.record)
        for event in told.changed():
            view.heard(event, told.record)

    rows = [line.split() for line in drawn(script).splitlines()]
    assert ["running", "0", "0.9", "█▁", "2/9", "lr=0.5"] in rows
    assert ["best", "0", "0.9", "█▁", "2/9", "lr=0.1"] in rows


def test_before_the_first_trial_the_wait_is_explained(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(), told.record)

    text = drawn(script)
    assert "starting" in text
    assert "0/4" in text
    assert "searching" not in text


def test_a_single_training_is_no_search(clock: Clock) -> None:
    text = drawn(a_study, trials=1)
    assert "training" in text
    assert "searching" not in text
    for shown_text in (text, watch(a_study, trials=1)):
        assert re.search(r"/1 trial\b", shown_text)


@pytest.mark.parametrize("width", [1, 10, 20, 40, 60])
def test_a_narrow_terminal_shows_what_fits(width: int, clock: Clock) -> None:
    text = drawn(a_study, width=width)
    assert max(map(len, text.splitlines())) == width
    if width >= 40:
        assert "running" in text
        assert "3/4 trials" in text


def test_many_running_trials_are_counted(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        for _ in range(SHOWN_RUNNING + 3):
            hear(told, view, 0.5, end=None)

    assert "and 3 more running" in drawn(script)


def test_only_the_best_few_are_kept(clock: Clock) -> None:
    told = Told(maximise=False)
    view = LiveView(make_settings(), 4, console_of())
    for value in (0.3, 0.9, 0.1, 0.8, 0.2, 0.7, 0.1):
        hear(told, view, value)
    hear(told, view, 0.0, end="failed")
    assert [trial.id for trial in view._trials.best] == ["2", "6", "4", "0", "5"]
    assert view._trials.running == {}


@pytest.mark.parametrize("value", ["[/relu]", "[bold]x", "[red]", [1, 2], None, {"a": "[/b]"}])
def test_a_value_is_shown_as_it_is(value: object, clock: Clock) -> None:
    """And not as the markup of the console: a closing tag would be an error of the driver."""
    text = drawn(lambda told, view: hear(told, view, 0.5, end=None, params={"x": value}))
    assert f"x={value}" in text


@pytest.mark.parametrize("metric", ["val[acc]", "[/acc]", "val/acc"])
def test_a_metric_is_called_as_it_is(metric: str, clock: Clock) -> None:
    assert metric in watch(a_study, told=Told(metric=metric))
    told = Told(metric=metric)
    target = console_of(terminal=True)
    with LiveView(make_settings(), 4, target) as view:
        a_study(told, view)
        view._draw()
    assert metric in shown(target)


def test_a_trial_that_begins_anew_is_shown_once(clock: Clock) -> None:
    told = Told()
    view = LiveView(make_settings(), 4, console_of())
    hear(told, view, 0.5, end=None)
    view.heard(told.tell("retried", trial="0", error="E"), told.record)
    assert view._trials.running == {}
    view.heard(told.tell("started", trial="0"), told.record)
    assert list(view._trials.running) == ["0"]


def test_a_study_that_goes_on_shows_its_earlier_best(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        for value in (0.7, 0.9):
            told.add(value)
        told.add(0.95, end="failed")
        view.heard(told.open(), told.record)
        hear(told, view, 0.8, end=None)

    rows = [line.split()[:3] for line in drawn(script).splitlines() if line.strip()]
    assert ["best", "1", "0.9"] in rows
    assert ["0", "0.7", "2/9"] not in rows
    assert not any("0.95" in row for row in rows)


@pytest.mark.parametrize("terminal", [0, 1])
@pytest.mark.parametrize(
    ("torn", "said"), [(1, "dropped 1 half-written line of"), (2, "dropped 2 half-written lines of")]
)
def test_lines_that_the_journal_lost_are_said(torn: int, said: str, terminal: int, clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(torn), told.record)

    assert said in watch(script, terminal=terminal)
    assert said not in watch(script, terminal=terminal, verbose=0)


@pytest.mark.parametrize("terminal", [0, 1])
def test_a_trial_that_needs_a_gpu_to_itself_is_told_of(terminal: int, clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        hear(told, view, end=None)
        view.heard(told.tell("retried", trial="0", error="E", reason="out of memory", alone=True), told.record)
        hear(told, view, end=None)
        view.heard(told.tell("retried", trial="1", error="E", reason="E"), told.record)

    text = watch(script, terminal=terminal)
    assert text.count("trial 0: out of memory") == 1
    assert text.count("trial 1") == text.count("trial 1 is tried again: E") == 1, "for another reason"
    assert "out of memory" not in watch(script, terminal=terminal, verbose=0)


@pytest.mark.parametrize("terminal", [False, True])
def test_what_befalls_the_storage_is_told(clock: Clock, terminal: bool) -> None:
    def script(told: Told, view: LiveView) -> None:
        view.heard(told.open(), told.record)
        view.heard(told.tell("waits", reason="/share/[x]: full"), told.record)
        view.heard(told.tell("waited", seconds=12.34, reason="/share/[x]: full"), told.record)
        hear(told, view, end=None)
        view.heard(told.tell("waits", trial="0", reason="late news"), told.record)
        clock.now += live.LINE_SECONDS + 1
        for trial in ("0", "1"):
            view.heard(told.tell("waits", trial=trial, reason="again"), told.record)
        view.heard(told.tell("held", reason="5 MB are free"), told.record)
        view.heard(told.tell("freed"), told.record)

    text = watch(script, terminal=terminal)
    places = [
        text.index(line)
        for line in (
            "waiting for the storage: /share/[x]: full\n",
            "the storage is back after 12.3 s\n",
            "trial 0: waiting for the storage: again\n",
            "no other trial begins for now: 5 MB are free\n",
            "there is room again, and trials begin\n",
        )
    ]
    assert places == sorted(places)
    assert "late news" not in text, "the driver has said it"
    assert "trial 1" not in text, "one trial is enough"
    assert "storage" not in watch(script, terminal=terminal, verbose=0)


def test_a_whole_journal_is_not_worth_a_word(clock: Clock) -> None:
    assert "dropped" not in watch(a_study)


def test_drawing_is_not_more_often_than_eyes_follow(clock: Clock) -> None:
    target = console_of(terminal=True)
    with LiveView(make_settings(), 4, target) as view:
        told = Told()
        a_study(told, view)
        before = len(shown(target))
        for _ in range(100):
            view.refresh()
        assert len(shown(target)) == before
        clock.now += live.REFRESH_SECONDS + 0.01
        view.refresh()
        assert len(shown(target)) > before


def test_an_error_inside_leaves_the_terminal_in_order() -> None:
    target = console_of(terminal=True)
    with pytest.raises(ZeroDivisionError), LiveView(make_settings(), 4, target):
        raise ZeroDivisionError
    assert shown(target).count("\x1b[?25l") == shown(target).count("\x1b[?25h") == 1, "the cursor is back"


def test_a_failure_is_told_at_once_and_each_cause_only_once(clock: Clock) -> None:
    def script(told: Told, view: LiveView) -> None:
        for number in range(3):
            hear(told, view, 0.5, end=None)
            again = told.tell(
                "retried", trial=str(number), error="E", reason=f"ValueError: {number}", place="a.py:3, f"
            )
            view.heard(again, told.record)
        for number in range(30):
            hear(told, view, end="failed", error=f"Error{chr(ord('a') + number)}")

    target = console_of()
    with LiveView(make_settings(), 4, target) as view:
        script(Told(), view)
    lines = [line for line in shown(target).splitlines() if line.startswith("trial ")]
    assert lines[:3] == [
        "trial 0 is tried again: ValueError: 0 (a.py:3, f)",
        "trial 3 failed: Errora",
        "trial 4 failed: Errorb",
    ]
    assert len(lines) == live.TOLD_CAUSES


@pytest.mark.parametrize("terminal", [False, True])
def test_a_terminal_that_is_gone_ends_no_study(terminal: bool) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    console = Console(file=Gone(), width=100, height=30, force_terminal=terminal, color_system=None)
    with LiveView(make_settings(), 2, console) as view:
        view.say("a line")
        view.refresh()
