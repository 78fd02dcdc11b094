"""The wheel, installed elsewhere: it brings its configuration and needs nothing of the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import REPOSITORY, Place, new_place

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-P", "-m", "raytune_nn")  # -P: the working directory is not on the path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An empty directory, from which only the installed wheel is imported."""
    installed = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    with new_place(tmp_path_factory.mktemp("elsewhere"), python_path=str(installed)) as place:
        where = place.run("-c", "import raytune_nn; print(raytune_nn.__file__)", command=(sys.executable, "-P"))
        assert where.out.strip() == str(installed / "raytune_nn" / "__init__.py"), "not the checkout"
        yield place


def test_it_holds_the_package_and_the_configuration_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        licenses = [name for name in archive.namelist() if name.endswith("LICENSE")]
    assert {name.partition("/")[0] for name in names} == {"raytune_nn"}
    packed = {name.removeprefix("raytune_nn/conf/") for name in names if name.startswith("raytune_nn/conf/")}
    files = [path for path in (REPOSITORY / "conf").rglob("*") if path.is_file()]
    assert packed == {str(path.relative_to(REPOSITORY / "conf")) for path in files}
    assert licenses


def test_a_plan_from_another_directory(place: Place) -> None:
    ran = place.run("mode=plan", "+search=asha", command=COMMAND)
    assert ran.code == 0, ran.err
    assert "rungs      1, 3, 9" in ran.out
    assert "optimizer.lr" in ran.out
    assert list(place.work.iterdir()) == []


@pytest.mark.parametrize(
    ("argument", "rule"),
    [
        ("+search=ahsa", "search must be one of its options"),
        ("optimizer.lrr=1", "optimizer.lrr must be a"),
        ("budget.max_epochs=0", "budget.max_epochs must be greater than 0"),
        ("model._target_=torch.nn.Linear", "model._target_ must be a LightningModule"),
    ],
)
def test_bad_input_is_refused(place: Place, argument: str, rule: str) -> None:
    ran = place.run("mode=plan", argument, command=COMMAND)
    assert ran.code == 2, ran.out
    assert rule in ran.err
    assert "Traceback" not in ran.err
    assert list(place.work.iterdir()) == []


def test_a_training(place: Place) -> None:
    ran = place.run("+debug=tiny", "study.name=first", command=COMMAND)
    assert ran.code == 0, ran.err
    assert (place.study() / "best" / "model.ckpt").is_file()
