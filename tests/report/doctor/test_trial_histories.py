"""Histories gathered from events: resumed, copied, retried and long ones."""

from __future__ import annotations

import math
from typing import Any

from histories import ACCURACY, CONFIG

from raytune_nn.report.doctor.history import Histories, History

BRANCHES = {"optimizer": {"sgd": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.0}}}


class Told:
    """Histories that hear of trials report by report."""

    def __init__(self) -> None:
        self.all = Histories(ACCURACY, CONFIG)
        self.tell("opened", branches=BRANCHES)

    def tell(self, type: str, **fields: Any) -> None:
        self.all.heard({"type": type, "time": 0.0, **fields})

    def train(self, trial: str, *values: float, begin: int = 0, **params: Any) -> History:
        if trial not in list(self.all):
            self.tell("suggested", trial=trial, params=params)
        self.tell("started", trial=trial, slot=0, epoch=begin)
        for epoch, value in enumerate(values, start=begin + 1):
            self.tell("reported", trial=trial, epoch=epoch, metrics={"val_acc": value}, saved=epoch % 2 == 0)
        return self.all.history(trial)


def test_series_are_as_long_as_the_reports() -> None:
    told = Told()
    told.tell("suggested", trial="0", params={})
    told.tell("reported", trial="0", epoch=1, metrics={"val_acc": 0.5})
    told.tell("reported", trial="0", epoch=2, metrics={"val_acc": 0.6, "val_loss": 0.4})
    history = told.all.history("0")
    assert (history.epochs, history.curve, history.value) == ((1, 2), (0.5, 0.6), 0.6)
    assert math.isnan(history.series["val_loss"][0])
    assert history.series["val_loss"][1] == 0.4
    assert (history.max_epochs, history.probed) == (10, False)


def test_sampled_values_are_in_the_configuration() -> None:
    params: dict[str, Any] = {"optimizer": "sgd", "optimizer.momentum": 0.9, "model.net.width": 8}
    history = Told().train("0", 0.5, **params)
    assert history.setting("optimizer") == {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9}
    assert history.setting("model.net.width") == 8
    assert history.setting("model.net.missing") is None
    assert CONFIG["model"]["net"]["width"] == 128


def test_a_trial_that_was_lost_begins_where_its_state_is() -> None:
    told = Told()
    told.train("0", 0.1, 0.2, 0.3)
    assert told.train("0", 0.35, begin=2).curve == (0.1, 0.2, 0.35)
    assert told.train("0", 0.5).curve == (0.5,)


def test_a_copy_has_the_history_of_the_weights_that_it_took() -> None:
    told = Told()
    told.train("0", 0.1, 0.2, 0.3)
    told.train("1", 0.6, 0.7, 0.8)
    told.tell("resumed", trial="0", source="1", params={"optimizer.lr": 0.5}, new=False)
    history = told.train("0", 0.9, begin=2)
    assert (history.epochs, history.curve) == ((1, 2, 3), (0.6, 0.7, 0.9))
    assert history.setting("optimizer.lr") == 0.5
    assert told.all.history("1").curve == (0.6, 0.7, 0.8)


def test_states_are_those_of_the_journal() -> None:
    told = Told()
    assert told.train("0", 0.1).state == "running"
    told.tell("decided", trial="0", decision="pause", reason="so")
    assert told.all.history("0").state == "paused"
    told.tell("ended", trial="0", state="diverged")
    assert told.all.history("0").state == "diverged"
