"""Types, meaning and units of every key; the values stand in ``conf/``.

Fields have no defaults on purpose: ``conf/config.yaml`` is the one place where a value is set, and a key that is
missing there is reported as missing; only ``search`` may leave keys out. Groups whose keys belong to somebody else's
class (``model``, ``data``, …) are plain mappings; ``trial/targets.py`` checks them against the class they name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING


class Mode(Enum):
    """What the command does."""

    run = "run"
    plan = "plan"
    report = "report"
    doctor = "doctor"
    reproduce = "reproduce"
    confirm = "confirm"
    lr_range = "lr_range"
    submit = "submit"
    export = "export"
    list = "list"
    stop = "stop"


class Resume(Enum):
    """What to do with a study of this name that exists already."""

    auto = "auto"  # resume an unfinished one, show a finished one
    never = "never"  # refuse
    must = "must"  # refuse where there is none


class Take(Enum):
    """Which report is a trial's value."""

    best = "best"
    last = "last"


class KeepStates(Enum):
    """Which training states stay for good; while a trial may go on, its last one is there in any case."""

    none = "none"
    last = "last"  # of each trial
    rungs = "rungs"  # each that was saved where the scheduler may pause a trial


@dataclass
class StudyConfig:
    """Where a study lives and what to do with one that exists."""

    name: str | None = MISSING  # folder under `storage`; null: a timestamp with the choices in it
    storage: str = MISSING  # folder that holds studies, or s3://bucket/prefix or gs://bucket/prefix
    resume: Resume = MISSING
    trial: str | None = MISSING  # that mode=reproduce repeats (null: the best), mode=stop ends or mode=doctor examines
    cache: list[str] = MISSING  # folders of earlier studies, or storages of them, whose trials need no training again


@dataclass
class ObjectiveConfig:
    """What is optimised."""

    metric: Any = MISSING  # name that the module logs; a list of names: a Pareto front, the first says what is best
    mode: Any = MISSING  # max or min; a list: one for each metric
    take: Take = MISSING  # of a trial's reports, the best by the first metric; with folds, of each fold's
    folds: int | None = MISSING  # cross-validation: trainings a trial, whose mean is its value; null: one


@dataclass
class BudgetConfig:
    """What ends a study, whichever comes first; null: no such limit."""

    num_trials: int = MISSING  # trials
    max_epochs: int = MISSING  # epochs a trial; with objective.folds, a fold
    max_hours: float | None = MISSING  # wall hours of the study
    max_gpu_hours: float | None = MISSING  # hours x GPUs, summed over trials
    max_total_epochs: int | None = MISSING  # epochs trained, all trials together, also those trained again after a loss
    stagnation: int | None = MISSING  # trials in a row that ended or paused without improving on the best (or front)
    target: float | None = MISSING  # objective value that is good enough; null where there are several


class Placement(Enum):
    """On which nodes the workers of a trial are; where there is no room for that, they are on others."""

    pack = "pack"  # on as few as possible: they talk to each other in every step
    spread = "spread"  # on as many as possible: each has more of its node's memory and disk


@dataclass
class ResourcesConfig:
    """What one worker of a trial occupies."""

    cpus: float = MISSING  # cores; threads follow them
    gpus: float = MISSING  # a fraction: several trials share one GPU, and this is a trial's part of its memory
    memory: float | None = MISSING  # GiB; null: not accounted for
    workers: int = MISSING  # a trial: processes that train one model on different rows; batch sizes are a worker's
    placement: Placement = MISSING  # of these workers


@dataclass
class ClusterConfig:
    """The cluster as a whole; null: whatever is found."""

    cpus: float | None = MISSING  # cores that the study may use
    gpus: float | None = MISSING
    address: str | None = MISSING  # <host>:<port> or auto: one that runs already; null: a private one on this machine
    report_every: float = MISSING  # seconds: reports of a slot that need no answer go out together
    grace_seconds: float = MISSING  # after a SIGTERM or Ctrl-C, for running trials to save their states; 0: none
    min_nodes: int | None = MISSING  # that can hold a worker of a trial: a study waits for so many; null: for none
    wait_minutes: float = MISSING  # for min_nodes, and for room for a first trial where max_slots is given
    max_slots: int | None = MISSING  # trials at once: those that do not fit yet wait for an autoscaler; null: what fits


@dataclass
class FailuresConfig:
    """What happens when a trial fails."""

    max_retries: int = MISSING  # times that a trial is tried again after its process was lost
    retry_exceptions: bool = MISSING  # whether after an exception as well, which the same training mostly raises again
    no_report_timeout: float | None = MISSING  # seconds without a finished batch: its process is lost; null: no limit
    storage_timeout: float = MISSING  # seconds for which a storage that refuses is tried again; 0: no second time
    stop_after: int | None = MISSING  # first trials that all fail the same way end the study; null: it goes on


@dataclass
class CheckpointsConfig:
    """What is saved of trainings beside the best model, and what stays."""

    every_minutes: float | None = MISSING  # of a trial's training between two safety copies of its state; null: none
    keep_best: int = MISSING  # models of so many trials stay; with several objectives those of the Pareto front
    keep_states: KeepStates = MISSING
    min_free: float = MISSING  # MB on the study's disk, below which no trial begins; running ones go on


@dataclass
class ParamGroupsConfig:
    """How the configured optimizer treats groups of parameters."""

    decay_norms_and_biases: bool = MISSING  # false: weight decay on matrices and kernels only
    layer_decay: float = MISSING  # learning rate of a layer is that of the layer above times this; 1: all alike


@dataclass
class LrRangeConfig:
    """The learning-rate range test of mode=lr_range."""

    low: float = MISSING  # rate of the first step
    high: float = MISSING  # rate of the last step, unless the loss diverges before
    steps: int = MISSING  # optimizer steps


@dataclass
class PlanConfig:
    """What mode=plan makes of what it finds."""

    strict: bool = MISSING  # whether a warning fails the plan, with exit code 2


@dataclass
class SecurityConfig:
    """Exceptions from the rule that a `_target_` must be of its group's kind."""

    allow_targets: list[str] = MISSING  # full dotted names


@dataclass
class SearchConfig:
    """How trials are proposed and cut short."""

    searcher: dict[str, Any] = MISSING
    scheduler: dict[str, Any] = MISSING
    points: list[Any] = field(default_factory=list)  # to try first, each a mapping from paths to values
    warm_start: str | None = None  # folder of an earlier study over the same space, to learn from
    fidelity: str = "epoch"  # what the scheduler counts: epoch, step (optimizer), or a metric that the module logs


@dataclass
class ReproduceConfig:
    """How mode=reproduce compares."""

    tolerance: float = MISSING  # share of each metric, where a GPU or another kind of machine decides the last bits


@dataclass
class ConfirmConfig:
    """What mode=confirm trains, and how it compares."""

    top: int = MISSING  # configurations: the best of the study, or of its Pareto front
    seeds: int = MISSING  # trainings of each, all on the same seeds
    confidence: float = MISSING  # of the intervals; 1 minus it is the level of the tests
    again: bool = MISSING  # whether to open the test data once more, for other configurations or seeds


class ExportTo(Enum):
    """What mode=export writes."""

    optuna = "optuna"  # a database that Optuna and optuna-dashboard open
    parquet = "parquet"  # trials.parquet and results.parquet in the study's folder
    csv = "csv"  # trials.csv and results.csv there


@dataclass
class ExportConfig:
    """What mode=export writes, and where."""

    to: ExportTo = MISSING
    url: str | None = MISSING  # of the database, as SQLAlchemy reads it; null: optuna.db in the study's folder


@dataclass
class Config:
    """The root: an unknown key is refused."""

    mode: Mode = MISSING
    seed: int = MISSING  # initial weights, shuffling and sampling
    verbose: int = MISSING  # 0 the result only, 1 progress, 2 the libraries' own output
    study: StudyConfig = MISSING
    objective: ObjectiveConfig = MISSING
    budget: BudgetConfig = MISSING
    resources: ResourcesConfig = MISSING
    cluster: ClusterConfig = MISSING
    failures: FailuresConfig = MISSING
    checkpoints: CheckpointsConfig = MISSING
    plan: PlanConfig = MISSING
    security: SecurityConfig = MISSING
    model: dict[str, Any] = MISSING
    data: dict[str, Any] = MISSING
    init: dict[str, Any] = MISSING  # a function over the model; without `_target_` its own initial weights stay
    model_weights: str | None = MISSING  # file of a checkpoint or state dict to start from
    model_weights_strict: bool = MISSING  # whether its names must be the model's, one for one
    optimizer: dict[str, Any] = MISSING
    param_groups: ParamGroupsConfig = MISSING
    lr_scheduler: dict[str, Any] = MISSING
    lr_range: LrRangeConfig = MISSING
    reproduce: ReproduceConfig = MISSING
    confirm: ConfirmConfig = MISSING
    export: ExportConfig = MISSING
    callbacks: dict[str, Any] = MISSING  # name -> callback; null leaves one out
    logger: dict[str, Any] = MISSING  # beside TensorBoard; without `_target_` there is none
    trainer: dict[str, Any] = MISSING
    search: SearchConfig | None = None  # set by +search=…; null: a single training
    search_space: dict[str, Any] = MISSING
