"""The replay of a schedule: ancestry over copies, followed by hand; the one trial that has it; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import inside, refused

from raytune_nn.errors import ConfigError
from raytune_nn.modes.preflight import preflight
from raytune_nn.search.pbt_replay import FirstOfSchedule, PBTReplay
from raytune_nn.search.pbt_schedule import Stage, read_schedule
from raytune_nn.search.scheduler import Decision, Resumption
from raytune_nn.space.parse import parse_space
from raytune_nn.store.journal import Journal

SPACE = parse_space({"optimizer": {"lr": "uniform(0, 9)"}, "model": {"net": {"width": "choice(32, 64)"}}})
CONFIG = {
    "objective": {"metric": "val_acc", "mode": "max", "take": "best"},
    "search": {"scheduler": {"_target_": "raytune_nn.search.pbt.PBT", "perturb": None}},
}


def point(lr: float, width: int = 32) -> dict[str, Any]:
    return {"optimizer.lr": lr, "model.net.width": width}


class Recorder:
    """Writes a study as a driver does."""

    def __init__(self, folder: Path, config: dict[str, Any] = CONFIG) -> None:
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(json.dumps(config))
        self.journal = Journal(folder / "journal")
        self.journal.append("opened", name=folder.name)

    def suggest(self, trial: str, params: dict[str, Any]) -> None:
        self.journal.append("suggested", trial=trial, params=params)
        self.journal.append("started", trial=trial)

    def pause(self, trial: str, epoch: int, value: float) -> None:
        self.report(trial, epoch, value, saved=True)
        self.journal.append("decided", trial=trial, epoch=epoch, decision="pause", reason="")

    def report(self, trial: str, epoch: int, value: float, **more: Any) -> None:
        metrics = {"val_acc": value}
        self.journal.append("reported", trial=trial, epoch=epoch, step=epoch, seconds=1.0, metrics=metrics, **more)

    def resume(self, trial: str, epoch: int, source: str | None = None, params: dict[str, Any] | None = None) -> None:
        self.journal.append("resumed", trial=trial, source=source, params=params, new=False)
        self.journal.append("started", trial=trial, **({"epoch": epoch} if epoch else {}))

    def end(self, trial: str, state: str = "complete") -> None:
        self.journal.append("ended", trial=trial, state=state, reason="")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """1 copies 0 at epoch 2; 2 copies 1 at epoch 4, and then wins; 0 changes later."""
    folder = tmp_path / "studies" / "pbt"
    recorder = Recorder(folder)
    for trial, width in (("0", 64), ("1", 32), ("2", 32)):
        recorder.suggest(trial, point(float(trial), width))
    for trial, value in (("0", 0.5), ("1", 0.1), ("2", 0.2)):
        recorder.pause(trial, 2, value)
    recorder.resume("0", 2)
    recorder.resume("1", 2, "0", point(3.0, 64))
    recorder.resume("2", 2)
    for trial, value in (("0", 0.6), ("1", 0.7), ("2", 0.3)):
        recorder.pause(trial, 4, value)
    recorder.resume("0", 4, "1", point(7.0, 64))
    recorder.resume("2", 4, "1", point(4.0, 64))
    recorder.resume("1", 4)
    for trial, value in (("0", 0.2), ("1", 0.75), ("2", 0.9)):
        recorder.report(trial, 6, value)
        recorder.end(trial)
    return folder


def test_the_winners_ancestry_is_followed_over_all_copies(study: Path) -> None:
    # The winner, 2, has the weights of 1 up to epoch 4, which has those of 0 up to epoch 2.
    expected = (Stage(0, point(0.0, 64)), Stage(2, point(3.0, 64)), Stage(4, point(4.0, 64)))
    assert read_schedule(str(study), SPACE) == expected


def test_what_came_after_the_winning_report_is_left_out(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "pbt")
    for trial in "01":
        recorder.suggest(trial, point(float(trial)))
    recorder.report("0", 1, 0.9)  # the best of all, before it copies
    recorder.pause("0", 2, 0.1)
    recorder.pause("1", 2, 0.8)
    recorder.resume("0", 2, "1", point(5.0))
    recorder.report("0", 3, 0.85)
    recorder.end("0")
    assert read_schedule(str(tmp_path / "pbt"), SPACE) == (Stage(0, point(0.0)),)


def test_a_copy_of_a_copy_that_has_not_trained_yet(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "pbt")
    for trial in "012":
        recorder.suggest(trial, point(float(trial)))
        recorder.pause(trial, 2, float(trial))
    recorder.resume("0", 2, "2", point(3.0))
    recorder.resume("1", 2, "0", point(4.0))
    recorder.report("1", 4, 9.0)
    recorder.end("1")
    assert read_schedule(str(tmp_path / "pbt"), SPACE) == (Stage(0, point(2.0)), Stage(2, point(4.0)))


def test_a_trial_that_lost_its_state_began_again_with_what_it_had(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "pbt")
    for trial in "01":
        recorder.suggest(trial, point(float(trial)))
        recorder.pause(trial, 2, float(trial))
    recorder.resume("0", 0, "1", point(3.0))
    recorder.report("0", 4, 9.0)
    recorder.end("0")
    assert read_schedule(str(tmp_path / "pbt"), SPACE) == (Stage(0, point(3.0)),)


def test_a_trial_that_fell_back_has_the_weights_of_the_state_before(tmp_path: Path) -> None:
    """0 was to copy 1 and kept its own; its next state was lost too, and the third fell to what it had at 4."""
    recorder = Recorder(tmp_path / "pbt")
    for trial in "01":
        recorder.suggest(trial, point(float(trial)))
        recorder.pause(trial, 2, float(trial))
    recorder.resume("0", 2, "1", point(3.0))

    def fall_back(epoch: int) -> None:
        recorder.journal.append("fell_back", trial="0", file="f", why="", epoch=epoch, params=None, error="")
        recorder.journal.append("started", trial="0", epoch=epoch)

    fall_back(2)
    recorder.pause("0", 4, 5.0)
    recorder.resume("0", 4, "1", point(7.0))
    fall_back(4)
    recorder.pause("0", 6, 6.0)
    recorder.resume("0", 6)
    fall_back(4)
    recorder.report("0", 8, 9.0)
    recorder.end("0")
    expected = (Stage(0, point(0.0)), Stage(2, point(3.0)), Stage(4, point(7.0)))
    assert read_schedule(str(tmp_path / "pbt"), SPACE) == expected


def test_a_replay_that_fell_back_changes_again_where_it_is_due(study: Path) -> None:
    replay = PBTReplay(str(study), 1, 9, SPACE)
    changes = replayed(replay, range(1, 6))
    assert changes == [(2, 3.0), (4, 4.0)]
    assert replay.on_fall_back("0", 2) == point(3.0, 64)
    assert replayed(replay, range(3, 9)) == [(4, 4.0)]
    assert replay.on_fall_back("0", 0) == point(0.0, 64)
    assert replayed(replay, range(1, 9)) == changes


def replayed(replay: PBTReplay, epochs: range) -> list[tuple[int, Any]]:
    """What the one trial gets, and when."""
    replay.on_start("0", {})
    changes = []
    for step in epochs:
        verdict = replay.on_report("0", step, 0.5)
        assert replay.on_report("0", step, 9.0) == verdict, "a repeated report"
        if verdict.decision is Decision.PAUSE:
            resumption = replay.next_to_run(new_available=True)
            assert resumption == Resumption("0", None, resumption.params if resumption else None)
            assert replay.on_report("0", step, 0.5).decision is Decision.CONTINUE
            changes.append((step, resumption.params["optimizer.lr"] if resumption and resumption.params else None))
        assert replay.next_to_run(new_available=True) is None
    return changes


def test_one_trial_gets_the_parameters_when_the_winner_did(study: Path) -> None:
    replay = PBTReplay(str(study), 1, 6, SPACE)
    assert replay.decision_steps == {2, 4}
    assert replay.pauses
    assert replayed(replay, range(1, 7)) == [(2, 3.0), (4, 4.0)]
    searcher = FirstOfSchedule(SPACE, 0, replay.schedule)
    assert [searcher.suggest(number) for number in (0, 1, 2)] == [point(0.0, 64), None, None]


def test_a_trial_that_reports_seldom_gets_what_is_due(study: Path) -> None:
    assert replayed(PBTReplay(str(study), 1, 9, SPACE), range(3, 10, 3)) == [(3, 3.0), (6, 4.0)]
    assert replayed(PBTReplay(str(study), 1, 9, SPACE), range(5, 10, 4)) == [(5, 4.0)]


def test_a_trial_that_ended_while_it_paused_does_not_go_on(study: Path) -> None:
    replay = PBTReplay(str(study), 1, 6, SPACE)
    assert replay.on_report("0", 2, 0.5).decision is Decision.PAUSE
    replay.on_end("0", complete=False)
    assert replay.next_to_run(new_available=False) is None


def test_what_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be the folder of a study"):
        read_schedule(str(tmp_path / "nothing"), SPACE)
    with pytest.raises(ConfigError, match="must train past its last change") as refusal:
        PBTReplay(str(study), 1, 4, SPACE)
    assert refusal.value.fix == "budget.max_epochs=5"
    with pytest.raises(ConfigError, match="is one training"):
        PBTReplay(str(study), 2, 6, SPACE)
    with pytest.raises(ConfigError, match="search_space of its study"):
        read_schedule(str(study), parse_space({"optimizer": {"lr": "uniform(0, 9)"}}))
    for name, search in (("asha", {"scheduler": {"_target_": "raytune_nn.search.asha.ASHA"}}), ("single", None)):
        Recorder(tmp_path / name, CONFIG | {"search": search})
        with pytest.raises(ConfigError, match="must be a study of PBT or PB2"):
            read_schedule(str(tmp_path / name), SPACE)
    Recorder(tmp_path / "failed").suggest("0", point(1.0))
    with pytest.raises(ConfigError, match="a trial that has a value"):
        read_schedule(str(tmp_path / "failed"), SPACE)


@pytest.mark.usefixtures("at_files")
def test_its_two_halves_belong_together() -> None:
    command = ("+search=pbt_replay", "search.scheduler.study=studies/pbt", "budget.num_trials=1")
    plan = inside(lambda composed: preflight(composed).plan, *command)
    assert plan.scheduler.describe() == "replay of PBT: parameters change at 3"
    assert isinstance(plan.scheduler, PBTReplay)
    assert [plan.searcher.suggest(number) for number in (0, 1)] == [plan.scheduler.schedule[0].params, None]
    for half, searcher in (("search/searcher=random", "RandomSearcher"), ("search/searcher=tpe", "TPE")):
        ran = refused(*command, half, task=preflight)
        assert ran.rule.startswith("the replay of a schedule consists of a searcher and a scheduler")
        assert ran.found == f"{searcher} and PBTReplay"
    assert "search.scheduler.study" in refused("+search=pbt_replay", "budget.num_trials=1").err
