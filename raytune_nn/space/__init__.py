"""The search space: distributions, choices of config groups, and the YAML they are written in."""

from raytune_nn.space.base import Domain
from raytune_nn.space.domains import (
    DISTRIBUTIONS,
    Choice,
    LogRandInt,
    LogUniform,
    QUniform,
    RandInt,
    Uniform,
)
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import GroupChoice, Space

__all__ = [
    "DISTRIBUTIONS",
    "Choice",
    "Domain",
    "GroupChoice",
    "LogRandInt",
    "LogUniform",
    "QUniform",
    "RandInt",
    "Space",
    "Uniform",
    "parse_space",
]
