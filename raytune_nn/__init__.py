"""raytune_nn: Hydra composes a study, Ray Tune runs it, Lightning trains each trial."""

__version__ = "0.1.0"
