"""Hydra's and OmegaConf's errors in one form: the rule, the value found, the override that mends it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException, ValidationError

from raytune_nn.errors import ConfigError


def explain(error: BaseException, arguments: Sequence[str]) -> ConfigError:
    """What a composing error means to the user.

    Args:
        error: Raised while Hydra composed or the schema was merged.
        arguments: The command line; the fix repeats it, corrected.
    """
    text = str(error)
    if isinstance(error, MissingConfigException):
        return _missing_option(error)
    if isinstance(error, OverrideParseException):
        return ConfigError(
            "an override must read key=value, in quotes where the shell or Hydra would read brackets",
            error.override,
            """'search_space.optimizer.lr="loguniform(1e-5, 1e-1)"'""",
        )
    unlisted = re.match(r"Could not override '([^']+)'\.\s*No match in the defaults list", text)
    if unlisted:
        return _not_in_defaults(unlisted[1], arguments)
    if "Multiple values for" in text or text.startswith("Could not append"):
        key = _quoted(text) or text.partition("Multiple values for ")[2].partition(".")[0].strip()
        return ConfigError(
            f"{key} has a value already, so it is changed without +",
            _typed(key, arguments),
            _typed(key, arguments).lstrip("+"),
        )
    for cause in _chain(error):
        if isinstance(cause, OmegaConfBaseException):
            return _from_omegaconf(cause, arguments)
    return ConfigError("the configuration must compose", text.strip(), "python -m raytune_nn --help")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant; None where nothing is near."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return close[0] if close else None


def _missing_option(error: MissingConfigException) -> ConfigError:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or ())
    if not group:
        return ConfigError("a configuration file must exist", error.missing_cfg_file, "python -m raytune_nn --help")
    meant = nearest(option, options)
    listed = f"{group}: {', '.join(options)}" if options else f"there is no group {group}"
    prefix = "+" if group in ("search", "experiment", "debug") else ""
    return ConfigError(
        f"{group} must be one of its options",
        f"{option} ({listed})",
        f"{prefix}{group}={meant or (options[0] if options else '…')}",
    )


def _not_in_defaults(key: str, arguments: Sequence[str]) -> ConfigError:
    typed = _typed(key, arguments)
    if key.startswith("search/"):
        return ConfigError("a searcher or scheduler belongs to a search", typed, f"+search=asha {typed}")
    if key in ("search", "experiment", "debug"):
        return ConfigError(f"{key} is not part of the defaults, so it is added with +", typed, f"+{typed}")
    return ConfigError("only groups of the defaults can be overridden", typed, f"+{typed}")


def _from_omegaconf(error: OmegaConfBaseException, arguments: Sequence[str]) -> ConfigError:
    key, message = error.full_key or "", (error.msg or str(error)).splitlines()[0]
    if isinstance(error, InterpolationKeyError):
        return ConfigError(f"{key or 'every value'} must refer to a key that exists", message, f"{key}=…")
    if isinstance(error, ValidationError):
        return ConfigError(f"{key or 'every value'} must have its type", message, f"{key}=…")
    parent = error.parent_node
    siblings = [str(name) for name in parent] if isinstance(parent, DictConfig) and parent else []
    name = str(error.key if error.key is not None else key)
    typed = _typed(key, arguments)
    if key.startswith("search.") and not siblings:
        return ConfigError("search.… belongs to a search", typed, f"+search=asha {typed}")
    meant = nearest(name, siblings)
    prefix = key[: -len(name)] if key.endswith(name) else ""
    value = typed.partition("=")[2]
    fix = f"{prefix}{meant}={value}" if meant else f"one of: {', '.join(prefix + item for item in sorted(siblings))}"
    return ConfigError(f"{key or name} must be a key of the configuration", typed, fix)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _quoted(text: str) -> str | None:
    found = re.search(r"'([^']+)'", text)
    return found[1] if found else None


def _typed(key: str, arguments: Sequence[str]) -> str:
    """The override of a key as it was typed."""
    for argument in arguments:
        if argument.partition("=")[0].lstrip("+~") == key:
            return argument
    return key
