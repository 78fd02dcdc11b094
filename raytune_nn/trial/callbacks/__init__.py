"""Callbacks that change how any LightningModule trains, from outside; reached through ``_target_`` only.

They act on batches, gradients, weights or the data module, or only watch, and know nothing of the module's class.
Random numbers come from torch's global generators, which each trial seeds; one that is switched off by its values draws
none.
"""

from raytune_nn.trial.callbacks.accumulation import Accumulation
from raytune_nn.trial.callbacks.augment import Augment
from raytune_nn.trial.callbacks.batch_size_schedule import BatchSizeSchedule
from raytune_nn.trial.callbacks.freeze import Freeze
from raytune_nn.trial.callbacks.gradient_noise import GradientNoise
from raytune_nn.trial.callbacks.gradient_norm import GradientNorm
from raytune_nn.trial.callbacks.input_noise import InputNoise
from raytune_nn.trial.callbacks.learning_rate import LearningRate
from raytune_nn.trial.callbacks.mixup import Mixup
from raytune_nn.trial.callbacks.penalty import Penalty
from raytune_nn.trial.callbacks.probes import Probes
from raytune_nn.trial.callbacks.swa import StochasticWeightAveraging
from raytune_nn.trial.callbacks.throughput import Throughput

__all__ = [
    "Accumulation",
    "Augment",
    "BatchSizeSchedule",
    "Freeze",
    "GradientNoise",
    "GradientNorm",
    "InputNoise",
    "LearningRate",
    "Mixup",
    "Penalty",
    "Probes",
    "StochasticWeightAveraging",
    "Throughput",
]
