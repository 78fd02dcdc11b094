"""What a study of several workers a trial may ask for."""

from __future__ import annotations

import pytest
from command_line import inside, refused

from raytune_nn.modes.preflight import preflight

TWO = ("resources.workers=2", "cluster.cpus=2")


@pytest.mark.usefixtures("here")
def test_a_study_of_several_workers_a_trial_is_accepted() -> None:
    for strategy in ("ddp", "fsdp", "ddp_find_unused_parameters_true"):
        checked = inside(preflight, "+search=asha", *TWO, f"trainer.strategy={strategy}")
        assert checked.capacity.slots == 1


@pytest.mark.parametrize(
    ("arguments", "found", "fix"),
    [
        ((), "resources.workers=2", "+search=random budget.num_trials=1"),
        (("+search=random", "objective.folds=3"), "objective.folds=3, resources.workers=2", "resources.workers=1"),
        (("+search=random", "trainer.strategy=deepspeed"), "trainer.strategy=deepspeed", "trainer.strategy=ddp"),
        (
            ("+search=random", "trainer.devices=2"),
            "trainer.devices=2, resources.workers=2",
            "trainer.devices=1",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_several_workers_cannot_do_is_refused(arguments: tuple[str, ...], found: str, fix: str) -> None:
    ran = refused(*arguments, *TWO, task=preflight)
    assert (ran.found, ran.fix) == (found, fix)


@pytest.mark.usefixtures("here")
def test_one_worker_has_nobody_to_share_its_weights_with() -> None:
    for command in ((), ("+search=asha",)):
        ran = refused(*command, "trainer=fsdp", task=preflight)
        assert (ran.found, ran.fix) == ("resources.workers=1", "resources.workers=2")


@pytest.mark.usefixtures("here")
def test_the_rate_is_tested_by_one_worker() -> None:
    ran = refused("mode=lr_range", *TWO, task=preflight)
    assert ran.fix == "resources.workers=1"
