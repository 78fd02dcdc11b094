"""What a plan warns of: nothing that must fail, but likely not what was meant."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass

from raytune_nn.cluster.resources import total_memory
from raytune_nn.modes.preflight import Checked
from raytune_nn.search.asha import ASHA
from raytune_nn.search.pbt import PBT
from raytune_nn.study.disk import peak
from raytune_nn.study.forecast import Forecast
from raytune_nn.trial.dry_run import Findings

LIKELY = 0.5  # share of the simulated studies


@dataclass(frozen=True)
class Warned:
    """A rule that had better hold, the value that breaks it, and the override that mends it."""

    rule: str
    found: str
    fix: str


def warnings_of(checked: Checked, findings: Findings, told: Forecast | None, untimed: str) -> list[Warned]:
    """All of them, the most serious first."""
    found = [
        _not_finite(checked, findings),
        _memory(checked, findings),
        _disk(checked, findings),
        _budget(checked, told),
        _space(checked),
        _rungs(checked),
        _slots(checked),
        _unknown(findings, untimed),
    ]
    return [warned for warned in found if warned is not None]


def _not_finite(checked: Checked, findings: Findings) -> Warned | None:
    names = [goal.metric for goal in checked.plan.objective.goals]
    wrong = [name for name in names if not math.isfinite((findings.logged or {}).get(name, 0.0))]
    if not wrong:
        return None
    found = f"{wrong[0]}={(findings.logged or {})[wrong[0]]:g}"
    rate = checked.plan.settings.optimizer.get("lr")
    fix = f"optimizer.lr={rate / 10:g}" if isinstance(rate, float) else "a lower learning rate"
    return Warned("the objective should be finite after one batch", found, fix)


def _memory(checked: Checked, findings: Findings) -> Warned | None:
    """The peak of a process has the libraries in it, which forked slots share."""
    settings, slots = checked.plan.settings, min(checked.capacity.slots, checked.plan.num_trials)
    each, asked = findings.memory / 2**30, settings.resources.memory
    if asked is not None and each > asked:
        rule = "resources.memory should hold a trial"
        return Warned(rule, f"{asked:g} GiB, and it took {each:.1f} GiB", f"resources.memory={math.ceil(each)}")
    if checked.elsewhere or each * slots <= total_memory():
        return None
    fitting = max(1, int(total_memory() / each))
    return Warned(
        "the machine's memory should hold all trials that train at once",
        f"{slots} trials of {each:.1f} GiB, and {total_memory():.1f} GiB",
        f"cluster.cpus={fitting * settings.resources.cpus * settings.resources.workers:g}",
    )


def _disk(checked: Checked, findings: Findings) -> Warned | None:
    if findings.size is None or checked.folder.url or checked.elsewhere:
        return None
    needed = peak(checked.plan, checked.capacity.at_once, findings.size).total
    place = next(path for path in (checked.folder.path, *checked.folder.path.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed <= free:
        return None
    rule = "the disk of study.storage should hold what the study may need"
    return Warned(rule, f"{needed / 1e6:,.0f} MB at most, and {free / 1e6:,.0f} MB are free", "study.storage=…")


def _budget(checked: Checked, told: Forecast | None) -> Warned | None:
    if told is None:
        return None
    budget = checked.plan.settings.budget
    end, share = next(iter(told.ends.items()))
    if end not in ("budget.max_hours", "budget.max_gpu_hours", "budget.max_total_epochs") or share < LIKELY:
        return None
    limit = getattr(budget, end.partition(".")[2])
    return Warned(
        f"{end} should be enough for budget.num_trials",
        f"{end}={limit:g} ends about {100 * share:.0f}% of the simulated studies of {budget.num_trials} trials",
        f"{end}={2 * limit:g}, or a smaller budget.num_trials",
    )


def _space(checked: Checked) -> Warned | None:
    size, trials = checked.plan.space.size(), checked.plan.num_trials
    if checked.plan.settings.search is None or size is None or size >= trials:
        return None
    rule = "budget.num_trials should not be more than the points of the space, or some come twice"
    return Warned(rule, f"{trials} trials, {size} points", f"budget.num_trials={size}")


def _rungs(checked: Checked) -> Warned | None:
    scheduler, trials = checked.plan.scheduler, checked.plan.num_trials
    if isinstance(scheduler, PBT) and not scheduler.decision_steps:
        rule = "population-based training should have a decision before the end of a training"
        return Warned(rule, scheduler.describe(), "search.scheduler.interval=1, or a larger budget.max_epochs")
    if not isinstance(scheduler, ASHA):
        return None
    if not scheduler.decision_steps:
        rule = "a scheduler that ends trials early should have a rung below budget.max_epochs"
        found = f"rungs {', '.join(map(str, scheduler.rungs))}, budget.max_epochs={scheduler.rungs[-1]}"
        return Warned(rule, found, "search/scheduler=none, or a larger budget.max_epochs")
    factor = scheduler.reduction_factor
    if trials >= factor:
        return None
    rule = "there should be enough trials for one to be promoted from the first rung"
    return Warned(rule, f"budget.num_trials={trials}, reduction_factor={factor}", f"budget.num_trials={factor**2}")


def _slots(checked: Checked) -> Warned | None:
    slots, plan = checked.capacity.slots, checked.plan
    if plan.settings.search is None or plan.num_trials >= slots:
        return None
    rule = "there should be a trial for each slot"
    return Warned(rule, f"{plan.num_trials} trials, {slots} slots", f"budget.num_trials={slots}")


def _unknown(findings: Findings, untimed: str) -> Warned | None:
    """What is not known cannot be kept to."""
    why = untimed or findings.untimed
    if not why:
        return None
    fix = (
        "mode=plan on a machine with a GPU"
        if untimed
        else "a data loader with a length, such as by trainer.limit_train_batches=100"
    )
    return Warned("a plan should tell what the study takes", why, fix)
