"""A dry run: what a study would do, tried on a few of its configurations in processes of their own.

``mode=plan`` asks ``python -m raytune_nn.trial.dry_run`` for it, which imports what the user's code needs, answers on
its standard output, a line of JSON at a time, and leaves nothing. What it does is in ``trial/dry_run_work.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from raytune_nn.config.compose import type_config
from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import read_objective
from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.space.corners import Corner
from raytune_nn.space.parse import parse_space
from raytune_nn.trial.targets import TargetCheck, as_plain, import_ends_process
from raytune_nn.trial.task import Size, StudyContext

Params = dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """What one configuration's training takes, beside others.

    Args:
        params: Its sampled values.
        start: Seconds from the beginning of the trial to its first batch, and what the first epoch takes longer.
        epoch: Seconds of an epoch with its validation, and its report.
        reached: What an epoch adds to the study's fidelity.
        score: Of its first epoch, in the direction of the objective; None: not known, or not finite.
    """

    params: Params
    start: float
    epoch: float
    reached: float
    score: float | None = None


@dataclass(frozen=True)
class Findings:
    """What a dry run has found.

    Args:
        size: Of checkpoints; None: not known.
        corners: That were built.
        batches: Of training and of validation in an epoch of a sampled configuration; None: not known.
        memory: Peak of a process that trains, in bytes; 0: not known.
        gpu_memory: The same of a GPU.
        timings: Of sampled configurations.
        untimed: Why there are none; empty where there are.
        imports: Seconds that the libraries took to import.
        logged: What the module logged in its first epoch; None: nothing was trained.
    """

    size: Size | None = None
    corners: int = 0
    batches: tuple[float, float] | None = None
    memory: int = 0
    gpu_memory: int = 0
    timings: Sequence[Timing] = ()
    untimed: str = ""
    imports: float = 0.0
    logged: dict[str, float] | None = None


@dataclass(frozen=True)
class DryRun:
    """What is to be tried.

    Args:
        check: Stage B of preflight, which comes first.
        study: What trials are told, for a folder that is not used.
        middle: The sampled configuration of which a batch is trained.
        corners: To be built.
        timed: Configurations to be timed, the most important first; none: nothing is timed.
        processes: That train at once.
    """

    check: TargetCheck
    study: StudyContext
    middle: Params
    corners: Sequence[Corner] = ()
    timed: Sequence[Params] = ()
    processes: int = 1

    def run_apart(self, told: Callable[[str], None] = lambda text: None) -> Findings:
        """Tries all of it in processes that end with it.

        Args:
            told: Hears what is being done.

        Raises:
            ConfigError: The first thing that a study would fail with.
        """
        with tempfile.TemporaryFile("w+") as request, tempfile.TemporaryFile() as errors:
            json.dump(self._plain(), request)
            request.seek(0)
            command = [sys.executable, "-m", __name__]
            answer: dict[str, Any] = {}
            with subprocess.Popen(command, stdin=request, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
                for line in process.stdout or ():
                    answer = json.loads(line)
                    told(answer.get("doing", ""))
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip()[-2000:]
        if process.returncode != 0 or "refusal" not in answer:
            raise import_ends_process(f"exit code {process.returncode}: {last}")
        if answer["refusal"] is not None:
            raise ConfigError(*answer["refusal"])
        return _findings(answer["findings"])

    def _plain(self) -> dict[str, Any]:
        made = {"objective": None, "space": self.study.space.to_mapping(), "fidelity": self.study.fidelity.name}
        study = {field.name: getattr(self.study, field.name) for field in fields(self.study)} | made
        check = {field: list(value) for field, value in vars(self.check).items()}
        return {**vars(self), "check": check, "study": study, "corners": [asdict(corner) for corner in self.corners]}


def _request(plain: dict[str, Any]) -> DryRun:
    study = plain["study"]
    made = {
        "objective": read_objective(type_config(study["config"]).settings.objective),
        "space": parse_space(study["space"]),
        "fidelity": Fidelity(study["fidelity"]),
    }
    corners = [Corner(**corner) for corner in plain["corners"]]
    return DryRun(
        **{**plain, "check": TargetCheck(**plain["check"]), "study": StudyContext(**study | made), "corners": corners}
    )


def _findings(plain: dict[str, Any]) -> Findings:
    size, batches = plain["size"], plain["batches"]
    return Findings(
        **{
            **plain,
            "size": None if size is None else Size(**size),
            "batches": None if batches is None else tuple(batches),
            "timings": [Timing(**timing) for timing in plain["timings"]],
        }
    )


def _answer() -> None:
    plain = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # the user's modules may print on import, and their threads later
    with os.fdopen(answers, "w", buffering=1) as file:

        def tell(doing: str) -> None:
            file.write(json.dumps({"doing": doing}) + "\n")

        try:
            from raytune_nn.trial.dry_run_work import carry_out

            found = carry_out(_request(plain), tell)
            answer: dict[str, Any] = {"refusal": None, "findings": asdict(found)}
        except RaytuneError as error:
            answer = {"refusal": as_plain(error), "findings": None}
        file.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    _answer()
    os._exit(0)  # or Python takes apart all that was imported, for a second
