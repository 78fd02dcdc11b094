"""PBT: who copies whom and what, by hand; and the toy problem of its paper."""

from __future__ import annotations

import random
import statistics
from functools import partial
from typing import Any

import pytest
from command_line import inside, refused
from toy_population import BEST, SPACE, Toy

from raytune_nn.errors import ConfigError
from raytune_nn.modes.preflight import preflight
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.pbt import PBT
from raytune_nn.search.scheduler import Decision, Resumption
from raytune_nn.space.parse import parse_space

TUNED = parse_space(
    {
        "optimizer": {"choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {"weight_decay": "uniform(0, 1)"}}},
        "model": {"net": {"width": "choice(32, 64, 128)"}},
    }
)
SGD = {"optimizer": "sgd", "optimizer.momentum": 0.5, "model.net.width": 32}
ADAM = {"optimizer": "adamw", "optimizer.weight_decay": 0.5, "model.net.width": 128}

Rated = partial(PBT, max_epochs=6, interval=2, resample=0.0, space=TUNED)


def started(pbt: PBT, params: list[dict[str, Any]]) -> PBT:
    for number, point in enumerate(params):
        pbt.on_start(str(number), point)
    return pbt


def paused(pbt: PBT, step: int, scores: dict[str, float]) -> PBT:
    for trial, score in scores.items():
        assert pbt.on_report(trial, step, score).decision is Decision.PAUSE
    return pbt


def resumed(pbt: PBT, count: int) -> list[tuple[str, str | None]]:
    named = [pbt.next_to_run(False) for _ in range(count)]
    return [(resumption.trial, resumption.source) for resumption in named if resumption is not None]


def test_members_pause_at_every_interval_after_the_burn_in() -> None:
    assert PBT(4, 27, interval=4, space=SPACE).decision_steps == {4, 8, 12, 16, 20, 24}
    assert PBT(4, 27, interval=4, burn_in=9, space=SPACE).decision_steps == {12, 16, 20, 24}
    assert PBT(4, 12, interval=4, space=SPACE).decision_steps == {4, 8}
    pbt = started(PBT(4, 9, interval=3, space=SPACE), [{}])
    assert [pbt.on_report("0", step, 0.5).decision for step in (1, 2)] == [Decision.CONTINUE] * 2
    assert pbt.on_report("0", 3, 0.5).decision is Decision.PAUSE


def test_a_member_that_reports_seldom_pauses_at_its_first_report_after_the_step() -> None:
    pbt = started(PBT(4, 12, interval=3, space=SPACE), [{}])
    decisions = []
    for step in (2, 4, 6, 8, 10, 12):
        decisions.append(pbt.on_report("0", step, 0.5).decision)
        pbt.next_to_run(False)
    stay, go = Decision.PAUSE, Decision.CONTINUE
    assert decisions == [go, stay, stay, go, stay, go]


def test_new_members_come_first_then_the_fewest_epochs_then_the_first_to_pause() -> None:
    pbt = started(Rated(4), [SGD] * 4)
    paused(pbt, 2, dict.fromkeys("2013", 0.5))
    assert pbt.next_to_run(new_available=True) is None
    assert resumed(pbt, 2) == [("2", None), ("0", None)]
    paused(pbt, 4, {"2": 0.5})
    assert resumed(pbt, 2) == [("1", None), ("3", None)]
    paused(pbt, 4, {"3": 0.5, "0": 0.5})
    assert resumed(pbt, 4) == [("2", None), ("3", None), ("0", None)]


def test_the_worst_copies_everything_of_the_best_but_what_is_perturbed() -> None:
    pbt = paused(started(Rated(4), [SGD, SGD, SGD, ADAM]), 2, {"0": 0.1, "1": 0.2, "2": 0.3, "3": 0.4})
    resumption = pbt.next_to_run(False)
    assert resumption is not None
    assert (resumption.trial, resumption.source) == ("0", "3")
    assert resumption.params is not None
    decay = resumption.params.pop("optimizer.weight_decay")
    assert decay in (0.5 * 0.8, 0.5 * 1.2)
    assert resumption.params == {"optimizer": "adamw", "model.net.width": 128}
    assert ADAM["optimizer.weight_decay"] == 0.5, "the source keeps its own"
    assert resumed(pbt, 3) == [("1", None), ("2", None), ("3", None)], "of four, one is the worst quarter"


def test_a_share_of_the_members_copies() -> None:
    scores = {str(number): float(number) for number in range(8)}
    for quantile, copied in ((0.1, 1), (0.25, 2), (0.5, 4)):
        pbt = paused(started(Rated(8, quantile=quantile), [SGD] * 8), 2, scores)
        for trial, source in resumed(pbt, 8):
            assert (source is not None) is (int(trial) < copied)
            assert source is None or int(source) >= 8 - copied


def test_all_of_the_best_share_are_copied() -> None:
    found = set()
    for seed in range(30):
        pbt = started(Rated(8, quantile=0.5, seed=seed), [SGD] * 8)
        paused(pbt, 2, {str(number): float(number) for number in range(8)})
        found |= {source for _, source in resumed(pbt, 1)}
    assert found == {"4", "5", "6", "7"}


@pytest.mark.parametrize("exploit", ["truncation", "tournament"])
def test_nobody_copies_what_is_no_better(exploit: str) -> None:
    pbt = paused(started(Rated(6, exploit=exploit), [SGD] * 6), 2, dict.fromkeys("012345", 0.5))
    assert {source for _, source in resumed(pbt, 6)} == {None}


def test_a_tournament_is_against_one_other() -> None:
    outcomes = []
    for seed in range(200):
        pbt = paused(started(Rated(3, exploit="tournament", seed=seed), [SGD] * 3), 2, {"1": 0.2, "0": 0.1, "2": 0.3})
        outcomes += resumed(pbt, 1)
    assert set(outcomes) == {("1", None), ("1", "2")}, "0 is worse"
    assert outcomes.count(("1", "2")) == pytest.approx(100, abs=28)  # four deviations


def test_a_copy_trains_on_from_the_epoch_of_its_source() -> None:
    pbt = paused(started(Rated(2, max_epochs=9), [SGD] * 2), 2, {"0": 0.1, "1": 0.2})
    assert resumed(pbt, 1) == [("0", "1")]
    assert resumed(pbt, 1) == [("1", None)]
    paused(pbt, 4, {"1": 0.9})
    paused(pbt, 4, {"0": 0.1})
    assert resumed(pbt, 1) == [("1", None)], "it paused first"
    paused(pbt, 6, {"1": 0.8})
    assert resumed(pbt, 1) == [("0", "1")]
    assert pbt.on_report("0", 7, 0.5).decision is Decision.CONTINUE
    assert pbt.on_report("0", 8, 0.5).decision is Decision.PAUSE


def test_a_member_that_failed_is_no_longer_compared() -> None:
    pbt = paused(started(Rated(3), [SGD] * 3), 2, {"0": 0.1, "1": 0.2, "2": 0.9})
    pbt.on_end("2", complete=False)
    assert resumed(pbt, 3) == [("0", "1"), ("1", None)]


def test_a_member_that_has_come_to_its_end_can_be_copied() -> None:
    pbt = paused(started(Rated(2), [SGD] * 2), 2, {"0": 0.5, "1": 0.5})
    assert resumed(pbt, 2) == [("0", None), ("1", None)]
    paused(pbt, 4, {"0": 0.9, "1": 0.1})
    assert resumed(pbt, 1) == [("0", None)]
    assert pbt.on_report("0", 6, 0.95).decision is Decision.CONTINUE
    pbt.on_end("0", complete=True)
    assert resumed(pbt, 1) == [("1", "0")]


def test_a_member_goes_on_once_more_than_half_have_come_as_far() -> None:
    pbt = paused(started(Rated(4), [SGD] * 4), 2, {"0": 0.1, "1": 0.2})
    assert resumed(pbt, 1) == []
    paused(pbt, 2, {"2": 0.3})
    assert resumed(pbt, 3) == [("0", "2"), ("1", None), ("2", None)]
    paused(pbt, 4, {"2": 0.3, "1": 0.2})
    assert resumed(pbt, 1) == []
    pbt.on_end("3", complete=False)
    assert resumed(pbt, 1) == [("2", None)], "two of the three that are left are more than half"


def test_scores_of_members_that_are_ahead_are_taken_where_the_others_are() -> None:
    pbt = paused(started(Rated(2), [SGD] * 2), 2, {"0": 0.3, "1": 0.5})
    assert resumed(pbt, 1) == [("0", "1")]
    paused(pbt, 4, {"0": 0.9})
    assert resumed(pbt, 1) == [("1", None)], "0 has more only because it has trained on"


def test_nobody_copies_what_has_become_worse_since() -> None:
    pbt = paused(started(Rated(2), [SGD] * 2), 2, {"0": 0.5, "1": 0.3})
    assert resumed(pbt, 1) == [("0", None)]
    paused(pbt, 4, {"0": 0.2})
    assert resumed(pbt, 1) == [("1", None)]


def test_another_seed_draws_otherwise() -> None:
    def first(seed: int) -> Resumption | None:
        pbt = paused(started(Rated(2, resample=1.0, seed=seed), [SGD] * 2), 2, {"0": 0.1, "1": 0.2})
        return pbt.next_to_run(False)

    assert first(0) == first(0)
    assert first(0) != first(1)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"interval": 0}, "interval must be an integer from 1"),
        ({"interval": 28}, "interval must be an integer from 1"),
        ({"interval": 1.5}, "interval must be an integer from 1"),
        ({"burn_in": -1}, "burn_in must be an integer from 0"),
        ({"quantile": 0.0}, "0 < quantile <= 0.5 must hold"),
        ({"quantile": 0.51}, "0 < quantile <= 0.5 must hold"),
        ({"quantile": "half"}, "0 < quantile <= 0.5 must hold"),
        ({"resample": 1.5}, "0 <= resample <= 1 must hold"),
        ({"exploit": "best"}, "exploit must be truncation or tournament"),
        ({"population": 1}, "at least 2 members"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        PBT(**{"population": 8, "max_epochs": 27, "space": SPACE, **arguments})


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("command", "rule", "found"),
    [
        ("+search=pbt search/searcher=tpe", "a population changes its parameters itself", "TPE"),
        ("+search=pb2 search/searcher=grid", "a population changes its parameters itself", "GridSearcher"),
        ("+search=pbt budget.num_trials=1", "a population must have at least 2 members", "1"),
        ("+search=pbt objective.folds=3", "a trial with folds is several trainings", "objective.folds=3"),
        ("+search=pbt search.scheduler.perturb=[model.net.width]", "search.scheduler.perturb must", "model.net.width"),
        ("+search=pbt search.scheduler.interval=99", "search.scheduler.interval must be", "interval=99, max_epochs=27"),
    ],
)
def test_bad_commands_are_refused(command: str, rule: str, found: str) -> None:
    ran = refused(*command.split(), task=preflight)
    assert ran.rule.startswith(rule)
    assert ran.found == found


@pytest.mark.usefixtures("here")
def test_points_may_begin_a_population_and_the_study_gives_space_and_seed() -> None:
    command = ("+search=pbt", "search.points=[{optimizer.lr: 0.01}]", "seed=4", "budget.num_trials=5")
    plan = inside(lambda composed: preflight(composed).plan, *command)
    assert plan.searcher.suggest(0)["optimizer.lr"] == 0.01  # type: ignore[index]
    assert plan.scheduler.describe() == ("PBT: 5 members; from 3 on, every 3, perturbs model.net.dropout, optimizer.lr")
    other = inside(lambda composed: preflight(composed).plan, *command[:2], "seed=5", "budget.num_trials=5")
    copies = []
    for scheduler in (plan.scheduler, other.scheduler):
        assert isinstance(scheduler, PBT)
        point = plan.space.sample(random.Random(0))
        paused(started(scheduler, [point] * 2), 3, {"0": 0.1, "1": 0.2})
        copies.append(scheduler.next_to_run(False))
    assert copies[0] != copies[1]


def test_on_the_toy_problem_of_the_paper_members_learn_what_they_could_not_alone() -> None:
    halves = [{"optimizer.a": 0.9, "optimizer.b": 0.05}, {"optimizer.a": 0.06, "optimizer.b": 0.8}]
    for seed in range(5):
        pbt = PBT(2, 200, interval=4, quantile=0.5, space=SPACE, seed=seed)
        assert Toy(pbt, halves, 200).run() > BEST - 0.02
    left = [(0.9 * (1 - 0.02 * rate) ** 200) ** 2 for rate in (0.9, 0.05, 0.06, 0.8)]
    alone = BEST - min(sum(left[:2]), sum(left[2:]))
    assert Toy(NoScheduler(), halves, 200).run() == pytest.approx(alone)
    assert alone < BEST - 0.4


def test_it_beats_random_search_with_the_same_epochs_on_the_toy_problem() -> None:
    gains, epochs = [], 60
    for seed in range(20):
        points = [SPACE.sample(random.Random(f"{seed}/{number}")) for number in range(8)]
        pbt = Toy(PBT(8, epochs, interval=4, space=SPACE, seed=seed), points, epochs)
        free = Toy(NoScheduler(), points, epochs)
        gains.append(pbt.run() - free.run())
        assert pbt.trained <= free.trained == 8 * epochs
    error = statistics.stdev(gains) / len(gains) ** 0.5
    assert statistics.mean(gains) > 3 * error
