"""`${from_trainer:…}` resolves to a mark, and refuses what no training could answer."""

from __future__ import annotations

import pytest
from command_line import compose, refused

from raytune_nn.config.from_trainer import from_trainer

T_MAX = "lr_scheduler.scheduler.T_max"
pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize(
    ("typed", "mark"),
    [
        ("${from_trainer:total}", {"from_trainer": "total", "share": 1.0}),
        ("${from_trainer:total,0.5}", {"from_trainer": "total", "share": 0.5}),
        ("${from_trainer:total,[0.5,1]}", {"from_trainer": "total", "share": [0.5, 1]}),
        ("${from_trainer:lr}", {"from_trainer": "lr", "share": 1.0}),
    ],
)
def test_the_interpolation_stays_in_the_configuration(typed: str, mark: object) -> None:
    composed = compose("lr_scheduler=cosine", f"{T_MAX}={typed}")
    assert composed.settings.lr_scheduler["scheduler"]["T_max"] == mark
    kept = composed.config["lr_scheduler"]["scheduler"]["T_max"]
    assert kept.replace(" ", "") == typed


def test_an_unknown_name_is_refused() -> None:
    ran = refused("lr_scheduler=cosine", f"{T_MAX}=${{from_trainer:totl}}")
    assert "from_trainer knows total and lr, but not 'totl'" in ran.found


@pytest.mark.parametrize("share", [0, -0.5, 1.5, "half", [0.5, 2], None])
def test_a_share_is_part_of_the_training(share: object) -> None:
    with pytest.raises(ValueError, match="0 < share <= 1 must hold, but got"):
        from_trainer("total", share)
