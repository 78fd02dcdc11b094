"""Studies whose trials have two workers, on the Ray that the tests share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from listed_studies import Ended, run_on
from processes import write_options

FILES = {
    "model/differing.yaml": "{_target_: gang_module.Differing, value: 0.0, does: train, notes: notes}",
    "data/two_rows.yaml": "{_target_: trial_parts.Data}",
    "search_space/differing.yaml": "{model: {value: 'uniform(0, 1)', does: 'choice(train, raise)'}}",
}
DIFFERING = ("model=differing", "data=two_rows", "optimizer=from_model", "search_space=differing", "+search=random")


def run(scratch: str, here: Path, name: str, *arguments: str, does: Mapping[float, str] | None = None) -> Ended:
    """Runs a study of two workers a trial; ``does`` are trials of `gang_module`, by their values."""
    overrides = ("trainer=cpu", "resources.workers=2", *arguments, f"study.storage={here}", f"study.name={name}")
    if does is not None:
        write_options(here, FILES)
        overrides = (*DIFFERING, *overrides, f"model.notes={here / 'notes'}", "--config-dir", str(here / "conf"))
    return run_on(scratch, overrides, does)


def pids(here: Path, value: float) -> dict[str, list[int]]:
    """The processes that trained the trial of this value, by the worker's rank, an entry an attempt."""
    found: dict[str, list[int]] = {"0": [], "1": []}
    for line in (here / "notes" / str(value)).read_text().splitlines():
        rank, pid = line.split()
        found[rank].append(int(pid))
    return found
