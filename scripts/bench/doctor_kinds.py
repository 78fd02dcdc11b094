"""The trainings of the doctor's bench: what is wrong with each, and what else may rightly be said of it.

Co-labels are what the fault itself brings about: a rate at which a training diverges makes its gradients explode, for
example. They were written before the first run, and edited with the faults since. What was changed after a look at the
convolutional and the recurrent network, whose seeds until then are not measured any more:

* at seed 0: "few rows", "high rate", and over-fitting's rule (``LEARNT``);
* at seeds 1 to 6: small weights in the recurrent network ("deep sigmoid") grew within two epochs at its usual rate, so
  that nothing vanished, and have a low rate now; at ten times its rate ("high rate") its loss mostly did not swing, so
  that it has momentum and small batches now; and a gradient that dead units cut off is not called a vanishing one;
* at seeds 1 to 20: probes look at one batch in 50, not in 25; and oscillation's rule, which counted turns and missed a
  third of "high rate" (of the perceptron too), adds up what the losses go back. Its first threshold, of the validation
  loss alone and set on ten seeds of the perceptron, gave two false alarms in ten of its healthy trainings at seeds 11
  to 20; it is of both losses and set on thirty now. One spike counts for little since a recipe had one
  (``MOST_AT_ONCE``);
* at seeds 21 to 40, where recall and precision of oscillation were 0.85 and 0.89: training losses near 0 that jump no
  longer make one by themselves. In 40 seeds of "few rows" of the convolutional network they had made 13.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from raytune_nn.report.doctor.finding import Kind

EPOCHS = 10
NETWORKS = ("MLP", "CNN", "LSTM")
SHARED = (f"budget.max_epochs={EPOCHS}", "data.batch_size=64", "optimizer.lr=3e-3", "callbacks=probes")
_READER = ("model=recurrent", "data.image=false", "~model.net", "+model.net={_target_: doctor_faults.RowReader}")
_PLAIN = ("~model.net", "+model.net={_target_: doctor_faults.PlainCNN}")
BASES: dict[str, tuple[str, ...]] = {
    "MLP": ("model=mlp",),
    "CNN": ("model=cnn", "model.net.channels=16", "model.net.blocks=1"),
    "LSTM": (
        *_READER,
        *("+model.net.hidden_size=32", "+model.net.kind=lstm", "+model.net.pooling=last", "optimizer.lr=1e-2"),
    ),
}
PLAIN: dict[str, tuple[str, ...]] = {  # without norms, which would hide what is wrong with weights
    "MLP": ("model=mlp", "model.net.norm=none"),
    "CNN": ("model=cnn", *_PLAIN),
    "LSTM": BASES["LSTM"],
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a training."""

    kind: Kind | None  # None: nothing, it is healthy
    also: frozenset[Kind] = frozenset()  # what else may be said
    overrides: tuple[str, ...] = ()
    plain: bool = False  # whether the network is without norms
    of: dict[str, tuple[str, ...]] = field(default_factory=dict)  # further overrides of one network
    callback: str = ""  # of doctor_faults, as a YAML mapping's inside

    def typed(self, network: str) -> list[str]:
        """The whole configuration, as typed."""
        base = (PLAIN if self.plain else BASES)[network]
        added = (f"+callbacks.fault={{{self.callback}}}",) if self.callback else ()
        return [*SHARED, *base, *self.overrides, *self.of.get(network, ()), *added]


_BAD_RATE = frozenset({Kind.divergence, Kind.oscillation, Kind.exploding_gradients, Kind.vanishing_gradients,
                       Kind.dead_units, Kind.under_fitting, Kind.plateau})  # fmt: skip
_STUCK = frozenset({Kind.plateau, Kind.under_fitting})


def _target(name: str, **options: object) -> str:
    return ", ".join([f"_target_: doctor_faults.{name}", *(f"{key}: {value}" for key, value in options.items())])


FAULTS: dict[str, Fault] = {
    "healthy": Fault(None),
    "few rows": Fault(
        *(Kind.over_fitting, frozenset()),
        ("data.train_fraction=0.02", "data.batch_size=8", "budget.max_epochs=60"),
        of={"MLP": ("optimizer.lr=1e-2",), "CNN": ("optimizer.lr=1e-2",), "LSTM": ("optimizer.lr=1e-2",)},
    ),
    "noisy labels": Fault(
        *(Kind.over_fitting, frozenset(), ("data.train_fraction=0.15", "data.batch_size=16", "budget.max_epochs=24")),
        of={"CNN": ("model.net.channels=32",), "LSTM": ("model.net.hidden_size=64",)},
        callback=_target("NoisyLabels"),
    ),
    "tiny rate": Fault(Kind.under_fitting, frozenset({Kind.plateau}), ("optimizer.lr=1e-5",)),
    "tiny network": Fault(
        *(Kind.under_fitting, frozenset({Kind.plateau, Kind.dead_units})),
        of={
            "MLP": ("model.net.width=1", "model.net.activation=tanh", "model.net.norm=none"),
            "CNN": ("~model.net", "+model.net={_target_: doctor_faults.PlainCNN, channels: 1, depth: 5}"),
            "LSTM": ("model.net.hidden_size=1",),
        },
    ),
    "much decay": Fault(
        *(Kind.under_fitting, frozenset({Kind.plateau, Kind.vanishing_gradients, Kind.dead_units})),
        ("optimizer.weight_decay=30",),
    ),
    "huge rate": Fault(
        *(Kind.divergence, _BAD_RATE - {Kind.divergence}, ("optimizer=momentum", "optimizer.lr=30.0")), plain=True
    ),
    "rising rate": Fault(
        *(
            Kind.divergence,
            _BAD_RATE - {Kind.divergence},
            ("lr_scheduler=exponential", "lr_scheduler.scheduler.gamma=2.5"),
        ),
        plain=True,
    ),
    "high rate": Fault(  # ten times the healthy one; with its norms the convolutional network lives through it
        *(Kind.oscillation, _BAD_RATE - {Kind.oscillation}, ("data.batch_size=32", "optimizer.lr=0.03")),
        of={  # the recurrent one learns at ten times its rate; what swings is momentum on small batches
            "MLP": ("model.net.norm=none",),
            "LSTM": ("optimizer=momentum", "optimizer.lr=0.5", "data.batch_size=8"),
        },
    ),
    "early decay": Fault(
        *(Kind.plateau, frozenset({Kind.under_fitting})),
        ("lr_scheduler=step", "lr_scheduler.scheduler.step_size=2", "lr_scheduler.scheduler.gamma=1e-5"),
        of={"MLP": ("optimizer.lr=2e-4",), "CNN": ("optimizer.lr=2e-4",), "LSTM": ("optimizer.lr=1e-3",)},
    ),
    "large weights": Fault(
        *(Kind.exploding_gradients, _BAD_RATE - {Kind.exploding_gradients}),
        of={
            "MLP": ("model.net.depth=5",),
            "CNN": ("+model.net.depth=5",),
            "LSTM": ("model.net.kind=rnn", "+model.net.steps=32"),
        },
        callback=_target("LargeWeights", gain=6.0),
        plain=True,
    ),
    "deep sigmoid": Fault(
        *(Kind.vanishing_gradients, _STUCK | {Kind.dead_units}),
        of={
            "MLP": ("model.net.depth=8", "model.net.activation=sigmoid"),
            "CNN": ("+model.net.depth=8", "+model.net.activation=Sigmoid"),
            "LSTM": ("+model.net.layers=4", "init=normal", "init.std=0.02", "optimizer.lr=1e-4"),
        },
        plain=True,
    ),
    "dead units": Fault(
        *(Kind.dead_units, _STUCK | {Kind.vanishing_gradients}), callback=_target("DeadUnits"), plain=True
    ),
    "other inputs": Fault(Kind.mismatch, callback=_target("OtherValidation", what="inputs")),
    "other labels": Fault(Kind.mismatch, callback=_target("OtherValidation", what="labels")),
}
