"""No file is read in a way that can run what stands in it: a walk over the syntax trees of the whole package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import raytune_nn

PACKAGE = Path(raytune_nn.__file__).parent
SAFE = {  # calls that are safe with this keyword at this value only
    "torch.load": ("weights_only", True),
    "load_from_checkpoint": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
}
BY_DEFAULT = ("numpy.load",)  # safe without the keyword as well
NEVER_IMPORTED = ("pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal")
NEVER_CALLED = ("eval", "exec", "compile", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen")
ALIASES = {"np": "numpy"}


def complaints(source: str) -> list[str]:
    """What of a module's code could run what it reads, with its line."""
    return [f"{node.lineno}: {what}" for node in ast.walk(ast.parse(source)) for what in _complaints(node)]  # type: ignore[attr-defined]


def _complaints(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names]
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
        yield from (f"imports {name}" for name in modules if name.partition(".")[0] in NEVER_IMPORTED)
        if modules in (["torch"], ["numpy"], ["yaml"]) and isinstance(node, ast.ImportFrom):
            yield from (f"imports {modules[0]}.load" for name in names if name == "load")
    elif isinstance(node, ast.Call):
        name = _dotted(node.func)
        rule = next((rule for rule in SAFE if name == rule or name.endswith(f".{rule}")), None)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if rule is not None and (rule not in BY_DEFAULT or SAFE[rule][0] in given):
            key, wanted = SAFE[rule]
            if not _is(given.get(key), wanted):
                yield f"{name} without {key}={wanted}"
        if "ckpt_path" in given and not _is(given.get("weights_only"), True):  # of a Trainer, which loads it
            yield f"{name} of a checkpoint without weights_only=True"
        if name == "yaml.load" and not (len(node.args) == 2 and _dotted(node.args[1]) == "_Loader"):
            yield "yaml.load"
        if name in NEVER_CALLED:
            yield name
        if "shell" in given:
            yield f"{name} with a shell"


def _is(node: ast.expr | None, wanted: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is wanted


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ALIASES.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


def test_the_package_reads_nothing_that_can_run_code() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    found = {str(path.relative_to(PACKAGE)): complaints(path.read_text()) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_one_loader_of_yaml_is_a_safe_one() -> None:
    import yaml

    from raytune_nn.space.text import _Loader

    assert issubclass(_Loader, yaml.SafeLoader)
    with pytest.raises(yaml.YAMLError):
        yaml.load("!!python/object/apply:os.system ['true']", _Loader)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from cloudpickle import loads",
        "import torch; torch.load(path)",
        "import torch; torch.load(path, weights_only=False)",
        "import torch; torch.load(path, weights_only=safe)",
        "from torch import load",
        "Model.load_from_checkpoint(path)",
        "built.trainer.fit(model, ckpt_path=path)",
        "np.load(path, allow_pickle=True)",
        "import yaml; yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_what_the_walk_would_find(line: str) -> None:
    assert len(complaints(line)) == 1
