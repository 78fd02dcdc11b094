"""What population-based training asks of its arguments."""

from __future__ import annotations

from collections.abc import Callable

from raytune_nn.errors import ConfigError


def require_integer(name: str, value: object, least: int, most: int) -> None:
    """Checks a number of epochs.

    Raises:
        ConfigError: It is no integer from ``least`` to ``most``.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(
            f"search.scheduler.{name} must be an integer from {least} to max_epochs",
            f"{name}={value!r}, max_epochs={most}",
            f"search.scheduler.{name}={least}",
        )


def require_share(name: str, value: object, rule: str, holds: Callable[[float], bool]) -> None:
    """Checks a share.

    Raises:
        ConfigError: It is no number, or breaks the rule.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not holds(value):
        raise ConfigError(f"{rule} must hold", f"{name}={value!r}", f"search.scheduler.{name}=0.25")
