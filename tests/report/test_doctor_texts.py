"""What the doctor says on a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from made_findings import EXPLODES, OVER_FITS, PRESSED, found, made

from raytune_nn.report.doctor import texts
from raytune_nn.report.doctor.texts import ending_text, study_text, trial_text
from raytune_nn.report.study import Study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return made(tmp_path)


def test_a_study_has_its_kinds_with_a_few_trials_each(study: Study) -> None:
    text = study_text(study, found(study, EXPLODES, OVER_FITS, ill=12, of_study=(PRESSED,)))
    lines = text.splitlines()
    assert lines[0] == "36 reports of 12 trials examined: something was found in 12"
    place = lines.index("exploding gradients: 12 of 12 trials")
    assert lines[place + 1 : place + 6] == [
        "  trial 11, the best, epoch 4: norm 1.2 to 3.4e+04",
        "  trial 10, epoch 4: norm 1.2 to 3.4e+04",
        "  trial 9, epoch 4: norm 1.2 to 3.4e+04",
        "  and 9 more trials: 8, 7, 6, 5, 4, 3, 2, 1, …",
        "  try optimizer.lr=0.001",
    ]
    assert lines.index("parameter at its bound") < place
    assert "  vanishing gradients, dead units: trained without probes (12 trials)" in lines


def test_lines_fit_a_terminal_but_for_what_is_to_be_copied(study: Study) -> None:
    long = OVER_FITS.__class__(OVER_FITS.kind, 9, "a word and another " * 20, "a.key=1", "a long title " * 12)
    for text in (study_text(study, found(study, long, ill=12)), trial_text(study, found(study, long, ill=12), "3")):
        prose = [line for line in text.splitlines() if not line.startswith(("next ", "one trial "))]
        assert max(map(len, prose)) <= texts.WIDTH


def test_a_thousand_trials_are_no_wall_of_text(tmp_path: Path) -> None:
    study = made(tmp_path, trials=1000)
    assert len(study_text(study, found(study, EXPLODES, OVER_FITS, ill=1000)).splitlines()) < 30


def test_where_nothing_was_found_it_says_what_was_looked_for(study: Study) -> None:
    seen = found(study)
    assert study_text(study, seen).splitlines()[0].startswith("36 reports of 12 trials examined: nothing was found of")
    told = trial_text(study, seen, "3")
    assert "trial 3: complete after 3 epochs, val_acc = 0.33 at epoch 3\nnothing was found; looked for: " in told
    assert "divergence" in told.splitlines()[1]
    assert "dead units" not in told.partition("not looked for")[0]
    assert "next" not in told, "there is nothing to mend"


def test_a_trial_has_its_findings_with_numbers_rule_and_one_command(study: Study) -> None:
    lines = trial_text(study, found(study, EXPLODES, OVER_FITS, ill=12), "3").splitlines()
    place = lines.index("exploding gradients since epoch 4")
    assert lines[place + 1 : place + 4] == [
        "  norm 1.2 to 3.4e+04",
        "  try optimizer.lr=0.001",
        "  rule: a paper, section 3",
    ]
    command = shlex.split(lines[-1].removeprefix("next"))
    assert command[-3:] == ["optimizer.lr=0.001", "study.storage=.", "study.name=first-2"]
    assert not any(word.startswith("+search") for word in command)


def test_the_end_of_a_study_has_two_lines_where_the_winner_is_ill_or_many_are(study: Study) -> None:
    assert ending_text(study, found(study)) == ""
    assert ending_text(study, found(study, EXPLODES, ill=2)) == "", "two of twelve, and the best is well"
    assert ending_text(study, found(study, EXPLODES, ill=4)).splitlines() == [
        "doctor      4 of 12 trials: exploding gradients (4)",
        "            python -m raytune_nn mode=doctor study.storage=. study.name=first",
    ]
    told = ending_text(study, found(study, EXPLODES, OVER_FITS, ill=12, of_study=(PRESSED,)))
    assert told.startswith("doctor      parameter at its bound, optimizer.lr; the best trial: exploding gradients, ")
