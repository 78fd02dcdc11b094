"""A secret of the environment is in no file that a command writes: neither the study's nor those of Ray."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from processes import Place, new_place, summary

from raytune_nn.config.secrets import Secrets, references_kept

CANARY = "canary-5f3a9c1e7b"  # nothing refers to it
TOKEN = "token-8d2b6e4f0a"
MODULE = """
import os
from pathlib import Path
import pytorch_lightning as pl
from raytune_nn.data import DigitsDataModule
from raytune_nn.nn import Classification


class Data(DigitsDataModule):
    def __init__(self, token, url, **keywords):
        super().__init__(**keywords)
        self.save_hyperparameters()
        assert token == os.environ["SECRET_TOKEN"] and url.endswith(f"?key={token}")


class Model(Classification):
    def __init__(self, token, width, **keywords):
        super().__init__(**keywords)
        self.save_hyperparameters(ignore=["net"])
        self.width = width

    def on_train_epoch_end(self):
        secrets = [os.environ[name].encode() for name in ("A_CANARY", "SECRET_TOKEN")]
        files = [path for path in Path(os.environ["TMPDIR"]).rglob("*") if path.is_file()]  # Ray's are gone in the end
        leaks = [str(path) for path in files if any(secret in path.read_bytes() for secret in secrets)]
        with open(os.environ["NOTES"], "a") as notes:
            notes.write(f"{len(files)} files, leaks: {leaks}\\n")
        if self.width > 5 and self.current_epoch == 1:
            raise RuntimeError(f"401 for {self.hparams.token}")
"""
MINE = {
    "model/mine.yaml": ("defaults: [mlp]\n_target_: mine.Model\ntoken: ${data.token}\nwidth: 1\n"),
    "data/mine.yaml": (
        "defaults: [digits]\n_target_: mine.Data\ntoken: ${oc.env:SECRET_TOKEN}\nurl: https://x/?key=${.token}\n"
    ),
    "search_space/mine.yaml": "model: {width: 'choice(1, 9)'}",
}


def write_mine(place: Place) -> None:
    (place.work / "mine.py").write_text(MODULE)
    for name, text in MINE.items():
        path = place.work / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def files_with(folder: Path, *secrets: str) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            found.append(str(path.relative_to(folder)))
    return found


@pytest.mark.parametrize("search", [(), ("+search=grid",)])
@pytest.mark.slow
def test_no_file_holds_it(search: tuple[str, ...], tmp_path: Path) -> None:
    environment = {"A_CANARY": CANARY, "SECRET_TOKEN": TOKEN, "NOTES": str(tmp_path / "notes")}
    with new_place(tmp_path, environment=environment, python_path=f"{tmp_path}:{Path(__file__).parents[2]}") as place:
        write_mine(place)
        options = ("--config-dir", "conf", "model=mine", "data=mine", "study.name=first", "budget.max_epochs=3")
        ran = place.run(*search, *options)
        assert ran.code == 0, ran.err
        assert TOKEN not in ran.out + ran.err
        study = place.study()
        assert files_with(place.work, TOKEN, CANARY) == []
        assert files_with(place.temporary, TOKEN, CANARY) == []
        notes = (tmp_path / "notes").read_text().splitlines()
        assert all(line.endswith("leaks: []") for line in notes), notes
        if search:
            assert int(notes[-1].split()[0]) > 10  # Ray's logs and the like
            assert summary(study)["counts"]["failed"] == 1
            assert "401 for ${oc.env:SECRET_TOKEN}" in "".join(path.read_text() for path in study.glob("journal/*"))
        assert "url: https://x/?key=${oc.env:SECRET_TOKEN}" in next(study.glob("checkpoints/*/config.yaml")).read_text()
        checkpoint = torch.load(next(study.glob("checkpoints/*/model.ckpt")), weights_only=True)
        assert checkpoint["hyper_parameters"]["token"] == "${oc.env:SECRET_TOKEN}"


def test_what_a_configuration_refers_to_is_hidden_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LONG": TOKEN, "LONGER": f"{TOKEN}-more", "SHORT": "12345", "OTHER": CANARY}.items():
        monkeypatch.setenv(name, value)
    tree = {"a": "${oc.env:LONG}", "b": ["x/${ oc.env:LONGER , y}", "${oc.env:SHORT}", "${oc.env:UNSET,z}", 3, None]}
    secrets = Secrets(tree)
    shown = {"a": TOKEN, "b": [f"<{TOKEN}-more>", "12345", CANARY, 3, None, (TOKEN,)]}
    assert secrets.hide(shown) == {
        "a": "${oc.env:LONG}", "b": ["<${oc.env:LONGER}>", "12345", CANARY, 3, None, ("${oc.env:LONG}",)]
    }  # fmt: skip
    assert secrets
    assert not Secrets({"a": "${seed}", "b": "${oc.env:SHORT}"})
    assert json.loads(json.dumps(secrets.hide(["x"]))) == ["x"]


def test_references_are_kept_wherever_they_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    from omegaconf import OmegaConf

    monkeypatch.setenv("LONG", TOKEN)
    tree = OmegaConf.create({"a": "${oc.env:LONG}", "b": "x/${a}", "c": {"d": "${b}"}, "e": "${oc.env:NOT_THERE}"})
    with references_kept():
        kept = OmegaConf.to_container(tree, resolve=True)
    assert kept == {"a": "${oc.env:LONG}", "b": "x/${oc.env:LONG}", "c": {"d": "x/${oc.env:LONG}"},
                    "e": "${oc.env:NOT_THERE}"}  # fmt: skip
    assert tree.c.d == f"x/{TOKEN}"
