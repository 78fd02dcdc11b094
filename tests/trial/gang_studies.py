"""Studies whose trials have two workers, on the Ray that the tests share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from command_line import inside

from raytune_nn.config.compose import Composed
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.session import open_study

FILES = {
    "model/differing.yaml": "{_target_: gang_module.Differing, value: 0.0, does: train, notes: notes}",
    "data/two_rows.yaml": "{_target_: trial_parts.Data}",
    "search_space/differing.yaml": "{model: {value: 'uniform(0, 1)', does: 'choice(train, raise)'}}",
}
DIFFERING = ("model=differing", "data=two_rows", "optimizer=from_model", "search_space=differing", "+search=random")


class Listed(Searcher):
    """Suggests a fixed list."""

    def __init__(self, params: list[dict[str, Any]]) -> None:
        self._params = params

    def suggest(self, number: int) -> dict[str, Any] | None:
        return self._params[number] if number < len(self._params) else None


@dataclass(frozen=True)
class Ended:
    """A study after its end."""

    record: StudyRecord
    events: list[Event]
    folder: Path

    def metrics(self, trial: str) -> list[Mapping[str, float]]:
        return [event["metrics"] for event in self.of("reported") if event["trial"] == trial]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]


def run(scratch: str, here: Path, name: str, *arguments: str, does: Mapping[float, str] | None = None) -> Ended:
    """Runs a study of two workers a trial; ``does`` are trials of `gang_module`, by their values."""
    overrides = ("trainer=cpu", "resources.workers=2", *arguments, f"study.storage={here}", f"study.name={name}")
    if does is not None:
        for path, text in FILES.items():
            (here / "conf" / path).parent.mkdir(parents=True, exist_ok=True)
            (here / "conf" / path).write_text(text)
        (here / "notes").mkdir(exist_ok=True)
        overrides = (*DIFFERING, *overrides, f"model.notes={here / 'notes'}", "--config-dir", str(here / "conf"))
    checked = inside(lambda composed: preflight(_on_two_cores(composed)), *overrides)
    plan = checked.plan
    if does is not None:
        params = [{"model.value": value, "model.does": what} for value, what in does.items()]
        plan = replace(plan, searcher=Listed(params), num_trials=len(params))
    with open_study(plan, checked.folder, lambda event, record: None) as conductor:
        _run_on(scratch, conductor, checked)
    return Ended(conductor.record, list(read_journal(checked.folder.journal)), checked.folder.path)


def _on_two_cores(composed: Composed) -> Composed:
    composed.settings.cluster.cpus = 2.0
    return composed


def _run_on(scratch: str, conductor: Any, checked: Checked) -> None:
    from raytune_nn.study.tuner import run_study

    context = checked.plan.context(checked.folder)
    run_study(conductor, context, checked.targets, checked.plan.settings.resources, scratch, lambda: None)
    conductor.close(interrupted=False)


def pids(here: Path, value: float) -> dict[str, list[int]]:
    """The processes that trained the trial of this value, by the worker's rank, an entry an attempt."""
    found: dict[str, list[int]] = {"0": [], "1": []}
    for line in (here / "notes" / str(value)).read_text().splitlines():
        rank, pid = line.split()
        found[rank].append(int(pid))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
