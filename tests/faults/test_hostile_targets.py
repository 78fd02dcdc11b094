"""What a configuration names is called only if it is of the kind of its place: a corpus of what it could name instead.

What counts is the object behind the name, so no alias of it and no way to it through other modules helps.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import compose, run

from raytune_nn.errors import ConfigError
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.kinds import check_kinds
from raytune_nn.trial.targets import check_place

FUNCTIONS = [
    "os.system", "os.popen", "os.execv", "os.remove", "posix.system", "subprocess.run", "subprocess.check_output",
    "builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__", "builtins.open", "builtins.getattr",
    "importlib.import_module", "runpy.run_path", "pickle.loads", "pickle.load", "marshal.loads", "yaml.unsafe_load",
    "shutil.rmtree", "shutil.move", "ctypes.CDLL", "code.interact", "pty.spawn", "webbrowser.open", "timeit.timeit",
    "torch.load", "torch.hub.load", "torch.os.system", "torch.utils.collect_env.run", "torch._classes.torch.os.system",
    "numpy.load", "numpy.testing.runstring", "pandas.read_pickle", "pandas.eval", "joblib.load", "cloudpickle.loads",
    "raytune_nn.cli.os.system", "raytune_nn.trial.instantiate.instantiate", "raytune_nn.trial.instantiate.locate",
    "raytune_nn.cli.main", "pytorch_lightning.LightningModule.load_from_checkpoint", "hydra.utils.instantiate",
    "hydra.utils.get_method", "operator.attrgetter", "operator.methodcaller", "functools.partial", "functools.reduce",
    "types.FunctionType", "types.CodeType", "builtins.map", "builtins.type", "builtins.object.__subclasses__",
]  # fmt: skip
CLASSES = [
    "subprocess.Popen", "torch.os._wrap_close", "multiprocessing.Process", "threading.Timer", "threading.Thread",
    "concurrent.futures.ThreadPoolExecutor", "pathlib.Path", "tempfile.TemporaryDirectory", "logging.FileHandler",
    "smtplib.SMTP", "socket.socket", "sqlite3.Connection", "builtins.dict", "pickle.Unpickler",
    "code.InteractiveConsole", "zipimport.zipimporter", "torch.package.PackageImporter", "torch.utils.data.DataLoader",
]  # fmt: skip
HOSTILE = [*FUNCTIONS, *CLASSES]
PLACES = {  # and a class of the kind of each, which takes any keyword
    "model": "raytune_nn.nn.Classification",
    "data": "raytune_nn.data.DigitsDataModule",
    "optimizer": "torch.optim.AdamW",
    "lr_scheduler.scheduler": "torch.optim.lr_scheduler.StepLR",
    "trainer": "pytorch_lightning.Trainer",
    "callbacks.x": "pytorch_lightning.callbacks.Timer",
}
NODE = """{_target_: os.system, _args_: ["touch it_ran"]}"""
COMMANDS = [
    "'model={}'",
    "'model.net={}'",
    "'data={}'",
    "'trainer={}'",
    "'init={}'",
    "'optimizer={}'",
    "'lr_scheduler.scheduler={}'",
    "'+callbacks.x={}'",
    "'+callbacks.x={{_target_: pytorch_lightning.callbacks.Timer, duration: [{}]}}'",
    "'+optimizer.foreach={}'",
    "'+trainer.plugins=[{}]'",
    "'model.net={{_target_: torch.nn.Sequential, _args_: [[{}]]}}'",
    "'model.net={{_target_: torch.nn.Sequential, _partial_: true, _args_: [{}]}}'",
    "'model.net.norm={{a: [{{b: {}}}]}}'",
    "+search=random 'search.searcher={}'",
    "+search=random 'search.scheduler={}'",
    "+search=random '+search.searcher.x={}'",
    "+search=random '+search_space.model.net.norm={{dist: choice, options: [null, {}]}}'",
]


def at(place: str, node: dict[str, Any]) -> dict[str, Any]:
    """A configuration of one place."""
    above, _, last = place.rpartition(".")
    return {above: {last: node}} if above else {last: node}


@pytest.mark.parametrize("target", HOSTILE)
def test_no_place_takes_it_at_any_depth(target: str) -> None:
    hostile = {"_target_": target, "_args_": ["touch it_ran"]}
    for place, good in PLACES.items():
        for config in (at(place, hostile), at(place, {"_target_": good, "_args_": [{"deep": [hostile]}]})):
            with pytest.raises(ConfigError, match=r"_target_ must be|must fit|must give"):
                check_place(config, place, [])
            with pytest.raises((ConfigError, ImportError), match=r"_target_ must be|has no|no module"):
                check_kinds(config, [place], [])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("checked_here")
def test_no_command_calls_it(command: str, here: Path) -> None:
    ran = run(*shlex.split(command.format(NODE)), "mode=plan")
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert re.match(r"[\w.]+ must |[\w.]+_target_ must be", ran.rule), ran.err
    assert list(here.iterdir()) == []


HYDRA = {
    "callbacks": "callbacks: {x: {_target_: touching.Touch}}",
    "its own log": "hydra_logging: {root: {handlers: [h]}, handlers: {h: {(): touching.Touch}}}",
    "our log": "job_logging: {root: {handlers: [h]}, handlers: {h: {(): touching.Touch}}}",
    "the environment": "job: {env_set: {LD_PRELOAD: touching.so}}",
}
TOUCHING = "import pathlib\nclass Touch:\n    def __init__(self): pathlib.Path('it_ran').touch()\n"


@pytest.mark.parametrize("text", HYDRA.values(), ids=HYDRA)
@pytest.mark.parametrize("file", ["model/mine.yaml", "mine.yaml"])
def test_no_file_makes_hydra_call_it(file: str, text: str, here: Path) -> None:
    (here / "touching.py").write_text(TOUCHING)
    path = here / "my_conf" / file
    path.parent.mkdir(parents=True)
    path.write_text(f"# @package _global_\nhydra: {{{text}}}\n")
    which = ("--config-name", "mine") if "/" not in file else ("model=mine",)
    ran = run("--config-dir", "my_conf", *which)
    assert ran.rule == "a configuration file must not set Hydra's own keys, which can run what they name", ran.err
    assert {path.name for path in here.iterdir()} - {"__pycache__"} == {"touching.py", "my_conf"}


@pytest.mark.parametrize(
    "override",
    [
        "hydra={callbacks: {x: {_target_: a.B}}}",
        "+hydra.callbacks.x._target_=a.B",
        "+model@hydra.callbacks=mlp",
        "~hydra",
    ],
)
def test_no_override_reaches_hydra(override: str, here: Path) -> None:
    ran = run(override)
    assert (ran.code, ran.rule.partition(":")[0]) == (2, "of Hydra's own keys only hydra.searchpath can be set")


def test_sampled_words_that_make_a_name_together_are_caught_before_the_call(here: Path) -> None:
    """No check of a study sees each combination; the trial itself refuses, and nothing is called."""
    parts = "'+trainer.detect_anomaly=os' '+trainer.profiler=system'"
    node = """'model.net._target_="${trainer.detect_anomaly}.${trainer.profiler}"'"""
    composed = compose(*shlex.split(f"{parts} {node}"))
    with pytest.raises(ConfigError, match=r"model\.net\._target_ must be a class of torch or Lightning"):
        build_trial(composed.config)
    assert list(here.iterdir()) == []


def test_what_the_user_trusts_is_named_in_full() -> None:
    config = at("model", {"_target_": "torch.os.system"})
    for allowed in (["os.system"], ["torch"], ["torch.os"], ["torch.os.*"], ["torch.os.syste"]):
        with pytest.raises(ConfigError, match=r"model\._target_ must be a LightningModule"):
            check_kinds(config, ["model"], allowed)
    check_kinds(config, ["model"], ["torch.os.system"])
