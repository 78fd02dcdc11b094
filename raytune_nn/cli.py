"""The command line: arguments -> Hydra -> one mode -> exit code."""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence

import hydra
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from raytune_nn import __version__
from raytune_nn.config.compose import conf_dir, read_composed, register_marks
from raytune_nn.config.explain import explain, nearest
from raytune_nn.config.hydra_settings import only_searchpath
from raytune_nn.config.secrets import without_passwords
from raytune_nn.errors import ConfigError, InterruptedStudyError, RaytuneError
from raytune_nn.modes import run_mode
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.interrupt import Signals

# Hydra keeps its hands off: no folders, no log files, no logging set-up.
_HYDRA = (
    "hydra.output_subdir=null",
    "hydra.run.dir=.",
    "hydra/job_logging=disabled",
    "hydra/hydra_logging=disabled",
    "hydra.job.name=raytune_nn",
    "hydra.mode=RUN",
)
_FLAGS = ("--help", "-h", "--hydra-help", "--resolve")
_WITH_VALUE = {  # and what such a value can be
    **dict.fromkeys(("--config-dir", "-cd"), "my_conf"),
    **dict.fromkeys(("--config-name", "-cn"), "mine"),
    **dict.fromkeys(("--cfg", "-c"), "job"),
    **dict.fromkeys(("--package", "-p"), "budget"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (``raytune_nn.errors`` lists them).

    Args:
        arguments: Hydra flags and overrides in any order; None: those of the process, which ends with the command.
    """
    lasting = arguments is None
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if "--version" in arguments:
        print(__version__)
        return 0
    try:
        with Signals(lasting) as signals:
            run_arguments(arguments, signals)
    except RaytuneError as error:
        return _fail(error)
    except SystemExit as stopped:  # Hydra's help, and what its parser of flags refuses
        return stopped.code if isinstance(stopped.code, int) else 0
    except KeyboardInterrupt:
        return _fail(InterruptedStudyError("interrupted before the study began; nothing was created"))
    except BrokenPipeError:  # `… | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return 0
    except Exception:
        traceback.print_exc()
        print("\nThis is a fault of raytune_nn, not of your configuration.", file=sys.stderr)
        return RaytuneError.exit_code
    return 0


def run_arguments(arguments: Sequence[str], signals: Signals) -> StudyFolder | None:
    """Composes a command and runs it.

    Args:
        arguments: Hydra flags and overrides in any order.
        signals: Those to this process meanwhile.

    Returns:
        The study that was trained or shown; None where the command did something else.

    Raises:
        RaytuneError: It does not compose, or its mode has something to say.
    """
    _import_from_here()
    try:
        return _compose_and_run(arguments, signals)
    except OmegaConfBaseException as error:
        raise explain(error, arguments) from error


def _compose_and_run(arguments: Sequence[str], signals: Signals) -> StudyFolder | None:
    """Everything happens inside Hydra's task, where branches of the search space can still be composed."""
    failure: list[BaseException] = []
    folder: list[StudyFolder | None] = [None]

    def task(config: DictConfig) -> None:
        try:
            composed = read_composed(config, arguments)
            signals.check()
            folder.append(run_mode(composed, signals))
        except BaseException as error:  # past Hydra, which would print it and exit 1
            failure.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors of composing come out as they are
    register_marks()
    warnings.filterwarnings("ignore", message="provider=.* is not available")  # an error of ours
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
        with only_searchpath():
            decorate(task)()
    except ConfigError:
        raise
    except Exception as error:  # Hydra lets some of its own slip through, such as a ValueError for `=3`
        raise explain(error, arguments) from error
    finally:
        sys.argv = argv
    if failure:
        raise failure[0]
    return folder[-1]


def split_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags and the overrides, apart: Hydra wants all flags before, or all after, the overrides.

    Raises:
        ConfigError: A flag that does not exist here, that lacks its value or comes twice, or an override of a key with
            which Hydra would write files or run several jobs.
    """
    flags: list[str] = []
    overrides: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument == "-":
            overrides.append(_allowed(argument))
            continue
        name, equals, value = argument.partition("=")
        _check_flag(name, value or argument, flags)
        flags.append(argument)
        if equals and name in _FLAGS:
            raise ConfigError("this flag takes no value", argument, name)
        if equals and not value:
            raise ConfigError("this flag needs a value", argument, f"{name}={_WITH_VALUE[name]}")
        if name in _WITH_VALUE and not equals:
            following = next(rest, None)
            if following is None or following.startswith("-"):
                raise ConfigError("this flag needs a value", argument, f"{argument} {_WITH_VALUE[name]}")
            flags.append(following)
    return flags, overrides


def _check_flag(name: str, found: str, earlier: Sequence[str]) -> None:
    if name in ("--multirun", "-m"):
        raise ConfigError("one command runs one study; a search runs many trials", found, "+search=random")
    if name in ("--config-path", "-cp"):
        raise ConfigError("the built-in configuration is always there; yours adds to it", found, "--config-dir my_conf")
    if name not in _FLAGS and name not in _WITH_VALUE:
        meant = nearest(name, (*_FLAGS, *_WITH_VALUE))
        raise ConfigError("a flag must be one of those that --help and --hydra-help list", found, meant or "--help")
    if name in ("--config-dir", "-cd") and any(flag.startswith(("--config-dir", "-cd")) for flag in earlier):
        raise ConfigError(
            "--config-dir must be given once", found, "'hydra.searchpath=[file:///second_conf]' for the second one"
        )


def _allowed(override: str) -> str:
    key = override.partition("=")[0].lstrip("+~")
    if re.match(r"hydra\b|.*@hydra\b", key) and key != "hydra.searchpath":
        raise ConfigError(
            "of Hydra's own keys only hydra.searchpath can be set: a study's files are in study.storage",
            override,
            "study.storage=studies",
        )
    return override


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
    print(f"raytune_nn: {without_passwords(str(error))}", file=sys.stderr)
    return error.exit_code
