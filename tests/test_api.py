"""Studies from Python."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
from pathlib import Path
from unittest import mock

import hydra
import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from s3_server import KEYS, make_bucket, s3_server, url_of
from study_folders import PARAMS, make_study

import raytune_nn
from raytune_nn.errors import ConfigError, InterruptedStudyError, RaytuneError
from raytune_nn.store.bucket import read_url
from raytune_nn.store.object_store import ObjectStore

MODE = "raytune_nn.cli.run_mode"


def test_a_study_is_read_into_data_frames(tmp_path: Path) -> None:
    folder, _ = make_study(tmp_path / "first")
    folder.best.mkdir()
    (folder.best / "model.ckpt").write_text("model")
    study = raytune_nn.load_study(folder.path)
    assert (study.name, study.path, study.status) == ("first", str(folder.path), "complete")
    assert repr(study) == "<Study first: complete, 3 trials>"
    best = study.best
    assert best == raytune_nn.Best("0", 0.75, PARAMS[0], str(folder.best / "model.ckpt"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        best.value = 1.0  # type: ignore[misc]
    assert isinstance(study.trials, pd.DataFrame)
    assert study.trials["state"].tolist() == ["complete", "stopped", "failed"]
    assert study.trials["params.optimizer.momentum"].isna().tolist() == [False, True, True]
    assert study.results.groupby("trial")["metrics.val_acc"].max().to_dict() == {0: 0.75, 1: 0.5}


def test_a_path_may_be_relative_and_a_model_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path / "studies" / "first")
    monkeypatch.chdir(tmp_path)
    best = raytune_nn.load_study("studies/first").best
    assert best is not None
    assert best.model is None


def test_a_study_is_read_from_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    url = url_of(make_bucket(s3_server()), s3_server())
    store = ObjectStore(read_url(url))
    folder, _ = make_study(tmp_path / "first")
    for path in ("config.yaml", "summary.json"):
        store.write(f"first/{path}", (folder.path / path).read_bytes())
    store.write("first/journal/00000-00000.jsonl", (folder.journal / "00000.jsonl").read_bytes())
    store.write("first/best/model.ckpt", b"model")
    place, _, options = url.partition("?")
    study = raytune_nn.load_study(f"{place}/first?{options}")
    assert study.best is not None
    assert str(study.best.model).startswith("s3://")
    assert len(study.results) == 4


@pytest.mark.parametrize("path", ["nope", "first/journal"])
def test_a_folder_that_is_no_study_is_refused(path: str, tmp_path: Path) -> None:
    make_study(tmp_path / "first")
    with pytest.raises(ConfigError, match="there must be a study"):
        raytune_nn.load_study(tmp_path / path)


def test_a_study_without_a_winner(tmp_path: Path) -> None:
    folder, _ = make_study(tmp_path / "first")
    segment = folder.journal / "00000.jsonl"
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:3]))
    study = raytune_nn.load_study(folder.path)
    assert (study.best, len(study.results), study.status) == (None, 0, "running")


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported it."""
    monkeypatch.delitem(sys.modules, "ray", raising=False)


@pytest.mark.usefixtures("no_ray")
def test_a_study_that_ran_is_returned_and_the_process_is_left_as_it_was(here: Path) -> None:
    folder, _ = make_study(here / "studies" / "first")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    before, variable = (sys.argv, HydraConfig.instance().cfg), os.environ.pop("HYDRA_FULL_ERROR")
    (here / "mine").mkdir()
    (here / "mine" / "config.yaml").write_text("a: 1")
    with hydra.initialize_config_dir(str(here / "mine"), version_base="1.3"):
        mine = GlobalHydra.instance().hydra
        with mock.patch(MODE, return_value=folder) as mode:
            study = raytune_nn.run(["+search=asha", "seed=3"])
        assert GlobalHydra.instance().hydra is mine
        assert hydra.compose("config").a == 1
    assert study.name == "first"
    assert mode.call_args.args[0].settings.seed == 3
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    assert (sys.argv, HydraConfig.instance().cfg) == before
    assert "HYDRA_FULL_ERROR" not in os.environ
    os.environ["HYDRA_FULL_ERROR"] = variable


@pytest.mark.usefixtures("here", "no_ray")
@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (["sede=3"], "sede=3"),
        (["seed=x"], "seed=x"),
        (["mode=plan"], "mode=plan"),
        (["--cfg", "job"], "--cfg"),
        (["a b"], "a b"),
    ],
)
def test_what_does_not_compose_is_raised(overrides: list[str], found: str) -> None:
    with mock.patch(MODE) as mode, pytest.raises(ConfigError) as raised:
        raytune_nn.run(overrides)
    assert found in str(raised.value)
    assert not mode.called


@pytest.mark.usefixtures("here", "no_ray")
def test_an_error_of_a_study_is_raised_and_ctrl_c_too() -> None:
    with mock.patch(MODE, side_effect=InterruptedStudyError("so")), pytest.raises(RaytuneError, match="so"):
        raytune_nn.run(["+search=asha"])
    with mock.patch(MODE, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        raytune_nn.run(["+search=asha"])


@pytest.mark.usefixtures("here")
def test_calls_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="must be a list of texts"):
        raytune_nn.run("+search=asha")
    raised: list[BaseException] = []

    def call() -> None:
        try:
            raytune_nn.run(["+search=asha"])
        except ConfigError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "must be called in the main thread" in str(raised[0])
    ray = mock.Mock()
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(ConfigError, match="starts a Ray of its own"):
        raytune_nn.run(["+search=asha"])
    ray.is_initialized.return_value = False
    monkeypatch.delenv("RAY_AUTH_MODE")
    with pytest.raises(ConfigError, match="nothing may import ray before the first study"):
        raytune_nn.run(["+search=asha"])


@pytest.mark.usefixtures("here", "no_ray")
def test_the_users_own_groups_are_found(here: Path) -> None:
    (here / "mine" / "model").mkdir(parents=True)
    (here / "mine" / "model" / "own.yaml").write_text("_target_: torch.nn.Linear\n")
    folder, _ = make_study(here / "studies" / "first")
    with mock.patch(MODE, return_value=folder) as mode:
        raytune_nn.run(["model=own"], config_dir=here / "mine")
    assert mode.call_args.args[0].settings.model["_target_"] == "torch.nn.Linear"
