"""Random but possible journals: what drivers and trials of one study might have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from raytune_nn.store.journal import Event

values = st.sampled_from([0.1, 0.2, 0.3, 0.3, -1.0, 0.0, float("nan"), float("inf"), float("-inf")])


class _Study:
    """Writes events one by one; trials are waiting, running or over."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.events: list[Event] = []
        self.now = 1000.0
        self.waiting: list[str] = []
        self.running: dict[str, int] = {}  # id -> last epoch reported
        self.saved: dict[str, int] = {}  # id -> epoch of its state
        self.before: dict[str, int] = {}  # and of the one before
        self.paused: list[str] = []
        self.suggested = 0

    def write(self, type: str, **fields: Any) -> None:
        self.now += self.draw(st.sampled_from([0.0, 0.5, 3.0]))
        self.events.append({"type": type, "time": self.now, **fields})

    def open(self) -> None:
        self.now += 50.0  # nobody ran the study meanwhile
        self.write("opened", name="s")
        self.waiting += self.running
        self.running = {}

    def suggest(self) -> None:
        self.write("suggested", trial=str(self.suggested), params={"lr": self.suggested})
        self.waiting.append(str(self.suggested))
        self.suggested += 1

    def start(self) -> None:
        if self.waiting:
            trial = self.waiting.pop(self.draw(st.integers(0, len(self.waiting) - 1)))
            epoch = self.saved.get(trial, 0)
            self.write("started", trial=trial, **({"epoch": epoch} if epoch else {}))
            self.running[trial] = epoch

    def report(self) -> None:
        trial = self.some_running()
        if trial:
            self.running[trial] += self.draw(st.integers(1, 2))
            epoch = self.running[trial]
            metrics = self.draw(st.sampled_from(["val_acc", "val_acc", "other"]))
            saved: Event = {"saved": True} if self.draw(st.integers(0, 3)) == 0 else {}
            content: Event = {"epoch": epoch, "seconds": epoch * 1.5, "metrics": {metrics: self.draw(values)}, **saved}
            self.write("reported", trial=trial, **content)
            if saved:
                self.save(trial, epoch)

    def save(self, trial: str, epoch: int) -> None:
        if trial in self.saved:
            self.before[trial] = self.saved[trial]
        self.saved[trial] = epoch

    def fall_back(self) -> None:
        trial = self.some_running()
        if trial in self.saved and self.running[trial] == self.saved[trial]:
            epoch = self.before.pop(trial, 0)
            params = self.draw(st.sampled_from([None, {"lr": 0.25}]))
            self.write("fell_back", trial=trial, file="f", why="so", epoch=epoch, params=params, error="E")
            self.saved[trial] = epoch
            if not epoch:
                del self.saved[trial]
            del self.running[trial]
            self.waiting.append(trial)

    def pause(self) -> None:
        trial = self.some_running()
        if trial and self.saved.get(trial) == self.running[trial]:
            self.write("decided", trial=trial, epoch=self.running.pop(trial), decision="pause", reason="so")
            self.paused.append(trial)

    def resume(self) -> None:
        if self.paused:
            trial = self.paused.pop(0)
            source = self.draw(st.sampled_from([None, *self.saved]))
            params = self.draw(st.sampled_from([None, {"lr": 0.5}]))
            self.write("resumed", trial=trial, source=source, params=params, new=False)
            if source is not None:
                self.save(trial, self.saved[source])
            self.waiting.append(trial)

    def retry(self) -> None:
        trial = self.some_running()
        if trial:
            self.write("retried", trial=trial, error="ValueError: no")
            del self.running[trial]
            self.waiting.append(trial)

    def end(self) -> None:
        trial = self.some_running()
        if trial:
            state = self.draw(st.sampled_from(["complete", "stopped", "diverged", "failed"]))
            self.write("ended", trial=trial, state=state, reason="so")
            del self.running[trial]

    def some_running(self) -> str | None:
        return self.draw(st.sampled_from([*self.running])) if self.running else None


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """All events of a study, from its opening on."""
    study = _Study(draw)
    study.open()
    steps: list[Callable[[], None]] = [study.suggest, study.start, study.report, study.report, study.end, study.retry]
    steps += [study.pause, study.resume, study.fall_back]
    for step in draw(st.lists(st.sampled_from([*steps, *steps, *steps, study.open]), max_size=40)):
        step()
    return study.events
