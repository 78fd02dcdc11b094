"""A project that knows nothing of the tuner."""

from my_pkg.data import Curves
from my_pkg.model import CurveFitter

__all__ = ["CurveFitter", "Curves"]
