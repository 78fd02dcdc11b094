"""The command line: arguments -> Hydra -> one mode -> exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence

import hydra
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from raytune_nn import __version__
from raytune_nn.config.compose import conf_dir, read_composed
from raytune_nn.config.explain import explain
from raytune_nn.errors import ConfigError, InterruptedStudyError, RaytuneError
from raytune_nn.modes import run_mode

# Hydra keeps its hands off: no folders, no log files, no logging set-up.
_HYDRA = (
    "hydra.output_subdir=null",
    "hydra.run.dir=.",
    "hydra/job_logging=disabled",
    "hydra/hydra_logging=disabled",
)
_WITH_VALUE = (
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn"),
    *("--cfg", "-c", "--package", "-p", "--experimental-rerun"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (``raytune_nn.errors`` lists them).

    Args:
        arguments: Hydra flags and overrides in any order; None: those of the process.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if "--version" in arguments:
        print(__version__)
        return 0
    _import_from_here()
    try:
        _compose_and_run(arguments)
    except RaytuneError as error:
        return _fail(error)
    except OmegaConfBaseException as error:
        return _fail(explain(error, arguments))
    except KeyboardInterrupt:
        return _fail(InterruptedStudyError("interrupted before the study began; nothing was created"))
    except Exception:
        traceback.print_exc()
        print("\nThis is a fault of raytune_nn, not of your configuration.", file=sys.stderr)
        return RaytuneError.exit_code
    return 0


def _compose_and_run(arguments: Sequence[str]) -> None:
    """Everything happens inside Hydra's task, where branches of the search space can still be composed."""
    failure: list[BaseException] = []

    def task(config: DictConfig) -> None:
        try:
            run_mode(read_composed(config, arguments))
        except BaseException as error:  # past Hydra, which would print it and exit 1
            failure.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors of composing come out as they are
    flags, overrides = split_flags(arguments)
    primary = _own_primary_config(flags)
    if primary is not None:
        flags += ["--config-path", primary]
        overrides = [f"hydra.searchpath=[file://{conf_dir()}]", *overrides]
    argv = sys.argv
    sys.argv = [argv[0], *flags, *_HYDRA, *overrides]
    try:
        decorate: Callable[..., Callable[[], None]] = hydra.main(
            config_path=conf_dir(), config_name="config", version_base="1.3"
        )
        decorate(task)()
    except Exception as error:  # Hydra lets some of its own slip through, such as a ValueError for `=3`
        raise explain(error, arguments) from error
    finally:
        sys.argv = argv
    if failure:
        raise failure[0]


def split_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags and the overrides, apart: Hydra wants all flags before, or all after, the overrides.

    Raises:
        ConfigError: ``--multirun``, or a flag without its value.
    """
    flags: list[str] = []
    overrides: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--multirun", "-m"):
            raise ConfigError("one command runs one study; a search runs many trials", argument, "+search=random")
        if not argument.startswith("-") or argument == "-":
            overrides.append(argument)
            continue
        flags.append(argument)
        if argument in _WITH_VALUE:
            value = next(rest, None)
            if value is None:
                raise ConfigError("this flag needs a value", argument, f"{argument} my_conf")
            flags.append(value)
    return flags, overrides


def _own_primary_config(flags: list[str]) -> str | None:
    """A config dir with a ``config.yaml`` of its own (such as a study's ``best/``) brings the primary config.

    Takes the flag out of ``flags`` and returns the folder; None leaves everything as it is.
    """
    for index, flag in enumerate(flags):
        name, _, value = flag.partition("=")
        if name not in ("--config-dir", "-cd"):
            continue
        folder = value or flags[index + 1]
        if os.path.isfile(os.path.join(folder, "config.yaml")):
            del flags[index : index + (1 if value else 2)]
            return os.path.abspath(folder)
        if not os.path.isdir(folder):
            raise ConfigError("--config-dir must be a folder that exists", folder, "--config-dir my_conf")
    return None


def _import_from_here() -> None:
    """The user's own package lies in the working directory: for this process and for those that it starts."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([here, *filter(None, inherited)]))


def _fail(error: RaytuneError) -> int:
    print(f"raytune_nn: {error}", file=sys.stderr)
    return error.exit_code
