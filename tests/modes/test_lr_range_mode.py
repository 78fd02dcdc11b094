"""`mode=lr_range` draws the loss over the rate, and says which rates to search and how."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from command_line import Ran, compose, run

from raytune_nn.modes.lr_range import next_command

pytestmark = pytest.mark.usefixtures("here", "checked_here")

QUICK = ("trainer=cpu", "lr_range.steps=60", "lr_range.low=1e-5")


def range_test(*arguments: str) -> Ran:
    return run("mode=lr_range", *QUICK, *arguments)


def test_the_digits_from_the_curve_to_the_next_command(here: Path) -> None:
    ran = range_test("model.net.width=32")
    assert (ran.code, ran.err) == (0, "")
    assert list(here.iterdir()) == []
    assert ran.out.count("•") > 20
    low, high = (float(found) for found in re.findall(r"^(?:low|high) +(\S+)", ran.out, re.MULTILINE))
    assert 1e-4 < low < 3e-3
    assert 5e-3 < high < 1
    space = yaml.safe_load(ran.out[ran.out.index("optimizer:") : ran.out.index("next ")])
    assert space == {"optimizer": {"lr": {"dist": "loguniform", "low": low, "high": high}}}
    program, command = ran.out.rpartition("next  ")[2].split(maxsplit=3)[:3], ran.out.rpartition("next  ")[2]
    assert program == ["python", "-m", "raytune_nn"]
    planned = run("mode=plan", *shlex.split(command)[3:])
    assert planned.code == 0, planned.err
    assert re.search(rf"optimizer.lr +loguniform\({low:g}, {high:g}\)", planned.out)
    assert range_test("model.net.width=32").out == ran.out, "twice the same"


def test_what_was_typed_stays_in_the_next_command() -> None:
    typed = ("mode=lr_range", "lr_range.low=1e-5", "seed=3", "search_space.optimizer.lr.low=1e-6", "+search=random")
    rest, override = shlex.split(next_command(compose(*typed), 0.001, 0.5)), 'search_space.optimizer.lr="loguniform'
    assert rest == ["python", "-m", "raytune_nn", "seed=3", "+search=random", f'{override}(0.001, 0.5)"']
    bare = shlex.split(next_command(compose("~search_space.optimizer.lr"), 0.001, 0.5))
    assert bare[-2:] == ["+search=asha", f'+{override}(0.001, 0.5)"']


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("optimizer=from_model",), "mode=lr_range sets the rate of a configured optimizer"),
        (("lr_range.low=0",), "0 < lr_range.low < lr_range.high must hold"),
        (("lr_range.low=20",), "0 < lr_range.low < lr_range.high must hold"),
        (("lr_range.steps=19",), "lr_range.steps must be at least 20"),
        (("+optimizer.lrr=1",), "optimizer.lrr must be a keyword of torch.optim.AdamW"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], rule: str) -> None:
    ran = range_test(*arguments)
    assert ran.code == 2
    assert ran.rule.startswith(rule)


def test_a_curve_that_says_nothing() -> None:
    ran = range_test("lr_range.high=2e-5", "lr_range.steps=20")
    assert (ran.code, ran.rule) == (3, "a range test needs a loss that falls")
    assert (ran.found[:32], ran.fix) == ("the loss must fall between the r", "lr_range.high=0.02")
    ran = range_test("lr_range.low=1e4", "lr_range.high=1e9", "optimizer=sgd", "model.net.norm=none")
    assert (ran.code, ran.fix) == (3, "lr_range.low=10")


def test_a_training_that_fails_is_one_message() -> None:
    ran = range_test("trainer.precision=bf16-mixed", "trainer.gradient_clip_val=1", "optimizer.fused=true")
    assert (ran.code, ran.rule) == (3, "a range test needs a training that runs")
    assert "RuntimeError" in ran.found


def test_a_module_that_exits_is_no_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def exits(*_: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("raytune_nn.trial.lr_range.sweep_rates", exits)
    ran = range_test()
    assert (ran.code, ran.rule) == (3, "a range test needs a training that runs")
    assert "SystemExit: 3" in ran.found

    def is_interrupted(*_: object) -> None:  # as Lightning ends then
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            exit(1)

    monkeypatch.setattr("raytune_nn.trial.lr_range.sweep_rates", is_interrupted)
    assert range_test().code == 75


def test_a_search_over_other_groups_does_not_matter() -> None:
    choice = "+search_space.optimizer.choose={adam: {}, adamw: {}}"
    ran = run("mode=lr_range", *QUICK, "+search=asha", choice)
    assert ran.code == 0, ran.err
    assert "+search=asha" in ran.out.rpartition("next  ")[2]
