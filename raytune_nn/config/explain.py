"""Hydra's and OmegaConf's errors in one form: the rule, the value found, the override that mends it."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import (
    InterpolationKeyError,
    InterpolationResolutionError,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
    ValidationError,
)
from yaml import YAMLError

from raytune_nn.config.schema import Config
from raytune_nn.config.submitters import owner_of
from raytune_nn.errors import ConfigError

ADDED = ("search", "experiment", "debug")  # groups that the defaults lack, so that + adds them
_HELP = "python -m raytune_nn --help"
_SCALARS = ("mode", "seed", "verbose")  # what stands at the root and is no group


def explain(error: BaseException, arguments: Sequence[str]) -> ConfigError:
    """What a composing error means to the user.

    Args:
        error: Raised while Hydra composed or the schema was merged.
        arguments: The command line; the fix repeats what was typed, corrected.
    """
    if isinstance(error, MissingConfigException):
        return _missing_option(error, arguments)
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    if isinstance(error, YAMLError):
        return ConfigError("a configuration file must be YAML", error, "mend that line")
    if isinstance(error, RecursionError):
        return ConfigError(
            "a config dir's own config.yaml is the whole configuration, and cannot include the built-in one",
            "its defaults list names config",
            "mv my_conf/config.yaml my_conf/mine.yaml, and --config-name mine",
        )
    for pattern, wording in _WORDINGS.items():
        if found := re.search(pattern, str(error)):
            return wording(found, arguments)
    for cause in _chain(error):
        if isinstance(cause, OmegaConfBaseException):
            return _from_omegaconf(cause, arguments)
    return ConfigError("the configuration must compose", str(error).strip(), _HELP)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant; None where nothing is near. Swapped letters are the nearest of all."""
    candidates = list(names)
    swapped = [other for other in candidates if sorted(other) == sorted(name)]
    close = swapped or difflib.get_close_matches(name, candidates, n=1, cutoff=0.5)
    return close[0] if close else None


def _missing_option(error: MissingConfigException, arguments: Sequence[str]) -> ConfigError:
    missing, options = error.missing_cfg_file or "", sorted(error.options or ())
    group, _, option = missing.rpartition("/")
    file = re.match(r"In '([^']+)'", str(error))
    for argument in arguments:
        key, _, value = argument.lstrip("+").partition("=")
        if f"{key}/{value}" == missing:
            group, option, file = key, value, None
    if not group:
        return ConfigError(
            "a configuration file must exist", missing, f"--config-dir <the folder that holds {missing}.yaml>"
        )
    listed = f"{group}: {', '.join(options)}" if options else "there is no such file"
    if file and file[1] != "config":
        return ConfigError(
            f"{group} must be one of its options", f"{option}, in {file[1]} ({listed})", f"mend {file[1]}.yaml"
        )
    meant = nearest(option, options) or (options[0] if options else "…")
    return ConfigError(
        f"{group} must be one of its options",
        f"{option} ({listed})",
        f"{'+' if group in ADDED else ''}{group}={meant}",
    )


def _unreadable(override: str) -> ConfigError:
    key, _, value = override.partition("=")
    if not value:
        return ConfigError("an override must read key=value", override, f"{key.strip('+~') or 'budget.num_trials'}=…")
    escaped = value.strip("'\"").replace('"', '\\"')
    return ConfigError(
        "an override must read key=value, in quotes where the shell or Hydra would read brackets",
        override,
        shlex.quote(f'{key}="{escaped}"'),
    )


def _not_in_defaults(found: re.Match[str], arguments: Sequence[str]) -> ConfigError:
    file, key = found[1], found[2]
    if file:
        meant = nearest(key, [field.name for field in fields(Config)])
        return ConfigError(
            "only groups of the defaults can be overridden",
            f"override /{key}, in {file}",
            f"override /{meant or '…'}, in that file",
        )
    typed = _typed(key, arguments)
    if key.startswith("search/"):
        return ConfigError("a searcher or scheduler belongs to a search", typed, f"+search=asha {shlex.quote(typed)}")
    fix = shlex.quote(f"+{typed}")
    if key in ADDED:
        return ConfigError(f"{key} is not part of the defaults, so it is added with +", typed, fix)
    return ConfigError("only groups of the defaults can be overridden", typed, fix)


def _already_there(found: re.Match[str], arguments: Sequence[str]) -> ConfigError:
    key = next(filter(None, found.groups()))
    typed = _typed(key, arguments)
    return ConfigError(f"{key} has a value already, so it is changed without +", typed, shlex.quote(typed.lstrip("+")))


def _not_deleted(found: re.Match[str], arguments: Sequence[str]) -> ConfigError:
    key, equals, _ = found[1].partition("=")
    fix = f"~{key}" if equals or "and not" in found.string else "python -m raytune_nn --cfg job, which lists them"
    return ConfigError("~ must name a key that exists, or with = the value that it has", _typed(key, arguments), fix)


def _several(found: re.Match[str], _: Sequence[str]) -> ConfigError:
    key, _, value = found[1].partition("=")
    return ConfigError(
        "one command runs one study: several values are a list, or a choice of the search space",
        found[1],
        shlex.quote(f"{key}=[{value}]"),
    )


def _no_option(_: re.Match[str], arguments: Sequence[str]) -> ConfigError:
    """A group was given null or a number; Hydra does not say which."""
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and not key:
            return _unreadable(argument)
        if "." in key or key in _SCALARS or not re.fullmatch(r"null|true|false|[-+\d.e]+", value, re.IGNORECASE):
            continue
        fix = f"~{key}" if key == "search_space" else f"{key}=<an option>, or leave it out"
        return ConfigError(f"{key.lstrip('+')} must be one of its options", argument, fix)
    return ConfigError("a config group must be given one of its options", None, _HELP)


def _group_deleted(found: re.Match[str], arguments: Sequence[str]) -> ConfigError:
    key = found[1]
    return ConfigError(f"{key} must stay: the defaults list refers to it", _typed(key, arguments), f"{key}=<an option>")


_WORDINGS: dict[str, Callable[[re.Match[str], Sequence[str]], ConfigError]] = {
    r"(?:In '([^']+)': )?Could not override '([^']+)'\.\s*No match in the defaults list": _not_in_defaults,
    r"Multiple values for ([\w/]+)|already at '([^']+)'|^([\w/]+) appears more than once": _already_there,
    r"Could not delete[^']*'([^']+)'": _not_deleted,
    r"Ambiguous value for argument '(.+)'\n": _several,
    r"Config group override must be": _no_option,
    r"Error resolving interpolation '\$\{(\w+)\}', possible": _group_deleted,
}


def _from_omegaconf(error: OmegaConfBaseException, arguments: Sequence[str]) -> ConfigError:
    key, message = error.full_key or "", (error.msg or str(error)).splitlines()[0]
    if isinstance(error, InterpolationKeyError):
        wanted = found[1] if (found := re.search(r"'([^']+)'", message)) else "…"
        typed = next((text for text in arguments if f"${{{wanted}" in text), f"${{{wanted}}}")
        return ConfigError("an interpolation must refer to a key that exists", typed, f"+{wanted}=…, or another key")
    if isinstance(error, InterpolationResolutionError) and not isinstance(error, ValidationError):
        resolver = message.rpartition(" ")[2] if isinstance(error, UnsupportedInterpolationType) else ""
        typed = next((text for text in arguments if f"${{{resolver}" in text), key)
        return ConfigError(
            "an interpolation must lead to a value", f"{typed} ({message})", "${budget.max_epochs}, or the like"
        )
    if isinstance(error, ValidationError) or "Cannot merge DictConfig" in message:
        return _wrong_type(key, message, arguments)
    return _unknown_key(error, key, arguments)


def _wrong_type(key: str, message: str, arguments: Sequence[str]) -> ConfigError:
    typed = _typed(key, arguments)
    expected = re.search(r"expected one of \[(.+)\]", message)
    if expected:
        names = expected[1].split(", ")
        meant = nearest(typed.partition("=")[2], names) or names[0]
        return ConfigError(f"{key} must be one of {', '.join(names)}", typed, f"{key}={meant}")
    if "Incompatible value 'None'" in message or "not Optional" in message:
        return ConfigError(f"{key} must not be null", typed, f"{key}=…")
    if "is not a ListConfig" in message:
        return ConfigError(f"{key} must be a list", typed, shlex.quote(f"{key}=[{typed.partition('=')[2]}]"))
    if re.search("Cannot assign|is not a subclass|Cannot merge DictConfig", message):
        fix = typed.replace(".", "/", 1) if key.startswith("search.") else f"{key}.<key>=…, one key at a time"
        return ConfigError(f"{key} must be a mapping", typed, fix)
    kind = message.rpartition(" ")[2].lower() if "converted to" in message else ""
    kind = "string" if "to string" in message else kind
    if not kind:
        return ConfigError(f"{key} must have its type", f"{typed} ({message})", f"{key}=…")
    return ConfigError(f"{key} must be {'an' if kind[0] in 'aeiou' else 'a'} {kind}", typed, f"{key}=<{kind}>")


def _unknown_key(error: OmegaConfBaseException, key: str, arguments: Sequence[str]) -> ConfigError:
    parent = error.parent_node
    siblings = [str(name) for name in parent] if isinstance(parent, DictConfig) and parent else []
    name = str(error.key if error.key is not None else key)
    typed = _typed(key, arguments)
    if key in ADDED:
        return ConfigError(f"a file of {key}/ must begin with `# @package _global_`", typed, "add that line there")
    added = (text for text in arguments if "={" in text and key.startswith(f"{text.partition('=')[0]}."))
    if not siblings and (mapping := next(added, None)) is not None:
        return ConfigError("keys that a mapping lacks are added by a +", mapping, shlex.quote(f"+{mapping}"))
    if "/" in key:
        return ConfigError(f"{key} must be a config group", typed, f"one of those that {_HELP} lists")
    if key.startswith("search.") and not siblings:
        return ConfigError("search.… belongs to a search", typed, f"+search=asha {shlex.quote(typed)}")
    if not siblings:
        above = key.rpartition(".")[0]
        return ConfigError(f"{above} holds a value, and no keys", typed, f"{above}=…")
    if key.startswith("cluster.") and (owner := owner_of(name)):
        return ConfigError(f"{key} is a key of cluster={owner}, a place that takes jobs", typed, f"cluster={owner}")
    prefix = key[: -len(name)] if key.endswith(name) else ""
    meant = nearest(name, siblings)
    if meant:
        fix = shlex.quote(typed.lstrip("+").replace(f"{prefix}{name}", f"{prefix}{meant}", 1))
    else:
        taken = f"; or +{key}=…, where the class takes it" if "_target_" in siblings else ""
        fix = f"one of: {', '.join(prefix + item for item in sorted(siblings))}{taken}"
    return ConfigError(f"{key or name} must be a key of the configuration", typed, fix)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _typed(key: str, arguments: Sequence[str]) -> str:
    """The override of a key, or of something inside it, as it was typed; the key itself where none is found."""
    for argument in reversed(arguments):
        path = argument.partition("=")[0].lstrip("+~")
        if path == key or path.startswith(f"{key}."):
            return argument
    return key
