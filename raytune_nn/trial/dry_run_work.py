"""What a dry run does, in as many processes as trials train at once: `raytune_nn.trial.dry_run` says what for.

The first checks and comes to a first report with all that a trial does, all of them build the corners, and then all
time sampled configurations together, since trials that share a machine slow each other down.
"""

from __future__ import annotations

import functools
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.space.corners import Corner
from raytune_nn.space.merge import merge_params
from raytune_nn.space.values import shown
from raytune_nn.trial.dry_run import DryRun, Findings, Timing
from raytune_nn.trial.instantiate import locate_all, setting
from raytune_nn.trial.isolation import Isolation, trial_threads
from raytune_nn.trial.targets import as_plain, import_ends_process

CORNER_SECONDS = 60.0  # for all corners; what then was not begun is not built
TIMING_SECONDS = 8.0  # of each process; each of them times two configurations in any case


def carry_out(request: DryRun, tell: Callable[[str], None]) -> Findings:
    """Does all of it.

    Args:
        tell: Told what is being done.

    Raises:
        ConfigError: The first thing that a study would fail with.
    """
    begun = time.monotonic()
    tell("importing")
    from raytune_nn.trial import first_report, rehearsal  # noqa: F401  before the fork, once for all

    imports = time.monotonic() - begun
    gpus = float(setting(request.study.config, "resources.gpus"))
    # A process that has touched CUDA cannot be forked, and looking whether there is a GPU may touch it.
    context = multiprocessing.get_context("spawn" if gpus else "fork")
    # The user's modules are imported there: they may start threads, which a fork would lose.
    with ProcessPoolExecutor(request.processes, context, _prepare, (request,)) as pool:
        try:
            found = _carry_out(pool, request, tell, imports)
        except BrokenProcessPool:
            raise import_ends_process("a process of the rehearsal ended by itself") from None
        finally:
            pool.shutdown(cancel_futures=True)
    return found


def _carry_out(pool: ProcessPoolExecutor, request: DryRun, tell: Callable[[str], None], imports: float) -> Findings:
    tell("checking")
    size = _told(pool.submit(_check))
    if not request.check.trials:
        return Findings(size, imports=imports)
    tell("training a batch")
    logged, batches = _told(pool.submit(_first_report))
    if any(goal.metric not in logged for goal in request.study.objective.goals):
        return Findings(size, imports=imports, logged=logged)
    corners = _build(pool, request.corners, tell)
    timings: list[Timing] = []
    untimed = "" if batches is None or max(batches) < float("inf") else "the data loader has no length"
    if request.timed and not untimed:
        tell("timing")
        shares = [pool.submit(_time, request.timed[i :: request.processes]) for i in range(request.processes)]
        timings, untimed = _gathered([_told(share) for share in shares])
    memory, gpu_memory = map(max, zip(*pool.map(_memory, range(2 * request.processes)), strict=True))
    return Findings(size, corners, batches, memory, gpu_memory, timings, untimed, imports, logged)


def _gathered(shares: Sequence[tuple[list[Timing], str]]) -> tuple[list[Timing], str]:
    timings = [timing for share, _ in shares for timing in share]
    return timings, "" if timings else next((why for _, why in shares if why), "no training came to an epoch's end")


def _build(pool: ProcessPoolExecutor, corners: Sequence[Corner], tell: Callable[[str], None]) -> int:
    """How many were built.

    Raises:
        ConfigError: One cannot be; it says which parameters make it a corner.
    """
    until = time.time() + CORNER_SECONDS
    numbers = {pool.submit(_corner, corner, until): number for number, corner in enumerate(corners)}
    refusals, built = {}, 0
    for done, future in enumerate(as_completed(numbers), 1):
        tell(f"building corner {done} of {len(corners)}")
        try:
            built += _told(future)
        except ConfigError as error:
            refusals[numbers[future]] = error
    if refusals:
        raise refusals[min(refusals)]  # the same at each attempt, and of few parameters rather than many
    return built


def _told(future: Future[Any]) -> Any:
    """What a process answers: errors come as plain arguments."""
    result, refusal = future.result()
    if refusal is not None:
        raise ConfigError(*refusal)
    return result


_request: DryRun
_isolation: Callable[[], Isolation]


def _prepare(request: DryRun) -> None:
    """In each process, before its first task; nothing may be raised here."""
    global _request, _isolation  # what a pool hands to a process has no other place
    _request, _isolation = request, functools.cache(_taken)


def _taken() -> Isolation:
    study = _request.study
    locate_all(study.config, study.branches)
    return Isolation(trial_threads(study.config))


def _answers(task: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    @functools.wraps(task)
    def answer(*arguments: Any) -> tuple[Any, Any]:
        try:
            return task(*arguments), None
        except RaytuneError as error:
            return None, as_plain(error)

    return answer


@_answers
def _check() -> Any:
    _request.check.check_names()
    _isolation()
    return _request.check.run()


@_answers
def _first_report() -> Any:
    from raytune_nn.trial.first_report import first_report

    return first_report(_request.study, _request.middle, _isolation())


@_answers
def _corner(corner: Corner, until: float) -> bool:
    """Whether there was still time for it."""
    from raytune_nn.trial.rehearsal import one_batch_refusal

    if time.time() > until:
        return False
    study, isolation = _request.study, _isolation()
    config = merge_params(study.config, study.branches, corner.params)
    isolation.restore(int(setting(config, "seed")), trial_threads(config))
    refusal = one_batch_refusal(config, isolation.data.build)
    if refusal is not None:
        raise _of_corner(refusal, corner)
    return True


@_answers
def _time(shares: Sequence[dict[str, Any]]) -> tuple[list[Timing], str]:
    from raytune_nn.trial.timed_trial import time_trial

    until = time.monotonic() + TIMING_SECONDS
    timings: list[Timing] = []
    why = ""
    for number, params in enumerate(shares):
        if number >= 2 and time.monotonic() > until:
            break
        try:
            timing = time_trial(_request.study, params, _isolation())
        except (Exception, SystemExit) as error:  # the user's code can raise anything; the trial would fail as well
            why = f"{type(error).__name__}: {error}"
        else:
            timings += [] if timing is None else [timing]
    return timings, why


def _memory(_: int) -> tuple[int, int]:
    """Peaks of this process and of its GPU, in bytes."""
    import torch

    gpu = torch.cuda.max_memory_allocated()  # 0 where none is in use
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, gpu


def _of_corner(refusal: ConfigError, corner: Corner) -> ConfigError:
    values = ", ".join(f"{path}={shown(corner.params[path])}" for path in corner.moved)
    rule = f"every corner of search_space must train: {refusal.rule}"
    return ConfigError(rule, f"{refusal.found}, with {values}", corner.mend)
