"""The texts at the end of a study."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from made_records import Told

from raytune_nn.report.commands import commands
from raytune_nn.report.tables import counted, format_value, rank, trials_table, winner
from raytune_nn.store.folder import StudyFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.chdir(tmp_path)
    return StudyFolder(tmp_path / "studies" / "first")


@pytest.fixture
def told() -> Told:
    told = Told()
    told.open()
    return told


def test_the_winner(told: Told, folder: StudyFolder) -> None:
    told.add(0.5, end="stopped")
    told.add(0.81234567, 0.7, params={"optimizer": "sgd", "optimizer.lr": 0.0123456, "model.widths": [64, None]})
    told.add(end="failed", error="E")
    told.tell("closed", status="complete", reason="budget.max_hours=1 is spent")
    lines = winner(told.record, folder).splitlines()
    assert lines == [
        "",
        "best  trial 1: val_acc = 0.812346 at epoch 1",
        "      optimizer = sgd",
        "      optimizer.lr = 0.01235",
        "      model.widths = [64, None]",
        "",
        "3 trials (1 stopped, 1 complete, 1 failed), 3 epochs, 13.0 s; ended since budget.max_hours=1 is spent",
    ]
    folder.best.mkdir(parents=True)
    assert winner(told.record, folder).splitlines()[-1] == "model in studies/first/best"


def test_where_parameters_changed_after_the_value_those_that_gave_it_are_told(told: Told, folder: StudyFolder) -> None:
    list(told.changed())
    told.tell("ended", trial="0", state="complete")
    assert winner(told.record, folder).splitlines()[1:3] == [
        "best  trial 0: val_acc = 0.9 at epoch 1",
        "      lr = 0.1",
    ]
    assert trials_table(told.record).splitlines()[-1].endswith("  lr=0.1")


def test_one_trial_is_no_plural(told: Told, folder: StudyFolder) -> None:
    told.add(0.5)
    assert "\n1 trial (1 complete), 1 epoch, 4.0 s" in winner(told.record, folder) + "\n"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 CPUs"), (1, "1 CPU"), (1.0, "1 CPU"), (0.25, "0.25 CPUs"), (1_234_567, "1234567 CPUs")]
)
def test_one_of_a_thing_is_no_plural(number: float, text: str) -> None:
    assert counted(number, "CPU") == text


def test_trials_that_needed_a_gpu_to_themselves_are_named(told: Told, folder: StudyFolder) -> None:
    for trial in range(7):
        told.add(0.5, end=None)
        if trial in (0, 6):
            told.tell("retried", trial=str(trial), error="E", reason="R", alone=True)
    line = "out of memory on a shared GPU, so tried again with one to themselves: trials 0, 6"
    told.tell("ended", trial="0", state="complete")
    assert winner(told.record, folder).splitlines()[-1] == line


def test_damaged_checkpoints_are_told(told: Told, folder: StudyFolder) -> None:
    told.add(0.5)
    for trial in ("0", "1", "1"):
        if trial not in told.record.trials:
            told.add(0.4, end=None)
        told.tell("fell_back", trial=trial, file="f", why="w", epoch=0, params=None)
    line = "3 training states could not be used, so epochs were trained again: trials 0, 1"
    assert winner(told.record, folder).splitlines()[-1] == line
    told.tell("checkpointed", trial="0", folder="0")
    told.tell("damaged", trial="0", file="checkpoints/0/model.ckpt", why="it is empty")
    folder.best.mkdir(parents=True)
    last = winner(told.record, folder).splitlines()[-1]
    assert last.startswith("no model in best/, since it is damaged (checkpoints/0/model.ckpt: it is empty)")
    (folder.best / "model.ckpt").touch()  # the copy that was made before
    assert winner(told.record, folder).splitlines()[-1].startswith("model in ")


def test_nobody_won(told: Told, folder: StudyFolder) -> None:
    assert winner(told.record, folder) == "no trial has a value"
    told.add(0.5, end="diverged")
    assert winner(told.record, folder) == "no trial has a value"


def overrides_in(command: str) -> dict[str, object]:
    """What Hydra reads in a command that the shell has split."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "raytune_nn"]
    parsed = OverridesParser.create().parse_overrides([word for word in words[3:] if not word.startswith("--")])
    return {override.key_or_group: override.value() for override in parsed}


def test_the_resume_command_names_the_study_and_nothing_that_is_of_this_run_only(folder: StudyFolder) -> None:
    typed = [
        "python -m raytune_nn +search=asha mode=report study.name=other ++study.storage=else study.resume=never",
        "study.trial=3 model=mlp optimizer.lr=0.1 --config-dir conf",
    ]
    resume, others = commands(folder, " ".join(typed))
    assert resume == (
        "python -m raytune_nn +search=asha model=mlp optimizer.lr=0.1 --config-dir conf "
        "study.storage=studies study.name=first"
    )
    rows = dict(line.split(maxsplit=1) for line in others.splitlines() if line)
    assert rows == {
        "resume": resume,
        "reproduce": "python -m raytune_nn mode=reproduce study.storage=studies study.name=first",
        "tensorboard": "tensorboard --logdir studies/first/tb",
    }


def test_what_was_quoted_stays_quoted(folder: StudyFolder) -> None:
    command = shlex.join(["python", "-m", "raytune_nn", "model.widths=[64, 32]", "model.note='a b'"])
    resume, _ = commands(folder, command)
    assert shlex.split(resume)[:5] == shlex.split(command)
    assert overrides_in(resume)["model.widths"] == [64, 32]


@pytest.mark.parametrize(
    "name",
    [
        "first",
        "2026-11-20_17-05-33_asha_mlp_digits",
        "lr=0.1,wd=0",
        "two words",
        "it's",
        'say "so"',
        "ünï",
        "a$b",
        "[1]",
        "{a: 1}",
        "007",
        "1e3",
        "1_000",
        "null",
        "true",
        "~x",
        "a#b",
        "back\\'slash",
        "end\\",
        "${x}",
        "-flag",
    ],
)
def test_any_name_and_place_comes_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the shell and through Hydra's own grammar."""
    monkeypatch.chdir(tmp_path)
    resume, others = commands(StudyFolder(tmp_path / name / name), "python -m raytune_nn")
    assert overrides_in(resume) == {"study.storage": name, "study.name": name}
    reproduce = next(line for line in others.splitlines() if line.startswith("reproduce"))
    expected = {"mode": "reproduce", "study.storage": name, "study.name": name}
    assert overrides_in(reproduce.split(maxsplit=1)[1]) == expected
    tensorboard = others.splitlines()[-1].split(maxsplit=1)[1]
    assert shlex.split(tensorboard) == ["tensorboard", "--logdir", f"{name}/{name}/tb"]


def test_a_place_is_said_in_the_shorter_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b" / "c" / "d" / "e" / "f" / "g" / "h" / "i" / "j" / "k" / "l" / "m" / "n" / "o" / "p"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    resume, _ = commands(StudyFolder(Path("/s/first")), "python -m raytune_nn")
    assert "study.storage=/s " in resume
    resume, _ = commands(StudyFolder(deep / "first"), "python -m raytune_nn")
    assert "study.storage=. " in resume


@pytest.mark.parametrize(("maximise", "order"), [(True, ["2", "0", "1", "3", "4"]), (False, ["0", "1", "2", "3", "4"])])
def test_the_ranking(maximise: bool, order: list[str]) -> None:
    told = Told(maximise=maximise)
    told.open()
    told.add(0.5)
    told.add(0.5, end="stopped")
    told.add(0.9, end=None)
    told.add(0.9 if maximise else 0.1, end="failed")
    told.add(0.9 if maximise else 0.1, end="diverged")
    assert [trial.id for trial in rank(told.record)] == order


def test_the_table_of_trials(told: Told) -> None:
    told.add(0.5, params={"lr": 0.1})
    told.add(float("nan"), end="diverged", params={"act": "relu"})
    assert trials_table(told.record).splitlines() == [
        " trial  state            val_acc  epochs  seconds  parameters",
        "     0  complete             0.5       1      1.0  lr=0.1",
        "     1  diverged                       1      1.0  act=relu",
    ]


def test_a_long_table_is_cut(told: Told) -> None:
    for number in range(13):
        told.add(0.01 * number)
    lines = trials_table(told.record).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["12", "11", "10"]
    assert len(lines) == 12
    assert lines[-1] == "… and 3 more in trials.csv"


def test_a_table_of_nothing(told: Told) -> None:
    assert len(trials_table(told.record).splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(0.000123456, "0.0001235"), (3, "3"), (True, "True"), (None, "None"), ("relu", "relu")]
)
def test_a_parameter_as_a_person_reads_it(value: object, text: str) -> None:
    assert format_value(value) == text
