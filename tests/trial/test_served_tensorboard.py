"""What a browser gets of TensorBoard, served on loopback: its HParams page lists every trial in the right columns."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard import program
from trial_parts import Reports, base_config, context

from raytune_nn.space.parse import parse_space
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.task import TrialTask
from raytune_nn.trial.tensorboard import TrialLogger

pytestmark = pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")

SPACE = {
    "optimizer": {"choose": {"sgd": {"momentum": {"dist": "uniform", "low": 0.0, "high": 0.9}}, "adamw": {}}},
    "model": {"width": {"dist": "randint", "low": 1, "high": 4}},
}
TRIALS: dict[str, dict[str, Any]] = {
    "0": {"model.width": 1},
    "1": {"model.width": 3},
    "2": {"model.width": 2},
}


class Page:
    """TensorBoard on a folder."""

    def __init__(self, folder: Path) -> None:
        board = program.TensorBoard()
        quick = ["--load_fast", "false", "--reload_interval", "0"]  # in this process, all at once
        board.configure(argv=["", "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0", *quick])
        self.server = board._make_server()
        self.url = self.server.get_url()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def post(self, what: str, **request: Any) -> Any:
        body = json.dumps(request).encode()
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self.url}data/plugin/hparams/{what}", body, headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)

    def groups(self, wanted: int) -> dict[str, Any]:
        """The rows of the table by trial, once so many are read."""
        for _ in range(100):
            statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
            answer = self.post(
                "session_groups",
                experimentName="",
                allowedStatuses=statuses,
                colParams=[],
                startIndex=0,
                sliceSize=100,
            )
            rows = {group["name"]: group for group in answer.get("sessionGroups", [])}
            if len(rows) >= wanted:
                return rows
            time.sleep(0.1)
        raise AssertionError(f"{len(rows)} of {wanted} trials")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Three trials that ended, one of them badly, and one that runs."""
    folder = tmp_path_factory.mktemp("study")
    space = parse_space(SPACE)
    values = {"0": [0.25, 0.75, 0.5], "1": [0.5], "2": [0.5, float("nan")]}
    for trial, params in TRIALS.items():
        model = {"_target_": "trial_parts.Net", "accuracy": values[trial], "width": 1}
        study = context(base_config(model=model), folder, space=space)
        run_trial(study, TrialTask(trial, params, front=()), Isolation(threads=1), Reports())
    runs = TrialLogger(
        folder / "tb" / "3", "3", {"optimizer": "sgd", "optimizer.momentum": 0.5}, ["val_acc"], space=space
    )
    runs.log_metrics({"val_acc": 0.25}, 0)
    runs.log_result((0.25,), best=True)
    runs.flush()
    served = Page(folder / "tb")
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_its_columns_are_all_parameters_and_the_best_and_last_value(page: Page) -> None:
    page.groups(4)
    experiment = page.post("experiment", experimentName="")
    assert [info["name"] for info in experiment["hparamInfos"]] == ["model.width", "optimizer", "optimizer.momentum"]
    tags = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert tags == ["best/val_acc", "last/val_acc"]


def test_it_lists_every_trial_with_what_it_was_given_and_its_status(page: Page) -> None:
    rows = page.groups(4)
    assert {name: row["hparams"] for name, row in rows.items()} == {
        "0": {"model.width": 1.0},
        "1": {"model.width": 3.0},
        "2": {"model.width": 2.0},
        "3": {"optimizer": "sgd", "optimizer.momentum": 0.5},
    }
    status = {name: row["sessions"][0].get("status", "STATUS_UNKNOWN") for name, row in rows.items()}
    ended = {"0": "STATUS_SUCCESS", "1": "STATUS_SUCCESS", "2": "STATUS_FAILURE"}
    assert status == ended | {"3": "STATUS_UNKNOWN"}, "which is what TensorBoard calls one that runs"


def test_it_shows_the_best_and_the_last_value(page: Page) -> None:
    shown = {
        name: {value["name"]["tag"]: value["value"] for value in row["metricValues"]}
        for name, row in page.groups(4).items()
    }
    assert shown["0"] == {"best/val_acc": 0.75, "last/val_acc": 0.5}
    assert shown["3"] == {"best/val_acc": 0.25, "last/val_acc": 0.25}
    assert shown["2"]["best/val_acc"] == 0.5
