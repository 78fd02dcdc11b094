"""The page of a study, without a browser: what it says, that it needs nothing else, that no text breaks out of it."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest
from made_studies import ACCURACY, COMMAND, FRONT, Made, made_asha, make_settings
from read_page import Page

from raytune_nn.report.page.render import render, write_report
from raytune_nn.report.study import Study

EVIL = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>&amp;'\"`${x}"


def page_of(study: Study) -> Page:
    return Page(render(study))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.chdir(tmp_path)
    return page_of(made_asha().study(tmp_path))


def test_winner_runner_up_and_cost_stand_at_the_top(page: Page) -> None:
    assert "Trial 1 won with val_acc = 0.9 at epoch 3, 0.05 ahead of trial 2." in page.text()
    summary = page.text("summary")
    assert "Best val_acc 0.9 trial 1 at epoch 3; higher is better" in summary
    assert "Runner-up 0.85 trial 2, 0.05 behind" in summary
    assert "Epochs trained 8 early stopping saved 22%" in summary
    assert "trial 1, winner trial 2, runner-up val_acc 0.9 0.85" in page.text("winner")
    assert "lr 0.01 0.02" in page.text("winner")


def test_the_commands_can_be_typed(page: Page) -> None:
    told = page.text("commands")
    assert "python -m raytune_nn mode=reproduce study.storage=. study.name=first study.trial=1" in told
    assert "tensorboard --logdir first/tb" in told


def test_failures_stand_by_cause_with_their_traceback(page: Page) -> None:
    assert "1 \u00d7 ValueError: <script> trial 3 Traceback ValueError: <script>" in page.text("failures")


def test_the_contents_lead_to_every_section(page: Page) -> None:
    assert [link for link in page.links if link.startswith("#")] == [f"#{id}" for id in page.sections]


def test_nothing_is_loaded(page: Page, tmp_path: Path) -> None:
    assert [link for link in page.links if not link.startswith("#")] == ["data:,"], "an icon that is none"
    text = render(made_asha().study(tmp_path))
    assert "default-src 'none'" in text, "nor could it be"
    assert "@import" not in text
    assert "sourceMappingURL" not in text


def test_the_table_has_all_trials_best_first_and_empty_cells_where_a_trial_has_no_such_parameter(
    tmp_path: Path,
) -> None:
    made = made_asha()
    made.record.status = "running"
    params: dict[str, Any] = {"net.depth": 2, "lr": 0.5, "opt.lr": 3, "act": "relu"}
    made.train("4", 0.2, slot=0, **params).end("4", "diverged", "nan")
    table = page_of(made.study(tmp_path)).data["table-data"]
    assert [column["name"] for column in table["columns"]] == [
        "rank", "trial", "state", "val_acc", "epochs", "seconds", "act", "lr", "net.depth", "opt.lr", "why",
    ]  # fmt: skip
    assert [row[1][1] for row in table["rows"]] == ["1", "2", "0", "3", "4"]
    assert table["rows"][0][3:5] == [[0.9, "0.9"], 3]
    last = dict(zip((column["name"] for column in table["columns"]), table["rows"][-1], strict=True))
    assert (last["state"], last["val_acc"], last["net.depth"], last["act"]) == ("diverged", None, [2, "2"], "relu")
    assert table["rows"][0][8] is None


@pytest.mark.parametrize("where", ["param", "path", "reason", "error", "name", "command", "metric", "option"])
def test_no_text_breaks_out(where: str, tmp_path: Path) -> None:
    metric = EVIL if where == "metric" else "val_acc"
    made = Made(dataclasses.replace(ACCURACY, metric=metric))
    made.metric = metric
    command = f"x {shlex.quote(EVIL)}" if where == "command" else COMMAND
    made.tell("opened", name="first", torn=0, command=command)
    params: dict[str, Any] = {EVIL if where == "path" else "lr": EVIL if where == "param" else 0.1}
    params["list"] = [EVIL if where == "option" else "relu"]
    made.tell("suggested", trial="0", params=params)
    made.tell("started", trial="0", slot=0)
    made.tell("reported", trial="0", epoch=1, step=1, seconds=1.0, metrics={metric: 0.5})
    made.end("0", "stopped", EVIL if where == "reason" else "so")
    made.train("1", 0.2).end("1", "failed", f"E: {EVIL if where == 'error' else ''}", EVIL if where == "error" else "E")
    study = made.close().study(tmp_path)
    if where == "name":
        study = dataclasses.replace(
            study, folder=dataclasses.replace(study.folder, path=tmp_path / EVIL.replace("/", "_"))
        )
    page = page_of(study)
    assert set(page.data) <= {"table-data", "themes", *(f"{id}-data" for id in page.sections)}
    assert page.tags.count("script") == len(page.data) + 2, "plotly's and our own"
    assert "img" not in page.tags
    rows = page.data["table-data"]["rows"]
    assert not EVIL_PLACES.get(where) or EVIL_PLACES[where](page, rows), "and it is there, as it was typed"


EVIL_PLACES: dict[str, Any] = {
    "param": lambda page, rows: EVIL in rows[0],
    "path": lambda page, rows: any(column["title"] == EVIL for column in page.data["table-data"]["columns"]),
    "reason": lambda page, rows: rows[0][-1] == EVIL,
    "error": lambda page, rows: EVIL in page.text("failures"),
    "name": lambda page, rows: EVIL.replace("/", "_") in page.text(),
    "command": lambda page, rows: "alert(1)" in page.text("commands"),
    "metric": lambda page, rows: EVIL in page.text(),
}


def test_a_running_study_says_who_leads_and_of_when_it_is(tmp_path: Path) -> None:
    made = Made().begin().train("0", 0.5, lr=0.1).pause("0", "so").train("1", 0.4, slot=1, lr=0.2)
    page = page_of(made.study(tmp_path))
    assert "Trial 0 leads so far with val_acc = 0.5 at epoch 1, 0.1 ahead of trial 1." in page.text()
    assert "This study had not ended when the page was made" in page.text()
    assert "Best so far val_acc 0.5" in page.text("summary")


def test_an_interrupted_study_says_how_it_goes_on(tmp_path: Path) -> None:
    made = Made().begin().train("0", 0.5, lr=0.1).close("interrupted", "interrupted")
    page = page_of(made.study(tmp_path))
    assert "This study was interrupted, and can go on" in page.text()
    assert "Go on with the study python -m raytune_nn +search=asha study.storage=" in page.text("commands")
    (row,) = page.data["table-data"]["rows"]
    assert row[2] == "interrupted"


def test_a_study_without_a_value_is_shown_with_what_went_wrong(tmp_path: Path) -> None:
    made = Made().begin().train("0").end("0", "failed", "E: so", "Traceback\nE: so").close("failed")
    page = page_of(made.study(tmp_path))
    assert "No trial has a value. No trial of this study has a value: what went wrong stands below." in page.text()
    assert "winner" not in page.sections
    assert "1 \u00d7 E: so" in page.text("failures")


def test_a_study_of_which_nothing_is_known_yet_has_a_page(tmp_path: Path) -> None:
    page = page_of(Made().begin().study(tmp_path))
    assert page.data["table-data"]["rows"] == []
    assert page.sections == ["summary", "commands", "costs", "trials"]


def test_of_several_metrics_the_front_stands_side_by_side(tmp_path: Path) -> None:
    made = Made(FRONT).begin()
    for trial, (value, loss) in enumerate([(0.5, 0.2), (0.8, 0.7), (0.4, 0.9)]):
        id = str(trial)
        made.tell("suggested", trial=id, params={"lr": 0.1})
        made.tell("started", trial=id, slot=0)
        made.tell("reported", trial=id, epoch=1, step=1, seconds=1.0, metrics={"val_acc": value, "val_loss": loss})
        made.end(id)
    page = page_of(made.close().study(tmp_path))
    assert "Pareto front 2 trials that no other beats by all metrics" in page.text("summary")
    assert "trial 1 trial 0 val_acc 0.8 0.5 val_loss 0.7 0.2" in page.text("winner")
    assert [row[0] for row in page.data["table-data"]["rows"]] == [[1, "1 ★"], [2, "2 ★"], 3]


def test_folds_have_their_deviation(tmp_path: Path) -> None:
    made = Made(dataclasses.replace(ACCURACY, folds=2)).begin()
    for trial, mean in (("0", 0.5), ("1", 0.75)):
        made.tell("suggested", trial=trial, params={"lr": 0.1})
        made.tell("started", trial=trial, slot=0)
        for fold in (1, 2):
            metrics = {"val_acc": mean, "val_acc_std": 0.125} if fold == 2 else {"val_acc": mean}
            made.tell("reported", trial=trial, epoch=9 * fold, step=9, seconds=1.0 * fold, metrics=metrics)
        made.end(trial)
    page = page_of(made.close().study(tmp_path, make_settings()))
    assert "Trial 1 won with val_acc = 0.75 ± 0.12 over 2 folds, 0.25 ahead of trial 0." in page.text()
    assert "At full budget 36 epochs" in page.text("costs")


def test_another_version_is_told(tmp_path: Path) -> None:
    study = Made().begin("0.0.7").train("0", 0.5).end("0").close().study(tmp_path)
    page = page_of(dataclasses.replace(study, settings=None))
    assert "The study is of raytune_nn 0.0.7, this page of" in page.text()
    assert "Its config.yaml is of another version" in page.text()


def test_it_is_written_into_the_study_s_folder_and_nothing_else_is_left(tmp_path: Path) -> None:
    study = made_asha().study(tmp_path)
    study.folder.create()
    path = write_report(study)
    assert [path] == list(study.folder.path.iterdir())
    assert "Trial 1 won" in Page(path.read_text(encoding="utf-8")).text()
