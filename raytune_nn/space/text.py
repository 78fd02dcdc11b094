"""The text form of a distribution: ``loguniform(1e-4, 1e-1)``, ``randint(low=1, high=8)``, ``choice(a)``.

Arguments are YAML, read as OmegaConf reads configuration files: ``1e-4`` is a number, a date is a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from raytune_nn.space.values import shown

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without timestamps; ``1e-4`` needs no point to be a number."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own name and type
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(_\d+)*(\.[\d_]*)?|\.\d+(_\d+)*)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def split(text: str) -> tuple[str, str] | None:
    """The name and what stands between its parentheses; None where ``text`` has not that form."""
    match = _CALL.fullmatch(text)
    return (match[1], match[2]) if match else None


def arguments(inside: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """The arguments by field; unknown keywords are among them, missing fields are not.

    A distribution with the one field ``options`` takes all arguments as that, or ``options=[...]``.

    Raises:
        ValueError: they are no YAML, too many, or one is given twice; the text says what must hold.
    """
    if fields == ("options",):
        named = re.sub(r"^\s*options\s*=", "options: ", inside)
        items = _items(named)
        if named == inside:
            return {"options": items}
        if len(items) > 1:
            raise ValueError("must get options once")
        return dict(items[0])
    given: dict[str, Any] = {}
    items = _items(re.sub(r"(^|,)\s*(\w+)\s*=", r"\1 \2: ", inside))
    if len(items) > len(fields):
        raise ValueError(f"takes {len(fields)} arguments: {', '.join(fields)}")
    for field, item in zip(fields, items, strict=False):
        for name, value in item.items() if isinstance(item, dict) else [(field, item)]:
            if name in given:
                raise ValueError(f"must get {name} once")
            given[name] = value
    return given


def write(name: str, args: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    """The text form; keywords where a field is missing."""
    if fields == ("options",):
        return f"{name}({', '.join(_written(option) for option in args['options'])})"
    if tuple(args) == fields:
        return f"{name}({', '.join(_written(value) for value in args.values())})"
    return f"{name}({', '.join(f'{field}={_written(value)}' for field, value in args.items())})"


def number(value: object) -> object:
    """The number that a text spells (PyYAML reads ``1e-4`` as a text); anything else as it is."""
    if isinstance(value, str):
        try:
            (spelled,) = _items(value)
        except ValueError:
            return value
        return spelled if isinstance(spelled, int | float) else value
    return value


def _items(inside: str) -> list[Any]:
    try:
        items = yaml.load(f"[{inside}]", _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError("must hold arguments in YAML, separated by commas") from error
    return list(items)


def _written(value: object) -> str:
    if isinstance(value, str):
        is_plain = re.fullmatch(r"[A-Za-z_][\w-]*", value) and _items(value) == [value]
        return value if is_plain else yaml.safe_dump(value, default_style='"', width=math.inf).strip()
    if isinstance(value, list):
        return f"[{', '.join(_written(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_written(key)}: {_written(item)}' for key, item in value.items())}}}"
    if isinstance(value, float) and math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return shown(value)
