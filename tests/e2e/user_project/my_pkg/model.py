"""A small regression with an optimizer, a schedule and habits of its own."""

import torch
import torch.nn.functional as F
from pytorch_lightning import LightningModule
from torch import nn

print("my_pkg is imported")


class CurveFitter(LightningModule):
    def __init__(self, width: int, out_features: int, head: nn.Module | None = None):
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(nn.Linear(1, width), nn.Tanh())
        self.head = head or nn.Linear(width, out_features)
        self.errors = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.mse_loss(self.head(self.body(x)), y)
        self.log("train_loss", loss, on_epoch=True, prog_bar=True)
        return loss

    def on_train_epoch_end(self):
        self.log("lr", self.optimizers().param_groups[0]["lr"])
        print("an epoch is over")

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.errors.append(F.l1_loss(self.head(self.body(x)), y))

    def on_validation_epoch_end(self):
        self.log("val_error", torch.stack(self.errors).mean())
        self.errors.clear()

    def configure_optimizers(self):
        optimizer = torch.optim.RMSprop(self.parameters(), lr=0.0078125)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": schedule}
