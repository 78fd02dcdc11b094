"""How often the doctor is right: trainings with one fault each, healthy ones, and what its probes cost.

    .venv/bin/python scripts/bench/doctor.py [--seeds 20] [--first-seed 41] [--recipe-seeds 2]
        [--kinds "few rows,healthy"] [--studies 10] [--epochs 500]

Prints Markdown tables. The faults, and what else may rightly be said of each, stand in ``doctor_kinds.py``. The rules'
thresholds were set on the perceptron alone, but for what ``doctor_kinds.py`` says was changed after a look: the figures
that count are the convolutional and the recurrent network's.
A kind's precision is the share of right ones among the trainings of which it was said; what may be said beside a fault
counts neither way. Trainings run two at a time on one thread each, but for those that are timed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import doctor_cost
import doctor_studies
from doctor_kinds import FAULTS, NETWORKS, Fault
from recipes import RECIPES
from timings import SHARED, judged

from raytune_nn.report.doctor.diagnose import diagnose_trial
from raytune_nn.report.doctor.finding import Kind

UNSEEN = NETWORKS[1:]  # on which no threshold was set
AIM, MOST_ALARMS = 0.9, 0.05


@dataclass(frozen=True)
class Job:
    """One training."""

    network: str  # or recipe
    fault: str
    seed: int
    typed: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """What the doctor said of a training."""

    job: Job
    kinds: frozenset[Kind]


def main() -> None:
    """Trains, diagnoses, times, and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20, help="of each fault and network; 0: none")
    parser.add_argument("--first-seed", type=int, default=41, help="those before it were seen when rules were made")
    parser.add_argument("--recipe-seeds", type=int, default=2, help="of each recipe; 0: none")
    parser.add_argument("--kinds", default=",".join(FAULTS), help="faults, by their names")
    parser.add_argument("--studies", type=int, default=10, help="for parameters at their bounds; 0: none")
    parser.add_argument("--epochs", type=int, default=500, help="that are timed; 0: none")
    options = parser.parse_args()
    parts = []
    if options.seeds:
        said = diagnosed(
            fault_jobs(options.kinds.split(","), range(options.first_seed, options.first_seed + options.seeds))
        )
        parts += [kinds_table(said), faults_table(said), healthy_table(said, "network", "Healthy trainings")]
    if options.recipe_seeds:
        said = diagnosed(recipe_jobs(range(options.first_seed, options.first_seed + options.recipe_seeds)))
        parts.append(healthy_table(said, "recipe", "The recipes' own trainings"))
    if options.studies:
        parts.append(doctor_studies.table(options.studies, AIM, MOST_ALARMS))
    if options.epochs:
        parts.append(doctor_cost.table(options.epochs))
    print("\n\n".join(part for part in parts if part))


def fault_jobs(faults: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """Each fault in each network with each seed."""
    return [
        Job(network, fault, seed, tuple(FAULTS[fault].typed(network)))
        for network in NETWORKS
        for fault in faults
        for seed in seeds
    ]


def recipe_jobs(seeds: Sequence[int]) -> list[Job]:
    """The recipes as they come, with probes; those whose data are there."""
    jobs = []
    for name, files in {**{name: recipe.files for name, recipe in RECIPES.items()}, **_OWN}.items():
        if all((SHARED / "data" / file).exists() for file in files.values()):
            data = [f"{key}={SHARED / 'data' / file}" for key, file in files.items()]
            more = RECIPES[name].overrides if name in RECIPES else ()
            typed = (f"+experiment={name}", *data, *more, *_CHANGES.get(name, ("callbacks=probes",)))
            jobs += [Job(name, "healthy", seed, typed) for seed in seeds]
    return jobs


_CHANGES = {"mnist": ("callbacks=[augment,probes]", "data.train_fraction=0.25")}  # its own callback stays; 6 s an epoch
_OWN: Mapping[str, Mapping[str, str]] = {"digits_cnn": {}, "digits_vae": {}}  # of the data that come along


def diagnosed(jobs: Sequence[Job]) -> list[Said]:
    """Trains them all in two processes, and asks the doctor."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_diagnose, jobs))


def _diagnose(job: Job) -> Said:
    from doctor_training import train

    history, _ = train(job.typed, job.seed)
    return Said(job, frozenset(finding.kind for finding in diagnose_trial(history)))


def kinds_table(said: Sequence[Said]) -> str:
    """Precision and recall, kind by kind."""
    title = f"Faults: {len(UNSEEN)} networks on which no threshold was set, and the one on which all were"
    head = ["kind", "trainings with it", *(f"recall, {name}" for name in NETWORKS), *_UNSEEN_HEAD]
    rows = []
    for kind in [kind for kind in Kind if any(FAULTS[one.job.fault].kind is kind for one in said)]:
        unseen = [one for one in said if one.job.network in UNSEEN]
        right = _right(unseen, kind)
        recalls = [_shown(_recall(said, kind, (name,))) for name in NETWORKS]
        cells = [_cell(_recall(said, kind, UNSEEN)), _cell(_share(right, kind))]
        rows.append([str(kind), str(sum(_expects(one, kind) for one in unseen)), *recalls, *cells])
    return markdown(title, head, rows)


_UNSEEN_HEAD = ("recall, CNN and LSTM (≥ 0.9)", "precision, CNN and LSTM (≥ 0.9)")


def faults_table(said: Sequence[Said]) -> str:
    """What was said, fault by fault: shows where it goes wrong."""
    rows = []
    for name, fault in FAULTS.items():
        of_fault = [one for one in said if one.job.fault == name and one.job.network in UNSEEN]
        if fault.kind is not None and of_fault:
            found = sum(fault.kind in one.kinds for one in of_fault)
            rows.append([name, str(fault.kind), f"{found}/{len(of_fault)}", _besides(of_fault, fault)])
    return markdown("Fault by fault, CNN and LSTM", ["fault", "kind", "named", "wrongly named besides"], rows)


def _besides(said: Iterable[Said], fault: Fault) -> str:
    wrong: dict[Kind, int] = {}
    for one in said:
        for kind in one.kinds - fault.also - {fault.kind}:
            wrong[kind] = wrong.get(kind, 0) + 1
    return ", ".join(f"{kind} {count}" for kind, count in sorted(wrong.items())) or "-"


def healthy_table(said: Sequence[Said], what: str, title: str) -> str:
    """False alarms."""
    healthy = [one for one in said if one.job.fault == "healthy"]
    if not healthy:
        return ""
    rows = []
    for name in dict.fromkeys(one.job.network for one in healthy):
        of_name = [one for one in healthy if one.job.network == name]
        alarms = sum(bool(one.kinds) for one in of_name)
        rows.append([name, f"{alarms}/{len(of_name)}", _besides(of_name, FAULTS["healthy"])])
    alarms = sum(bool(one.kinds) for one in healthy)
    total = f"{alarms}/{len(healthy)} = {alarms / len(healthy):.0%}"
    rows.append(["all", judged(total, alarms <= MOST_ALARMS * len(healthy)), f"aim: ≤ {MOST_ALARMS:.0%}"])
    return markdown(title, [what, "false alarms", "of what"], rows)


def _expects(one: Said, kind: Kind) -> bool:
    return FAULTS[one.job.fault].kind is kind


def _right(said: Iterable[Said], kind: Kind) -> list[tuple[bool, bool]]:
    """Of the trainings of which a kind was said, and may not as well have been: whether that was right."""
    return [(kind in one.kinds, _expects(one, kind)) for one in said if kind not in FAULTS[one.job.fault].also]


def _share(pairs: Iterable[tuple[bool, bool]], kind: Kind) -> float | None:
    named = [right for said, right in pairs if said]
    return statistics.mean(named) if named else None


def _recall(said: Iterable[Said], kind: Kind, networks: Sequence[str]) -> float | None:
    of_kind = [kind in one.kinds for one in said if _expects(one, kind) and one.job.network in networks]
    return statistics.mean(of_kind) if of_kind else None


def _shown(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def _cell(share: float | None) -> str:
    return judged(_shown(share), share is not None and share >= AIM)


def markdown(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table below its title."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in lines)])


if __name__ == "__main__":
    main()
