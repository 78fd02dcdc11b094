"""Built-in networks and the LightningModules that train them; reached through ``_target_`` only.

Nothing here imports more than torch and pytorch_lightning: every worker pays for this import.
"""

from raytune_nn.nn.audio import AudioCNN
from raytune_nn.nn.autoencoding import Autoencoding
from raytune_nn.nn.classification import Classification
from raytune_nn.nn.cnn import CNN
from raytune_nn.nn.mlp import MLP
from raytune_nn.nn.recurrent import Recurrent
from raytune_nn.nn.regression import Regression
from raytune_nn.nn.transformer import Transformer
from raytune_nn.nn.vae import VAE

__all__ = ["CNN", "MLP", "VAE", "AudioCNN", "Autoencoding", "Classification", "Recurrent", "Regression", "Transformer"]
