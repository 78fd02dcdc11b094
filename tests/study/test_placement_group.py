"""What a trial asks Ray for."""

from __future__ import annotations

import pytest

from raytune_nn.config.schema import Placement, ResourcesConfig
from raytune_nn.study.tuner import _placement
from raytune_nn.trial.task import TrialTask


@pytest.mark.parametrize(("placement", "strategy"), [(Placement.pack, "PACK"), (Placement.spread, "SPREAD")])
def test_a_bundle_a_worker_near_each_other_or_apart(placement: Placement, strategy: str) -> None:
    resources = ResourcesConfig(cpus=2, gpus=1, memory=None, workers=3, placement=placement)
    group = _placement(resources, TrialTask("0", {}, ()))
    assert group.bundles == [{"CPU": 2.0, "GPU": 1.0}] * 3
    assert group.strategy == strategy
