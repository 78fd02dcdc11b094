"""A whole study as a user runs it, and all that the same folder is good for afterwards."""

from __future__ import annotations

import csv
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from processes import FIRST, Place, Study, events, first_study, new_place, rows, summary

NOISE = re.compile(
    r"warning|\braylet\b|\bray\.|lightning|tensorboard\W*$|INFO|litlogger|GPU available|\x1b", re.IGNORECASE
)


@pytest.fixture(scope="module")
def study() -> Study:
    return first_study()


@pytest.fixture
def copy(study: Study, tmp_path: Path) -> Iterator[Place]:
    """The same study at another place, to be changed."""
    with new_place(tmp_path) as place:
        shutil.copytree(study.folder, place.study())
        yield place


def test_a_study_runs_to_its_end(study: Study) -> None:
    result = summary(study.folder)
    counts = result["counts"]
    assert result["status"] == "complete"
    assert (counts["trials"], counts["failed"], counts["diverged"], counts["cached"]) == (6, 0, 0, 0)
    assert counts["complete"] + counts["stopped"] == 6
    assert counts["stopped"] > 0
    assert counts["epochs"] == sum(int(row["epochs"]) for row in rows(study.folder))
    assert result["best"]["value"] >= 0.95
    assert result["seconds"]["busy"] > 0
    assert result["command"] == "python -m raytune_nn " + " ".join(FIRST)
    assert {"raytune_nn", "python", "ray", "torch"} <= set(result["versions"])


def test_the_study_folder_is_as_promised(study: Study) -> None:
    names = {path.name for path in study.folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        "summary.json",
        "config.yaml",
        "space.yaml",
        "journal",
        "trials.csv",
        "trials.parquet",
        "results.parquet",
        "report.html",
        "tb",
        "checkpoints",
        "best",
    }
    assert {path.name for path in (study.folder / "tb").iterdir()} == set("012345")
    assert {path.name for path in (study.folder / "best").iterdir()} == {"config.yaml", "model.ckpt", "trial.json"}
    best = summary(study.folder)["best"]["trial"]
    assert [path.name for path in (study.folder / "checkpoints").iterdir()] == [best], "only the winner's is kept"


def test_the_table_has_one_row_a_trial(study: Study) -> None:
    with (study.folder / "trials.csv").open() as file:
        reader = csv.DictReader(file)
        table = list(reader)
    assert [row["trial"] for row in table] == list("012345")
    assert reader.fieldnames is not None
    assert list(reader.fieldnames[:5]) == ["trial", "state", "value", "epochs", "seconds"]
    assert "params.optimizer.lr" in reader.fieldnames
    best = summary(study.folder)["best"]
    assert max(float(row["value"]) for row in table) == best["value"]


def test_best_is_the_winners_configuration(study: Study) -> None:
    best = summary(study.folder)["best"]
    config = yaml.safe_load((study.folder / "best" / "config.yaml").read_text())
    assert config["optimizer"]["lr"] == best["params"]["optimizer.lr"]
    assert config["model"]["net"]["in_features"] == 64
    base = yaml.safe_load((study.folder / "config.yaml").read_text())
    assert base["model"]["net"]["in_features"] == "${from_data:num_features}"


def test_nothing_but_our_own_words_is_printed(study: Study) -> None:
    assert study.ran.err == ""
    ours = [line for line in study.ran.out.splitlines() if not line.startswith("tensorboard ")]
    assert [line for line in ours if NOISE.search(line)] == []
    for command in ("resume      python", "reproduce   python", "tensorboard tensorboard --logdir studies/first/tb"):
        assert f"\n{command}" in study.ran.out
    assert "watch it: tensorboard --logdir studies/first/tb" in study.ran.out.splitlines()[:3], "at the start, too"


def test_nothing_is_left_behind(study: Study) -> None:
    assert study.place.leftovers() == []
    assert study.place.processes() == []
    assert [path.name for path in study.place.work.iterdir()] == ["studies"]


def test_a_finished_study_is_shown_at_once(study: Study) -> None:
    before = (study.folder / "summary.json").read_bytes()
    again = study.place.run(*FIRST)
    assert again.code == 0
    assert "starting" not in again.out, "no Ray starts"
    assert f"best  trial {summary(study.folder)['best']['trial']}: val_acc" in again.out
    assert (study.folder / "summary.json").read_bytes() == before


def test_a_changed_seed_is_refused_with_the_difference(study: Study) -> None:
    before = (study.folder / "summary.json").read_bytes()
    refused = study.place.run(*FIRST[:-1], "seed=2")
    assert refused.code == 2
    assert "seed: 1 -> 2" in refused.err
    assert "Traceback" not in refused.err
    assert (study.folder / "summary.json").read_bytes() == before


@pytest.mark.slow
def test_more_trials_go_on_where_the_study_ended(copy: Place) -> None:
    before = rows(copy.study())
    ran = copy.run(*FIRST, "budget.num_trials=8")
    assert ran.code == 0, ran.err
    after = rows(copy.study())
    assert after[:6] == before
    assert [row["trial"] for row in after] == list("01234567")
    begun = [event["trial"] for event in events(copy.study()) if event["type"] == "started" and not event.get("epoch")]
    assert sorted(begun) == list("01234567"), "no trial begins twice"


def test_the_report_is_made_from_the_journal_alone(copy: Place) -> None:
    before = {name: (copy.study() / name).read_text() for name in ("trials.csv", "summary.json")}
    for name in before:
        (copy.study() / name).unlink()
    ran = copy.run("mode=report", "study.name=first")
    assert ran.code == 0, ran.err
    assert {name: (copy.study() / name).read_text() for name in before} == before
    assert "val_acc" in ran.out


@pytest.mark.slow
def test_the_winner_is_reproduced_and_nothing_is_touched(study: Study) -> None:
    files = {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")}
    ran = study.place.run("mode=reproduce", "study.name=first")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    assert f"reproduced: trial {summary(study.folder)['best']['trial']}" in ran.out
    assert {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")} == files
    assert study.place.leftovers() == []


def test_a_metric_that_was_tampered_with_is_not_reproduced(copy: Place) -> None:
    (segment,) = (copy.study() / "journal").glob("*.jsonl")
    lines = []
    for line in segment.read_text().splitlines():
        event = json.loads(line.partition(" ")[2])
        if event["type"] == "reported" and event["trial"] == "0" and event["epoch"] == 1:
            event["metrics"]["val_loss"] += 1e-9
        body = json.dumps(event, separators=(",", ":"))
        lines.append(f"{zlib.crc32(body.encode()):08x} {body}\n")
    segment.write_text("".join(lines))
    ran = copy.run("mode=reproduce", "study.name=first", "study.trial=0")
    assert ran.code == 5
    assert "report 1: val_loss was " in ran.err
    assert "Traceback" not in ran.err
