"""Keeps secrets out of checkpoints, where modules that call ``save_hyperparameters`` would put them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raytune_nn.config.secrets import Secrets

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

_PARTS = ("hyper_parameters", "datamodule_hyper_parameters")


def hide_in_checkpoints(trainer: Trainer, secrets: Secrets) -> None:
    """From now on this trainer's checkpoints hold references in the place of secrets among the hyperparameters.

    Lightning puts them there after its callbacks were asked, and has no hook behind that.
    """
    dump = trainer._checkpoint_connector.dump_checkpoint

    def hiding(*arguments: Any, **keywords: Any) -> dict[str, Any]:
        checkpoint = dump(*arguments, **keywords)
        return {key: secrets.hide(part) if key in _PARTS else part for key, part in checkpoint.items()}

    trainer._checkpoint_connector.dump_checkpoint = hiding  # type: ignore[method-assign]
