"""Whole studies in random orders, and what always holds."""

from __future__ import annotations

import math

from hand_study import EPOCHS, Heard, make_plan
from hypothesis import given, settings
from hypothesis import strategies as st
from random_slots import SCHEDULERS, STUDIES, Slots, a_folder, check_journal, check_winner, run

from raytune_nn.config.objective import Objective
from raytune_nn.store.journal import read_journal
from raytune_nn.study.session import open_study

seeds = st.integers(0, 10**6)
schedulers = st.sampled_from(sorted(SCHEDULERS))
studies = st.sampled_from(STUDIES)  # schedulers and objectives
a_few = settings(max_examples=40, deadline=None)


@a_few
@given(seeds, studies, st.integers(1, 12), st.integers(0, 2), st.booleans())
def test_every_study_comes_to_its_end(
    seed: int, study: tuple[str, Objective], num_trials: int, max_retries: int, damages: bool
) -> None:
    scheduler, objective = study
    with a_folder() as folder:
        budget = {"num_trials": num_trials, "max_retries": max_retries}
        slots, _ = run(folder, seed, SCHEDULERS[scheduler], objective, crowded=True, damages=damages, **budget)
        record, events = slots.conductor.record, list(read_journal(folder.journal))
        check_journal(events, num_trials, max_retries)
        assert [*record.trials] == [str(number) for number in range(num_trials)]
        assert all(trial.ended for trial in record.trials.values())
        assert record.status == ("complete" if record.best else "failed")
        for trial in record.trials.values():
            assert (trial.state == "complete") <= (trial.epochs == EPOCHS)
            assert (trial.state == "failed") <= (trial.alone or trial.retries == max_retries)
        assert len(record.damages) == slots.found
        check_winner(folder, record)


@a_few
@given(seeds, studies, st.lists(st.integers(0, 25), min_size=1, max_size=4), st.booleans())
def test_a_study_that_is_interrupted_again_and_again_comes_to_its_end(
    seed: int, study: tuple[str, Objective], lengths: list[int], by_signal: bool
) -> None:
    scheduler, objective = study
    with a_folder() as folder:
        for length in lengths:
            heard = Heard()
            try:
                with open_study(
                    make_plan(SCHEDULERS[scheduler](), objective, max_retries=1), folder, heard
                ) as conductor:
                    Slots(conductor, folder, heard, seed, crowded=True).run(length)
                    if not by_signal:
                        raise RuntimeError("of ours")
                    conductor.interrupt()
                    conductor.close(interrupted=True)
            except RuntimeError:
                assert not by_signal
            assert folder.status() == "interrupted"
        slots, _ = run(folder, seed, SCHEDULERS[scheduler], objective, crowded=True, max_retries=1)
        check_journal(list(read_journal(folder.journal)), num_trials=6, max_retries=1)
        record = slots.conductor.record
        assert len(record.trials) == 6
        check_winner(folder, record)
        if scheduler != "copying":  # epochs of another trial are not trained again
            assert record.epochs >= sum(trial.epochs for trial in record.trials.values())


@a_few
@given(seeds, schedulers, st.sampled_from([0.6, 0.8, 1.0]))
def test_a_target_ends_a_study_at_the_first_trial_that_reaches_it(seed: int, scheduler: str, target: float) -> None:
    with a_folder() as folder:
        slots, heard = run(folder, seed, SCHEDULERS[scheduler], target=target)
        values = [call.value for call in slots.calls if call.name == "reported"]
        reached = [value for value in values if math.isfinite(value) and value >= target]
        record = slots.conductor.record
        if reached:
            assert record.reason == f"budget.target={target:g} is reached: {reached[0]:.6g}"
            assert record.best is not None
            assert record.best.value == reached[0]
            assert values.index(reached[0]) == heard.types.count("reported") - 1, "nothing was reported after it"
        else:
            assert record.reason == ""
