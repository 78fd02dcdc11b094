"""A study whose values are known beforehand, on a storage of the test's own."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import TIMEOUT, Place, events, rows, summary, wait_until, write_scripted

EPOCHS = 8
MODEL = f"""

class Slow(Scripted):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.large = torch.nn.Parameter(torch.zeros(50_000))  # {4 * 50_000} bytes

    def training_step(self, batch, batch_idx):
        time.sleep(0.25)
        return super().training_step(batch, batch_idx) + self.large.square().sum()
"""


class Command:
    """A study in a process, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str], study: Path) -> None:
        self.process, self.study, self.out = process, study, ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.out += line

    def until_ended(self, trials: int) -> None:
        """Waits until so many trials came to their end."""
        wait_until(lambda: self.process.poll() is not None or count(self.study, "ended") >= trials, TIMEOUT)
        assert self.process.poll() is None, self.finish()

    def until_said(self, words: str, times: int = 1) -> None:
        wait_until(lambda: self.process.poll() is not None or self.out.count(words) >= times, TIMEOUT)
        assert self.out.count(words) >= times, self.finish()

    def finish(self) -> tuple[int, str]:
        """Exit code and errors."""
        assert self.process.stderr is not None
        code = self.process.wait(TIMEOUT)
        self._reader.join(10)
        return code, self.process.stderr.read()


class Studies:
    """Runs one study again and again."""

    def __init__(self, place: Place, storage: Path, trials: int = 6) -> None:
        self.place, self.storage, self.study, self.trials = place, storage, storage / "first", trials
        scripted = write_scripted(place, MODEL)
        budget = (f"budget.num_trials={trials}", f"budget.max_epochs={EPOCHS}")
        self.typed = (*scripted, "+search=random", "search_space=scripted", *budget, f"study.storage={storage}")

    @contextmanager
    def start(self, *overrides: str) -> Iterator[Command]:
        with self.place.start(*self.typed, *overrides) as process:
            yield Command(process, self.study)

    def run(self, *overrides: str) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        with self.start(*overrides) as command:
            code, err = command.finish()
            return code, command.out, err

    def check_whole(self) -> None:
        """Each trial stands once and has the value that it must have, and no report came twice from one attempt."""
        table = rows(self.study)
        assert summary(self.study)["status"] == "complete"
        assert [row["trial"] for row in table] == [str(number) for number in range(self.trials)]
        for row in table:
            assert (row["state"], row["epochs"]) == ("complete", str(EPOCHS)), summary(self.study)
            expected = float(row["params.model.value"]) + EPOCHS / 1000
            assert float(row["value"]) == pytest.approx(expected, abs=1e-6)
        told = [event for event in events(self.study) if event["type"] in ("suggested", "ended")]
        once = Counter((event["type"], event["trial"]) for event in told)
        assert (len(once), set(once.values())) == (2 * self.trials, {1})
        assert (self.study / "best" / "model.ckpt").stat().st_size > 200_000


def count(study: Path, type: str) -> int:
    """Events of a type so far."""
    return len(events(study, type))


def is_still(study: Path, seconds: float) -> bool:
    """Whether the journal does not grow for so long."""
    before = [path.stat().st_size for path in sorted((study / "journal").glob("*"))]
    time.sleep(seconds)
    return before == [path.stat().st_size for path in sorted((study / "journal").glob("*"))]
