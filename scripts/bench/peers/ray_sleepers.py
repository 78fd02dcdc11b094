"""Sleeping trials on Ray Tune by hand: reused actors, no default loggers, one report a trial.

Run as ``python ray_sleepers.py TRIALS SECONDS SLOTS STORAGE``; prints ``trial <number> <time>`` as each one ends.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
import ray
from ray import tune
from ray.tune import Callback


class Ends(Callback):
    """Tells when trials end."""

    def __init__(self) -> None:
        self.ended = 0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.ended += 1
        print(f"trial {self.ended} {time.time()}", flush=True)


def sleep(config: dict[str, Any]) -> None:
    """One trial."""
    time.sleep(config["seconds"])
    tune.report({"score": config["score"]})


def main(trials: int, seconds: float, slots: int, storage: str) -> None:
    """The whole search."""
    ray.init(address="local", num_cpus=slots, log_to_driver=False)
    tune.Tuner(
        tune.with_resources(sleep, {"cpu": 1}),
        param_space={"seconds": seconds, "score": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=True, metric="score", mode="max"),
        run_config=tune.RunConfig(storage_path=storage, verbose=0, callbacks=[Ends()]),
    ).fit()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
