"""Which parameters are treated alike."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from trial_parts import base_config

from raytune_nn.errors import ConfigError
from raytune_nn.trial.param_groups import group_parameters
from raytune_nn.trial.targets import check_targets


def grouped(model: nn.Module, decay: bool = True, layer_decay: float = 1.0) -> list[tuple[list[str], float, bool]]:
    """The groups, with names in place of parameters."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = group_parameters(model, decay, layer_decay)
    return [([names[id(p)] for p in group.params], group.lr_scale, group.decays) for group in groups]


def named(**modules: nn.Module) -> nn.Module:
    return nn.ModuleDict(modules)


def test_all_alike_is_one_group_in_the_models_order() -> None:
    model = named(a=nn.Linear(2, 3), norm=nn.LayerNorm(3), b=nn.Linear(3, 1))
    assert grouped(model) == [([name for name, _ in model.named_parameters()], 1.0, True)]


def test_norms_and_biases_do_not_decay_and_embeddings_do() -> None:
    model = named(
        embedding=nn.Embedding(5, 4),
        recurrent=nn.GRU(4, 4),
        image_norm=nn.LayerNorm((2, 3, 3)),
        convolution=nn.Conv1d(2, 2, 3),
        batch_norm=nn.BatchNorm1d(2),
        rms_norm=nn.RMSNorm(2),
    )
    model.scale = nn.Parameter(torch.ones(()))
    spared, decays = grouped(model, decay=False)  # the scale is the first of all
    kept = ["embedding.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0", "convolution.weight"]
    assert decays == (kept, 1.0, True)
    assert spared[1:] == (1.0, False)
    assert sorted(spared[0]) == sorted({name for name, _ in model.named_parameters()} - set(kept))


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm1d(4),
        nn.BatchNorm2d(4),
        nn.BatchNorm3d(4),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm1d(4, affine=True),
        nn.InstanceNorm2d(4, affine=True),
        nn.InstanceNorm3d(4, affine=True),
        nn.GroupNorm(2, 4),
        nn.LayerNorm((4, 4)),
        nn.RMSNorm((4, 4)),
    ],
)
def test_every_norm_of_torch_is_spared(norm: nn.Module) -> None:
    assert [decays for _, _, decays in grouped(named(norm=norm), decay=False)] == [False]


def test_each_layer_learns_slower_than_the_one_after_it() -> None:
    inner = named(first=nn.Linear(2, 2), second=nn.Linear(2, 2))
    model = named(
        embedding=nn.Embedding(3, 2), inner=inner, empty=nn.ReLU(), norm=nn.LayerNorm(2), head=nn.Linear(2, 1)
    )
    assert [(names[0], scale) for names, scale, _ in grouped(model, layer_decay=0.5)] == [
        ("embedding.weight", 1 / 16),
        ("inner.first.weight", 1 / 8),
        ("inner.second.weight", 1 / 4),
        ("norm.weight", 1 / 2),
        ("head.weight", 1),
    ]


def test_parameters_of_a_module_with_layers_inside_come_first() -> None:
    model = named(head=nn.Linear(1, 1))
    model.token = nn.Parameter(torch.zeros(1, 2))
    assert [names for names, _, _ in grouped(model, layer_decay=0.9)] == [["token"], ["head.weight", "head.bias"]]


def test_both_together() -> None:
    model = named(a=nn.Linear(1, 1), b=nn.Linear(1, 1))
    assert grouped(model, decay=False, layer_decay=0.1) == [
        (["a.weight"], 0.1, True),
        (["a.bias"], 0.1, False),
        (["b.weight"], 1.0, True),
        (["b.bias"], 1.0, False),
    ]


def test_a_shared_parameter_belongs_to_the_first_that_has_it() -> None:
    model = named(embedding=nn.Embedding(3, 2), middle=nn.Linear(2, 2), output=nn.Linear(2, 3, bias=False))
    model["output"].weight = model["embedding"].weight  # type: ignore[index]
    assert grouped(model, layer_decay=0.5) == [
        (["embedding.weight"], 0.5, True),
        (["middle.weight", "middle.bias"], 1.0, True),
    ]


def test_a_frozen_layer_is_left_out_and_counts() -> None:
    model = named(a=nn.Linear(1, 1), b=nn.Linear(1, 1), c=nn.Linear(1, 1))
    model["b"].requires_grad_(False)  # type: ignore[index]
    assert grouped(model, layer_decay=0.5) == [
        (["a.weight", "a.bias"], 0.25, True),
        (["c.weight", "c.bias"], 1.0, True),
    ]


@pytest.mark.parametrize("layer_decay", [0.0, -1.0, 1.01])
def test_a_factor_out_of_bounds(layer_decay: float) -> None:
    with pytest.raises(ValueError, match=f"0 < layer_decay <= 1 must hold, but got {layer_decay}"):
        group_parameters(nn.Linear(1, 1), True, layer_decay)


@pytest.mark.parametrize(
    ("part", "found", "fix"),
    [
        (
            {"param_groups": {"decay_norms_and_biases": False, "layer_decay": 1.0}},
            "param_groups.decay_norms_and_biases=false",
            "param_groups.decay_norms_and_biases=true",
        ),
        (
            {"param_groups": {"decay_norms_and_biases": True, "layer_decay": 0.5}},
            "param_groups.layer_decay=0.5",
            "param_groups.layer_decay=1",
        ),
        ({"lr_scheduler": {"scheduler": None, "warmup": 2}}, "lr_scheduler.warmup=2", "lr_scheduler=none"),
    ],
)
def test_groups_and_warm_up_are_refused_where_the_model_makes_its_own(
    part: dict[str, Any], found: str, fix: str
) -> None:
    config = base_config(search=None)
    check_targets(config, [])
    with pytest.raises(ConfigError) as raised:
        check_targets({**config, **part}, [])
    assert (raised.value.found, raised.value.fix) == (found, fix)
