"""Built-in networks and the LightningModule that trains them; reached through ``_target_`` only.

Nothing here imports more than torch and pytorch_lightning: every worker pays for this import.
"""

from raytune_nn.nn.classification import Classification
from raytune_nn.nn.cnn import CNN
from raytune_nn.nn.mlp import MLP

__all__ = ["CNN", "MLP", "Classification"]
