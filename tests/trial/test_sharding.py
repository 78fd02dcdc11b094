"""What needs whole weights on each worker is told before the first trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from put_back import isolation_undone
from rehearsal_parts import chosen, digits, refused
from trial_parts import base_config

from raytune_nn.trial.rehearsal import rehearse

LBFGS = {"_target_": "torch.optim.LBFGS", "lr": 1.0}


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def sharded(**changes: Any) -> dict[str, Any]:
    base = base_config()
    parts = {"trainer": {**base["trainer"], "strategy": "fsdp"}, "resources": {**base["resources"], "workers": 2}}
    return digits(**parts, **changes)


def test_a_network_with_blocks_and_their_norms_can_be_sharded() -> None:
    rehearse([sharded(callbacks=chosen("Freeze", names="net.*.0"))])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"optimizer": LBFGS}, "LBFGS, which multiplies whole gradients"),
        ({"callbacks": chosen("StochasticWeightAveraging")}, "StochasticWeightAveraging"),
        ({"callbacks": chosen("GradientNoise")}, "GradientNoise"),
        ({"callbacks": chosen("Freeze", names="net.*.0", unfreeze_epoch=1)}, "Freeze with unfreeze_epoch"),
    ],
)
def test_what_cannot_is_named(changes: dict[str, Any], found: str) -> None:
    assert refused(sharded(**changes))[1:] == (found, "trainer.strategy=ddp")
    rehearse([digits(**changes)])
