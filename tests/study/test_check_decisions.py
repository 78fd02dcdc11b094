"""What a scheduler may ask of the trials: to come to its rungs, to pause there, and to count what it counts."""

from __future__ import annotations

import shlex

import pytest
from command_line import inside, refused

from raytune_nn.modes.preflight import Checked, preflight

pytestmark = pytest.mark.usefixtures("here")

WITHIN = "where trials pause, each must validate at the ends of epochs only"
BEYOND = "the scheduler must decide within the epochs of a trial"
UNIT = "the scheduler counts in that unit, and so do its arguments"
IN_STEPS = "search.fidelity=step search.scheduler.max_epochs=400"
SPACE = "+trainer.val_check_interval=1.0 '+search_space.trainer.val_check_interval=\"choice(0.5, 1.0)\"'"


@pytest.mark.parametrize(
    ("command", "rule", "found", "fix"),
    [
        (
            "+search=asha +trainer.val_check_interval=0.5",
            WITHIN,
            "trainer.val_check_interval=0.5, and ASHA pauses trials",
            "trainer.val_check_interval=1.0, or search.scheduler.promote=false",
        ),
        (
            "+search=asha +trainer.val_check_interval=1",
            WITHIN,
            "trainer.val_check_interval=1, and ASHA pauses trials",
            "trainer.val_check_interval=1.0, or search.scheduler.promote=false",
        ),
        (
            "+search=pbt +trainer.val_check_interval=0.5",
            WITHIN,
            "trainer.val_check_interval=0.5, and PBT pauses trials",
            "trainer.val_check_interval=1.0, or search/scheduler=asha search.scheduler.promote=false",
        ),
        (
            f"+search=asha {SPACE}",
            WITHIN,
            "trainer.val_check_interval=0.5, and ASHA pauses trials",
            "~search_space.trainer.val_check_interval, or search.scheduler.promote=false",
        ),
        (
            "+search=asha '+search_space.trainer={choose: {cpu: {}, default: {}}}' +trainer.val_check_interval=0.5",
            WITHIN,
            "trainer.val_check_interval=0.5, and ASHA pauses trials",
            "trainer.val_check_interval=1.0, or search.scheduler.promote=false",
        ),
        (
            "+search=asha search.scheduler.max_epochs=81",
            BEYOND,
            "it decides at 1, 3, 9, 27, 81, and a trial has 27 epochs",
            "budget.max_epochs=81",
        ),
        (
            "+search=asha objective.folds=5 search.scheduler.grace_period=27 search.scheduler.max_epochs=300",
            BEYOND,
            "it decides at 27, 81, 243, and a trial has 135 epochs",
            "budget.max_epochs=49",
        ),
        (
            "+search=pbt search.scheduler.max_epochs=41 search.scheduler.interval=10",
            BEYOND,
            "it decides at 10, 20, 30, 40, and a trial has 27 epochs",
            "budget.max_epochs=40",
        ),
        (
            "+search=asha search.fidelity=step",
            UNIT,
            "search.scheduler.max_epochs, search.scheduler.grace_period in epochs",
            "search.scheduler.max_epochs=… search.scheduler.grace_period=…",
        ),
        (
            "+search=asha search.fidelity=step search.scheduler.grace_period=100",
            UNIT,
            "search.scheduler.max_epochs in epochs",
            "search.scheduler.max_epochs=…",
        ),
        ("+search=pb2 search.fidelity=samples", UNIT, "search.scheduler.max_epochs in epochs", None),
        (
            f"+search=asha {IN_STEPS} search.scheduler.grace_period=20 objective.folds=3",
            "with objective.folds only epochs are counted from fold to fold",
            "search.fidelity=step, objective.folds=3",
            "objective.folds=null, or search.fidelity=epoch",
        ),
        (
            "+search=random search/scheduler=median search.fidelity=step",
            "MedianStopping goes by the epochs that trials have in common",
            "search.fidelity=step",
            "search.fidelity=epoch",
        ),
        (
            "+search=asha 'search.fidelity=\"\"'",
            "search.fidelity must be epoch, step or",
            "''",
            "search.fidelity=epoch",
        ),
    ],
)
def test_what_trials_cannot_do_is_refused(command: str, rule: str, found: str, fix: str | None) -> None:
    ran = refused(*shlex.split(command), task=preflight)
    assert rule in ran.rule
    assert ran.found == found
    assert ran.fix == fix or fix is None


@pytest.mark.parametrize(
    "command",
    [
        "+search=asha +trainer.val_check_interval=1.0",
        "+search=asha +trainer.val_check_interval=null",
        "+search=asha search.scheduler.promote=false +trainer.val_check_interval=0.5",
        "+search=asha objective.folds=3 +trainer.val_check_interval=0.5",
        f"+search=asha {SPACE.replace('0.5, ', '')}",
        "+search=asha search.scheduler.max_epochs=9",
        "+search=asha trainer.check_val_every_n_epoch=4",
        "+search=random search/scheduler=patience search.fidelity=samples",
        f"+search=asha {IN_STEPS} search.scheduler.grace_period=20",
        f"+search=pbt {IN_STEPS} search.scheduler.interval=50",
    ],
)
def test_the_rest_is_accepted(command: str) -> None:
    assert inside(preflight, *shlex.split(command))


def test_the_slots_are_told_what_is_counted() -> None:
    def told(*command: str) -> tuple[str, tuple[int, ...] | None]:
        checked: Checked = inside(preflight, *command)
        context = checked.plan.context(checked.folder)
        return context.fidelity.name, context.waits_at

    assert told() == ("epoch", ())
    assert told("+search=asha") == ("epoch", (1, 3, 9))
    command = ("+search=asha", *IN_STEPS.split(), "search.scheduler.grace_period=20")
    assert told(*command) == ("step", (20, 60, 180))
