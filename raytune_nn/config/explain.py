"""Hydra's and OmegaConf's errors in one form: the rule, the value found, the override that mends it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException, ValidationError

from raytune_nn.errors import ConfigError

ADDED = ("search", "experiment", "debug")  # groups that the defaults lack, so that + adds them
_HELP = "python -m raytune_nn --help"


def explain(error: BaseException, arguments: Sequence[str]) -> ConfigError:
    """What a composing error means to the user.

    Args:
        error: Raised while Hydra composed or the schema was merged.
        arguments: The command line; the fix repeats what was typed, corrected.
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
    if unlisted := re.match(r"Could not override '([^']+)'\.\s*No match in the defaults list", text):
        return _not_in_defaults(unlisted[1], arguments)
    if repeated := re.search(
        r"Multiple values for ([\w/]+)|already at '([^']+)'|^([\w/]+) appears more than once", text
    ):
        return _already_there(next(filter(None, repeated.groups())), arguments)
    for cause in _chain(error):
        if isinstance(cause, OmegaConfBaseException):
            return _from_omegaconf(cause, arguments)
    return ConfigError("the configuration must compose", text.strip(), _HELP)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant; None where nothing is near. Swapped letters are the nearest of all."""
    candidates = list(names)
    swapped = [other for other in candidates if sorted(other) == sorted(name)]
    close = swapped or difflib.get_close_matches(name, candidates, n=1, cutoff=0.5)
    return close[0] if close else None


def _missing_option(error: MissingConfigException) -> ConfigError:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or ())
    if not group:
        return ConfigError("a configuration file must exist", error.missing_cfg_file, _HELP)
    meant = nearest(option, options)
    listed = f"{group}: {', '.join(options)}" if options else f"there is no group {group}"
    prefix = "+" if group in ADDED else ""
    return ConfigError(
        f"{group} must be one of its options",
        f"{option} ({listed})",
        f"{prefix}{group}={meant or (options[0] if options else '…')}",
    )


def _not_in_defaults(key: str, arguments: Sequence[str]) -> ConfigError:
    typed = _typed(key, arguments)
    if key.startswith("search/"):
        return ConfigError("a searcher or scheduler belongs to a search", typed, f"+search=asha {typed}")
    if key in ADDED:
        return ConfigError(f"{key} is not part of the defaults, so it is added with +", typed, f"+{typed}")
    return ConfigError("only groups of the defaults can be overridden", typed, f"+{typed}")


def _already_there(key: str, arguments: Sequence[str]) -> ConfigError:
    typed = _typed(key, arguments)
    return ConfigError(f"{key} has a value already, so it is changed without +", typed, typed.lstrip("+"))


def _from_omegaconf(error: OmegaConfBaseException, arguments: Sequence[str]) -> ConfigError:
    key, message = error.full_key or "", (error.msg or str(error)).splitlines()[0]
    if isinstance(error, InterpolationKeyError):
        wanted = _quoted(message) or "…"
        typed = next((text for text in arguments if f"${{{wanted}" in text), f"${{{wanted}}}")
        return ConfigError("an interpolation must refer to a key that exists", typed, f"+{wanted}=…, or another key")
    if isinstance(error, ValidationError):
        return _wrong_type(key, message, arguments)
    return _unknown_key(error, key, arguments)


def _wrong_type(key: str, message: str, arguments: Sequence[str]) -> ConfigError:
    typed = _typed(key, arguments)
    expected = re.search(r"expected one of \[(.+)\]", message)
    if expected:
        names = expected[1].split(", ")
        meant = nearest(typed.partition("=")[2], names) or names[0]
        return ConfigError(f"{key} must be one of {', '.join(names)}", typed, f"{key}={meant}")
    kind = message.rpartition(" ")[2].lower() if "converted to" in message else ""
    if not kind:
        return ConfigError(f"{key} must have its type", f"{typed} ({message})", f"{key}=…")
    article = "an" if kind[0] in "aeiou" else "a"
    return ConfigError(f"{key} must be {article} {kind}", typed, f"{key}=<{kind}>")


def _unknown_key(error: OmegaConfBaseException, key: str, arguments: Sequence[str]) -> ConfigError:
    parent = error.parent_node
    siblings = [str(name) for name in parent] if isinstance(parent, DictConfig) and parent else []
    name = str(error.key if error.key is not None else key)
    typed = _typed(key, arguments)
    if key.startswith("search.") and not siblings:
        return ConfigError("search.… belongs to a search", typed, f"+search=asha {typed}")
    prefix = key[: -len(name)] if key.endswith(name) else ""
    meant = nearest(name, siblings)
    if meant:
        fix = typed.lstrip("+").replace(f"{prefix}{name}", f"{prefix}{meant}", 1)
    else:
        fix = f"one of: {', '.join(prefix + item for item in sorted(siblings))}"
    return ConfigError(f"{key or name} must be a key of the configuration", typed, fix)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _quoted(text: str) -> str | None:
    found = re.search(r"'([^']+)'", text)
    return found[1] if found else None


def _typed(key: str, arguments: Sequence[str]) -> str:
    """The override of a key, or of something inside it, as it was typed; the key itself where none is found."""
    for argument in reversed(arguments):
        path = argument.partition("=")[0].lstrip("+~")
        if path == key or path.startswith(f"{key}."):
            return argument
    return key
