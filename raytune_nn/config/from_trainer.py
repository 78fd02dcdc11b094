"""`${from_trainer:…}`: what a learning-rate schedule asks of the training, which is there only once it runs.

A configuration is resolved before its Trainer exists. So the interpolation resolves to a mark, and
`raytune_nn.trial.schedules` puts the number in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FROM_TRAINER = "from_trainer"
NAMES = ("total", "lr")


def from_trainer(name: str, share: Any = 1.0) -> dict[str, Any]:
    """The mark of a number that the training knows; it has a value inside of `lr_scheduler` only.

    ``${from_trainer:total}`` is how often the schedule is stepped in the whole training after its warm-up,
    ``${from_trainer:total,0.5}`` half of that, ``${from_trainer:total,[0.5,0.75]}`` a list of shares;
    ``${from_trainer:lr}`` is the rate of the optimizer, one for each group of parameters if there are several.

    Raises:
        ValueError: An unknown name, or a share that is none.
    """
    if name not in NAMES:
        raise ValueError(f"from_trainer knows {' and '.join(NAMES)}, but not {name!r}")
    many = isinstance(share, Sequence) and not isinstance(share, str)
    shares = list(share) if many else [share]
    for each in shares:
        if not isinstance(each, (int, float)) or not 0 < each <= 1:
            raise ValueError(f"0 < share <= 1 must hold, but got {each!r}")
    return {FROM_TRAINER: name, "share": shares if many else share}
