"""One distribution as it stands in the configuration, as mapping or text: reads it, says how to mend it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from raytune_nn.errors import SpaceError
from raytune_nn.space import text
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import DISTRIBUTIONS, Choice
from raytune_nn.space.values import DomainError, shown


@dataclass(frozen=True)
class Leaf:
    """A distribution of a known name, its arguments unchecked.

    Args:
        where: Its full path, ``search_space.optimizer.lr``.
        name: Which distribution.
        args: Arguments by field, as they were written.
        is_text: Whether it stands there in the text form: then no override can reach one of its arguments.
    """

    where: str
    name: str
    args: Mapping[str, Any]
    is_text: bool

    @classmethod
    def from_mapping(cls, where: str, node: Mapping[str, Any]) -> Leaf:
        """Raises ``SpaceError`` where ``dist`` names no distribution."""
        name = node["dist"]
        if not _is_known(name):
            near = nearest_distribution(name)
            raise _unknown(where, name, near, command(f"{where}.dist={near or 'uniform'}"))
        return cls(where, name, {key: value for key, value in node.items() if key != "dist"}, is_text=False)

    @classmethod
    def from_text(cls, where: str, name: str, inside: str) -> Leaf:
        """``inside`` stands between the parentheses; raises ``SpaceError`` where it cannot be read."""
        if not _is_known(name):
            near = nearest_distribution(name)
            written = f"{near}({inside})" if near else example()
            raise _unknown(where, name, near, text_override(where, written))
        try:
            args = text.arguments(inside, DISTRIBUTIONS[name].field_names())
        except ValueError as error:
            fix = text_override(where, example(name))
            raise SpaceError(f"{where}: {name} {error}", f"{name}({inside})", fix) from None
        return cls(where, name, args, is_text=True)

    def domain(self) -> Domain:
        """Raises ``SpaceError`` where a field is missing, unknown or breaks a rule."""
        kind: Any = DISTRIBUTIONS[self.name]
        self._check_fields(kind.field_names())
        args = self.args if kind is Choice else {key: text.number(value) for key, value in self.args.items()}
        try:
            domain: Domain = kind(**args)
        except DomainError as error:
            raise SpaceError(f"{self.where}: {error.rule}", error.found, self._mended(error.mend)) from None
        return domain

    def _check_fields(self, fields: tuple[str, ...]) -> None:
        missing = [field for field in fields if field not in self.args]
        for key, value in self.args.items():
            if key in fields:
                continue
            near = nearest(str(key), missing)
            rule = f"{self.where}: {self.name} must get no other arguments than {', '.join(fields)}"
            mend = {near: value} if near else {}
            raise SpaceError(_guess(rule, near), f"{key}={shown(value)}", self._mended(mend, without=key))
        if missing:
            example = DISTRIBUTIONS[self.name].example
            rule = f"{self.where}: {self.name} must get {', '.join(fields)}"
            found = ", ".join(f"{key}={shown(value)}" for key, value in self.args.items()) or "no arguments"
            raise SpaceError(rule, found, self._mended({field: example[field] for field in missing}))

    def _mended(self, changes: Mapping[str, Any], without: object = None) -> str:
        if self.is_text:
            fields = DISTRIBUTIONS[self.name].field_names()
            args = {**self.args, **changes}
            ordered = sorted(args.keys() - {without}, key=lambda key: (*fields, key).index(key))
            written = text.write(self.name, {key: args[key] for key in ordered}, fields)
            return text_override(self.where, written)
        removed = [] if without is None else [f"~{self.where}.{without}"]
        signs = {key: "" if key in self.args else "+" for key in changes}
        added = [f"{signs[key]}{self.where}.{key}={shown(value)}" for key, value in changes.items()]
        return command(*removed, *added)


def written(domain: Domain) -> str:
    """The text form of a domain."""
    fields = domain.field_names()
    return text.write(domain.dist, {field: domain.to_mapping()[field] for field in fields}, fields)


def example(name: str = "loguniform") -> str:
    """A correct text form of the distribution."""
    kind = DISTRIBUTIONS[name]
    return text.write(name, kind.example, kind.field_names())


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of ``words`` that ``word`` may be a misspelling of."""
    found = get_close_matches(word.lower(), list(words), n=1)
    return found[0] if found else None


def nearest_distribution(name: object) -> str | None:
    """The distribution that ``name`` may be a misspelling of."""
    return nearest(str(name), DISTRIBUTIONS)


def text_override(where: str, written: str) -> str:
    """The override that puts a distribution at ``where`` in the text form; Hydra needs the inner quotes."""
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', written)
    return command(f'{where}="{escaped}"')


def command(*overrides: str) -> str:
    """The overrides as they are typed in a shell."""
    return " ".join(shlex.quote(override) for override in overrides)


def _is_known(name: object) -> bool:
    return isinstance(name, str) and name in DISTRIBUTIONS


def _unknown(where: str, name: object, near: str | None, fix: str) -> SpaceError:
    rule = f"{where}: a distribution must be one of {', '.join(DISTRIBUTIONS)}"
    return SpaceError(_guess(rule, near), shown(name), fix)


def _guess(rule: str, near: str | None) -> str:
    return f"{rule}; did you mean {near}?" if near else rule
