"""The learning-rate range test: which rates are worth a search. A few steps in this process; nothing is created."""

from __future__ import annotations

import shlex
import shutil
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError, NoSuccessfulTrialError
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.report.curve import draw_curve
from raytune_nn.trial.ctrl_c import raise_if_interrupted

if TYPE_CHECKING:
    from raytune_nn.trial.lr_range import LrRange, Sweep

LR = "search_space.optimizer.lr"
LEAST_STEPS = 20


def lr_range(composed: Composed) -> None:
    """Trains with a rising rate, draws the loss, and prints the search space and the command that follow from it.

    Raises:
        ConfigError: Bad configuration, or an optimizer whose rate is not the configuration's.
        NoSuccessfulTrialError: The training failed, or its loss says nothing about the rate.
    """
    _check(composed)
    config = {**composed.config, "search": None}  # what is composed is tested, whatever a search would vary
    alone = replace(composed, config=config, settings=replace(composed.settings, search=None))
    sweep = _sweep(preflight(alone))
    found = _choose(sweep, alone)
    print(describe(sweep, found, shutil.get_terminal_size().columns))
    print(f"\nnext  {next_command(composed, found.low, found.high)}")


def _check(composed: Composed) -> None:
    test = composed.settings.lr_range
    if composed.settings.optimizer.get("_target_") is None:
        raise ConfigError(
            "mode=lr_range sets the rate of a configured optimizer; a model that makes its own sets its own rates",
            "optimizer=from_model",
            "optimizer=adamw",
        )
    if not 0 < test.low < test.high:
        found = f"lr_range.low={test.low:g}, lr_range.high={test.high:g}"
        raise ConfigError("0 < lr_range.low < lr_range.high must hold", found, "lr_range.low=1e-6 lr_range.high=10")
    if test.steps < LEAST_STEPS:
        raise ConfigError(f"lr_range.steps must be at least {LEAST_STEPS}", test.steps, "lr_range.steps=200")


def _sweep(checked: Checked) -> Sweep:
    """The training; whatever the user's code raises becomes one message."""
    from raytune_nn.trial.lr_range import exponential_rates, sweep_rates
    from raytune_nn.trial.rehearsal import prepare

    config, settings = checked.plan.config, checked.plan.settings
    test = settings.lr_range
    isolation = prepare(checked.plan.context(checked.folder), checked.targets)
    console = Console()
    silent = settings.verbose != 1 or not console.is_terminal
    with Progress(console=console, transient=True, disable=silent) as progress:
        task = progress.add_task("learning-rate range test", total=test.steps)
        try:
            rates = exponential_rates(test.low, test.high, test.steps)
            return sweep_rates(config, isolation, rates, lambda *_: progress.advance(task))
        except (Exception, SystemExit) as error:
            raise_if_interrupted(error)
            last = "\n    ".join(traceback.format_exc().strip().splitlines()[-12:])
            raise NoSuccessfulTrialError("a range test needs a training that runs", last) from error


def _choose(sweep: Sweep, composed: Composed) -> LrRange:
    from raytune_nn.trial.lr_range import choose_range

    test = composed.settings.lr_range
    try:
        return choose_range(sweep)
    except ValueError as error:
        wider = f"lr_range.low={test.low / 1000:g}" if sweep.diverged else f"lr_range.high={test.high * 1000:g}"
        raise NoSuccessfulTrialError("a range test needs a loss that falls", error, wider) from error


def describe(sweep: Sweep, found: LrRange, width: int) -> str:
    """The smoothed curve, the range with its reasons, and the space as YAML.

    Args:
        width: Columns of the terminal.
    """
    from raytune_nn.trial.lr_range import smooth

    smoothed = smooth(sweep.losses)
    roof = smoothed[0] + (smoothed[0] - min(smoothed)) / 4  # a loss that diverges would make all else a flat line
    end = "where the loss diverged" if sweep.diverged else "without diverging"
    low = "a decade below the other: the loss falls within less" if found.widened else "the loss begins to fall"
    high = (
        "the loss is least at the end: a larger lr_range.high would tell more"
        if found.open_end
        else "the loss is least"
    )
    lines = [
        f"\nsmoothed loss, the learning rate rising to {sweep.rates[-1]:.2g} in {len(sweep.rates)} steps, {end}\n",
        draw_curve(sweep.rates, [min(loss, roof) for loss in smoothed], [found.low, found.high], width),
        f"\nlow   {found.low:<9g} {low}",
        f"high  {found.high:<9g} {high}",
        f"\noptimizer:\n  lr: {{dist: loguniform, low: {found.low:.1e}, high: {found.high:.1e}}}",
    ]
    return "\n".join(lines)


def next_command(composed: Composed, low: float, high: float) -> str:
    """The search over these rates, everything else as typed."""
    dropped = ("mode=", "lr_range.", LR)
    words = [word for word in composed.arguments if not word.lstrip("+~").startswith(dropped)]
    if composed.settings.search is None:
        words.append("+search=asha")
    there = "lr" in composed.settings.search_space.get("optimizer", {})
    words.append(f'{"" if there else "+"}{LR}="loguniform({low:g}, {high:g})"')
    return shlex.join(["python", "-m", "raytune_nn", *words])
