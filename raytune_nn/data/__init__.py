"""Built-in data for trials: seeded splits, without network; reached through ``_target_`` only."""

from raytune_nn.data.arrays import ArrayLoader
from raytune_nn.data.audio import AudioDataModule
from raytune_nn.data.digits import DigitsDataModule
from raytune_nn.data.idx import IdxDataModule
from raytune_nn.data.image_folder import ImageFolderDataModule
from raytune_nn.data.module import ArrayDataModule
from raytune_nn.data.split import stratified_split
from raytune_nn.data.table import TableDataModule
from raytune_nn.data.text import TextDataModule

__all__ = [
    "ArrayDataModule",
    "ArrayLoader",
    "AudioDataModule",
    "DigitsDataModule",
    "IdxDataModule",
    "ImageFolderDataModule",
    "TableDataModule",
    "TextDataModule",
    "stratified_split",
]
