"""A study that exists already: whether this command may go on with it, and how it gets back to where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.schema import Config, Resume
from raytune_nn.errors import ConfigError, StudyMismatchError
from raytune_nn.search.scheduler import GO_ON, Decision, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.budget import is_spent
from raytune_nn.study.failures import STOPPED

# What may differ between two commands on the same study.
CHANGEABLE = (
    *("budget.num_trials", "budget.max_hours", "budget.max_total_epochs", "budget.stagnation"),
    *("checkpoints", "cluster", "failures", "logger", "verbose", "mode", "study"),
    *("export", "plan", "reproduce", "confirm"),
)


def check_resume(folder: StudyFolder, settings: Config, config: Mapping[str, Any]) -> bool:
    """Whether a study stands here that this command goes on with.

    Raises:
        ConfigError: ``study.resume`` forbids what is found.
        StudyMismatchError: The study was made from another configuration; the message lists the differences.
    """
    resume = settings.study.resume
    exists = folder.exists and folder.status() != "invalid"
    if exists and resume is Resume.never:
        raise ConfigError(
            "study.resume=never wants a name that is free", f"{folder.place} exists", "study.name=another"
        )
    if not exists:
        if resume is Resume.must:
            raise ConfigError(
                "study.resume=must wants a study that exists",
                f"no study in {folder.place}",
                "study.resume=auto",
            )
        return False
    _refuse(folder.name, differences(stored_config(folder), config))
    return True


def check_branches(name: str, record: StudyRecord, branches: Mapping[str, Any]) -> None:
    """The same for the options of the groups that a space chooses from, which only the journal has.

    Raises:
        StudyMismatchError: An option composes to something else than when the study was made.
    """
    stored = {"branches": record.study.get("branches", branches)}
    now = {"branches": json.loads(json.dumps(branches))}  # as the journal would give it back
    _refuse(name, differences(stored, now))


def _refuse(name: str, differences: Iterable[str]) -> None:
    lines = list(differences)
    if lines:
        raise StudyMismatchError(
            f"study {name} exists and was made from another configuration",
            "\n         ".join(["", *lines]).rstrip(),
            "the same overrides, or another study.name",
        )


def stored_config(folder: StudyFolder) -> dict[str, Any]:
    """The configuration of an existing study.

    Raises:
        ConfigError: There is no study in the folder, or its configuration cannot be read.
    """
    if not folder.exists:
        raise ConfigError("there must be a study of this name", folder.place, "study.name=… study.storage=…")
    if not folder.config.is_file():
        raise ConfigError("a study must have its config.yaml", f"none in {folder.place}", "study.name=another")
    try:
        config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        found = f"{config!r:.60}"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        config, found = None, str(error).splitlines()[0]
    if not isinstance(config, dict):
        rule = "a study's config.yaml must be as it was written"
        raise ConfigError(rule, f"{folder.shown(folder.config)}: {found}", "restore it from a backup")
    return config


def differences(stored: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """One line a key that differs and may not, as ``path: stored -> now``."""
    for key in dict.fromkeys([*stored, *now]):
        path = f"{above}{key}"
        if path in CHANGEABLE:
            continue
        before, after = stored.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after, f"{path}.")
        elif before != after or (key in stored) != (key in now):
            shown = [repr(tree[key]) if key in tree else "absent" for tree in (stored, now)]
            yield f"{path}: {' -> '.join(shown)}"


def is_finished(record: StudyRecord, settings: Config) -> bool:
    """Whether nothing is left to do under these settings, which may ask for more than the study was made with."""
    if record.status not in ("complete", "failed") or not all(trial.ended for trial in record.trials.values()):
        return False
    if not record.reason or record.reason.startswith(STOPPED):  # the module may be mended
        return len(record.trials) >= settings.budget.num_trials
    return is_spent(record.reason, settings.budget)


def replay(
    events: Iterable[Event],
    record: StudyRecord,
    searcher: Searcher,
    scheduler: Scheduler,
    fidelity: Fidelity,
) -> dict[str, Verdict]:
    """Tells searcher and scheduler what happened, so that they go on as if never interrupted.

    Returns:
        The verdicts on trials that were to be stopped or paused when the driver died, and were not.
    """
    pending: dict[str, Verdict] = {}
    params: dict[str, Any] = {}  # of each trial by then
    again: set[str] = set()  # trained for their models alone: all that they report was told before
    for event in events:
        id, kind = event.get("trial", ""), event["type"]
        again |= {id} if kind == "reopened" else set()
        if id in again:
            continue
        if kind == "suggested":
            params[id] = event["params"]
            searcher.replay(int(id), event["params"])
            scheduler.on_start(id, event["params"])
        elif kind == "reported":
            pending[id] = _tell(event, record, searcher, scheduler, fidelity)
        elif kind == "decided" and event["decision"] == "pause":  # a stop is carried out by what follows it
            pending.pop(id, None)
            searcher.on_pause(id, params[id])
        elif kind == "resumed":
            params[id] = event["params"] or params[id]
            scheduler.next_to_run(event["new"])
        elif kind == "fell_back":
            params[id] = event["params"] or params[id]
            scheduler.on_fall_back(id, event["epoch"])
        elif kind == "ended":
            trial = record.trials[id]
            scheduler.on_end(id, trial.state == "complete")
            searcher.on_end(id, trial.params, record.final_score(trial), trial.state)
            pending.pop(id, None)
    return {id: verdict for id, verdict in pending.items() if verdict.decision is not Decision.CONTINUE}


def _tell(event: Event, record: StudyRecord, searcher: Searcher, scheduler: Scheduler, fidelity: Fidelity) -> Verdict:
    score, reached = record.score(event["metrics"]), fidelity.reached(event)
    if score is None or reached is None:
        return GO_ON
    searcher.on_report(event["trial"], reached, score)
    return scheduler.on_report(event["trial"], reached, score)
