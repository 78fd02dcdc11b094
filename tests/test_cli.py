"""The command line: flags, exit codes, and what goes where."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import yaml
from command_line import compose, refused, run

import raytune_nn
from raytune_nn import errors
from raytune_nn.cli import main, split_flags
from raytune_nn.errors import ConfigError, RaytuneError

MODE = "raytune_nn.cli.run_mode"


def test_flags_and_overrides_come_apart() -> None:
    flags, overrides = split_flags(["a=1", "--config-dir", "my_conf", "+b=2", "--cfg=job", "-p", "budget", "~c"])
    assert flags == ["--config-dir", "my_conf", "--cfg=job", "-p", "budget"]
    assert overrides == ["a=1", "+b=2", "~c"]


@pytest.mark.parametrize(
    ("arguments", "rule", "fix"),
    [
        (["--multirun"], "one command runs one study; a search runs many trials", "+search=random"),
        (["seed=1", "-m"], "one command runs one study; a search runs many trials", "+search=random"),
        (["--multi"], "a flag must be one of those that --help and --hydra-help list", "--help"),
        (["--confg-dir", "x"], "a flag must be one of those that --help and --hydra-help list", "--config-dir"),
        (["--config-path", "x"], "the built-in configuration is always there; yours adds to it", "--config-dir"),
        (["--config-dir"], "this flag needs a value", "--config-dir my_conf"),
        (["seed=1", "--cfg"], "this flag needs a value", "--cfg job"),
        (["--config-dir="], "this flag needs a value", "--config-dir=my_conf"),
        (["--help="], "this flag takes no value", "--help"),
        (["--resolve=true"], "this flag takes no value", "--resolve"),
        (["-cd", "a", "--config-dir=b"], "--config-dir must be given once", "'hydra.searchpath="),
        (["hydra.run.dir=x"], "of Hydra's own keys only hydra.searchpath can be set", "study.storage="),
        (["+hydra.job.chdir=true"], "of Hydra's own keys only hydra.searchpath can be set", "study.storage="),
        (["hydra/job_logging=default"], "of Hydra's own keys only hydra.searchpath can be set", "study.storage="),
        (["hydra.mode=MULTIRUN", "seed=1,2"], "of Hydra's own keys only hydra.searchpath can be set", "study."),
    ],
)
def test_flags_that_are_refused(arguments: list[str], rule: str, fix: str) -> None:
    with pytest.raises(ConfigError) as raised:
        split_flags(arguments)
    assert raised.value.rule.startswith(rule)
    assert raised.value.fix.startswith(fix)


@pytest.mark.parametrize("arguments", [["--version"], ["seed=x", "--version"]])
def test_the_version(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{raytune_nn.__version__}\n"


def test_help_lists_every_group(here: Path) -> None:
    ran = run("--help")
    assert ran.code == 0
    assert ran.out.startswith("raytune_nn is powered by Hydra.")
    for line in (
        "model: audio_cnn, cnn, mlp, mlp_regression, recurrent, transformer, vae",
        "search: asha, bohb, cmaes, gp, grid, nsga2, pb2, pbt, pbt_replay, quasi_random, random, tpe",
        "search/scheduler: asha, median, none, patience, pb2, pbt, pbt_replay",
    ):
        assert f"\n{line}\n" in ran.out
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--cfg", "job", "seed=3"], ["seed=3", "--cfg=job"], ["-c", "job", "seed=3"]])
def test_the_configuration_is_shown_and_nothing_runs(here: Path, arguments: list[str]) -> None:
    with mock.patch(MODE) as mode:
        ran = run(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert yaml.safe_load(ran.out)["seed"] == 3
    assert not mode.called
    assert list(here.iterdir()) == []


@pytest.mark.usefixtures("here")
def test_what_hydras_parser_refuses_is_an_exit_code_too() -> None:
    ran = run("--cfg", "nope")
    assert ran.code == 2
    assert "invalid choice: 'nope'" in ran.err


def endings() -> list[tuple[BaseException, int]]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RaytuneError)]
    return [*((kind("a rule"), kind.exit_code) for kind in kinds), (KeyboardInterrupt(), 75), (SystemExit(4), 4)]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("error", "code"), endings(), ids=lambda item: type(item).__name__)
def test_an_error_of_a_mode_is_its_exit_code_and_one_message(error: BaseException, code: int) -> None:
    with mock.patch(MODE, side_effect=error):
        ran = run()
    assert (ran.code, ran.out) == (code, "")
    assert "Traceback" not in ran.err
    if isinstance(error, RaytuneError):
        assert ran.err == "raytune_nn: a rule\n"


def test_the_exit_codes_are_those_that_are_documented() -> None:
    codes = {type(error).__name__: code for error, code in endings() if isinstance(error, RaytuneError)}
    assert codes == {
        "RaytuneError": 1,
        "ConfigError": 2,
        "SpaceError": 2,
        "StudyMismatchError": 2,
        "NoSuccessfulTrialError": 3,
        "UnusableError": 4,
        "NotReproducedError": 5,
        "InterruptedStudyError": 75,
    }
    assert errors.__doc__ is not None
    for name, code in codes.items():
        line = next(line for line in errors.__doc__.splitlines() if name in line)
        assert line.split()[line.split().index(name) + 1] == str(code)


@pytest.mark.usefixtures("here")
def test_a_fault_of_ours_shows_its_traceback() -> None:
    with mock.patch(MODE, side_effect=ZeroDivisionError("oh")):
        ran = run()
    assert ran.code == 1
    assert "ZeroDivisionError: oh" in ran.err
    assert ran.err.endswith("This is a fault of raytune_nn, not of your configuration.\n")


def test_a_message_has_the_rule_what_was_found_and_what_to_type() -> None:
    assert str(ConfigError("a rule", 3, "a=4")) == "a rule\n  found: 3\n  try:   a=4"
    assert str(ConfigError("a rule", 0)) == "a rule\n  found: 0"
    assert str(ConfigError("a rule", None, "a=4")) == "a rule\n  try:   a=4"


def test_the_process_is_left_as_it_was(here: Path) -> None:
    """The working directory alone joins the import path, for the user's own package, here and in what is started."""
    before = sys.argv
    compose("seed=3")
    refused("sede=3")
    assert sys.argv is before
    assert Path.cwd() == here
    assert str(here) in sys.path
    assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == str(here)
    compose()
    assert os.environ["PYTHONPATH"].split(os.pathsep).count(str(here)) == 1


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = str(Path(raytune_nn.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


def test_the_public_names(tmp_path: Path) -> None:
    """Adding one is a promise: it belongs here as well."""
    code = (
        "import sys, raytune_nn; before = set(sys.modules)\n"
        "print(dir(raytune_nn), [name for name in before if name.partition('.')[0] in ('hydra', 'pandas', 'torch')])\n"
        "print([getattr(raytune_nn, name).__module__ for name in dir(raytune_nn) if name[0] != '_'])\n"
        "print([name for name in ('hydra', 'pandas', 'torch', 'pyarrow', 'ray') if name in sys.modules])\n"
        "print(hasattr(raytune_nn, 'nope'))"
    )
    names = ["Best", "RaytuneError", "Study", "__version__", "load_study", "run"]
    homes = ["raytune_nn.api", "raytune_nn.errors", "raytune_nn.api", "raytune_nn.api", "raytune_nn.api"]
    ran = python("-c", code, cwd=tmp_path)
    assert ran.stdout == f"{names} []\n{homes}\n[]\nFalse\n", ran.stderr


def test_the_driver_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys; from raytune_nn.cli import main\n"
        "code = main(['+search=asha', 'study.name=first', 'study.resume=must'])\n"
        "heavy = ('torch', 'pytorch_lightning', 'ray', 'optuna', 'pandas')\n"
        "print(code, [name for name in heavy if name in sys.modules])"
    )
    ran = python("-c", code, cwd=tmp_path)
    assert ran.stdout == "2 []\n", ran.stderr
    assert "study.resume=must wants a study that exists" in ran.stderr


@pytest.mark.slow
def test_a_plan_in_a_process_of_its_own(tmp_path: Path) -> None:
    ran = python("-m", "raytune_nn", "+search=asha", "mode=plan", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"study      {tmp_path}/studies/")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_reader_that_has_read_enough_is_no_fault(here: Path) -> None:
    command = f"{sys.executable} -m raytune_nn mode=plan +search=random | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
