"""Built-in data for trials: in memory, seeded, without network; reached through ``_target_`` only."""

from raytune_nn.data.arrays import ArrayLoader
from raytune_nn.data.digits import DigitsDataModule
from raytune_nn.data.split import stratified_split

__all__ = ["ArrayLoader", "DigitsDataModule", "stratified_split"]
