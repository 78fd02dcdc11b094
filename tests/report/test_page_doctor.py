"""What the page says of the doctor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_findings import EXPLODES, OVER_FITS, PRESSED, found, made
from made_studies import Made
from read_page import Page

from raytune_nn.report.doctor.examination import Examination
from raytune_nn.report.doctor.finding import Finding
from raytune_nn.report.page import doctor
from raytune_nn.report.page.render import render
from raytune_nn.report.study import Study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return made(tmp_path)


def text_of(study: Study, seen: Examination | None, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(doctor, "examine", lambda study: seen)
    return Page(render(study)).text("doctor")


def test_the_study_comes_first_and_then_each_kind_with_its_trials(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = text_of(study, found(study, EXPLODES, OVER_FITS, ill=12, of_study=(PRESSED,)), monkeypatch)
    assert text.startswith(
        "Doctor Looked at 36 reports of 12 trials: something was found in 12 of them; in trial 11, the best: "
        "exploding gradients, over-fitting. parameter at its bound optimizer.lr: 4 of the best 4 at 0.1 try "
        "search_space.optimizer.lr.high=1.0 exploding gradients 12 of 12 trials try optimizer.lr=0.001 "
        "trial since evidence 11 epoch 4 norm 1.2 to 3.4e+04 10 epoch 4"
    )
    assert "and 7 more trials: 6, 5, 4, 3, 2, 1, 0 The rule: a paper, section 3" in text
    assert (
        "Not looked for vanishing gradients, dead units: trained without probes (12 trials) try callbacks=probes"
        in text
    )
    assert "python -m raytune_nn +search=asha search_space.optimizer.lr.high=1.0 callbacks=probes" in text


def test_an_action_that_differs_from_the_common_one_stands_beside_its_trial(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = found(study, EXPLODES, ill=2)
    seen.found.trials["1"][0] = replace(EXPLODES, action="optimizer.lr=0.7")
    text = text_of(study, seen, monkeypatch)
    assert "1 epoch 4 norm 1.2 to 3.4e+04 try optimizer.lr=0.7 0 epoch 4 norm 1.2 to 3.4e+04 The rule" in text


def test_nothing_found_is_said_with_what_was_looked_for(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(study, found(study), monkeypatch)
    assert "Looked at 36 reports of 12 trials: nothing was found of over-fitting, under-fitting, divergence" in text
    assert "train/validation mismatch. Not looked for vanishing gradients, dead units: " in text


def test_a_configuration_of_another_version_is_not_examined(study: Study) -> None:
    text = Page(render(replace(study, settings=None))).text("doctor")
    assert text == (
        "Doctor The trainings were not examined: its config.yaml is of another version, and the rules read it."
    )


def test_before_a_report_there_is_no_section(tmp_path: Path) -> None:
    page = Page(render(Made().begin().train("0").study(tmp_path)))
    assert "doctor" not in page.sections
    assert "#doctor" not in page.links


def test_no_text_breaks_out(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "</p><script>alert(1)</script>"
    finding = Finding(EXPLODES.kind, 4, evil, f"a.b='{evil}'", evil)
    seen = found(study, finding, ill=2, of_study=(finding,))
    monkeypatch.setattr(doctor, "examine", lambda study: seen)
    page = Page(render(study))
    assert page.text("doctor").count(evil) >= 4
    assert page.tags.count("script") == len(page.data) + 2, "plotly's and our own"
