"""What a scheduler is: it is told reports, and answers continue, pause or stop; nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Decision(StrEnum):
    """What becomes of a trial after a report."""

    CONTINUE = "continue"
    PAUSE = "pause"  # it gives its slot back, and goes on once `Scheduler.next_to_run` names it
    STOP = "stop"


@dataclass(frozen=True)
class Verdict:
    """A decision, and for the reader of the journal why it was taken (empty: nothing worth saying).

    Args:
        reason: In words; a format, where there are ``scores``: ``{}`` stands for each of them in turn, ``{worse}`` for
            the sign between a worse and a better one.
        scores: The numbers that decided it, as the scheduler was told them. Who reads them sees values of the metric.
    """

    decision: Decision
    reason: str = ""
    scores: tuple[float, ...] = ()

    def words(self, maximise: bool = True) -> str:
        """The reason, with the values of a metric of which the highest is wanted, or the lowest."""
        return _in_words(self.reason, self.scores, maximise)


GO_ON = Verdict(Decision.CONTINUE)


@dataclass(frozen=True)
class Resumption:
    """A paused trial that goes on.

    Args:
        trial: The trial's id.
        source: The trial whose latest checkpoint it loads; None: its own.
        params: Its parameters from now on; None: unchanged.
        reason: Why, as in a `Verdict`.
        scores: See there.
    """

    trial: str
    source: str | None = None
    params: dict[str, Any] | None = None
    reason: str = field(default="", compare=False)
    scores: tuple[float, ...] = field(default=(), compare=False)

    def words(self, maximise: bool = True) -> str:
        """As those of a `Verdict`."""
        return _in_words(self.reason, self.scores, maximise)


class Scheduler(ABC):
    """Decides from the reports of all trials which of them go on.

    What a scheduler knows comes from its calls alone, so a study resumes by repeating them to a fresh object:
    the same calls in the same order get the same answers. Calls of `next_to_run` that name no trial, and
    reports given twice, may be left out. After STOP, a trial makes no new report; after PAUSE, none until it
    is resumed. A study ends when nothing runs, nothing new comes and `next_to_run` names no trial.

    A *step* is what a trial has reached in the study's `search.fidelity`: epochs trained, or another counter that is
    reported. It never falls, but may skip values.
    """

    @property
    def rungs(self) -> tuple[int, ...]:
        """The steps at which trials are compared: ascending; empty if there are none."""
        return ()

    @property
    @abstractmethod
    def decision_steps(self) -> frozenset[int] | None:
        """The steps that may be answered with other than CONTINUE; None: any.

        Elsewhere a trial may train on without waiting for its verdict. A trial that makes no report at such a
        step may get the decision at its first report after it.
        """

    @property
    def pauses(self) -> bool:
        """Whether PAUSE is ever answered: each report at a decision step then comes with a checkpoint."""
        return False

    @property
    def copies(self) -> bool:
        """Whether a trial ever goes on from another one's checkpoint: it must be one of a decision step then."""
        return False

    def on_start(self, trial: str, params: dict[str, Any]) -> None:  # noqa: B027  most algorithms need not know
        """Take in a new trial: told once, when it is suggested, before its first report."""

    @abstractmethod
    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Take in one report and decide about its trial.

        A second report of the same trial and step, as a restarted trial makes it, changes nothing, whatever
        its score; where nothing came between, it gets the verdict of the first.

        Args:
            trial: The trial's id.
            step: What it has reached.
            score: The objective at this step: finite, and higher is better (the caller turns the sign).
        """

    def on_end(self, trial: str, complete: bool) -> None:  # noqa: B027  most algorithms need not know
        """Take in that the trial will report no more.

        Args:
            trial: The trial's id.
            complete: Whether its training came to its own end; else it was stopped, diverged or failed.
        """

    def on_fall_back(self, trial: str, epochs: int) -> dict[str, Any] | None:
        """Take in that a trial goes on from an earlier state than it had, since that one is damaged.

        What it has reported since then it will report again.

        Args:
            trial: The trial's id.
            epochs: Trained by that state; 0: it begins anew.

        Returns:
            The parameters with which it goes on; None: those that it has.
        """
        return None

    def next_to_run(self, new_available: bool) -> Resumption | None:
        """Name a paused trial that now goes on in a slot that is free; None: there is none.

        Args:
            new_available: Whether the slot can begin a new trial instead.
        """
        return None

    @abstractmethod
    def describe(self) -> str:
        """One line for the plan: what it does to trials, and when."""

    def standing(self) -> str:
        """One line for who watches: how far the trials have come, such as how many reached each rung.

        Asked a few times a second while a study runs; empty: nothing worth saying.
        """
        return ""


def _in_words(reason: str, scores: tuple[float, ...], maximise: bool) -> str:
    if not scores:  # a text of its own, which may have any braces
        return reason
    values = [f"{score if maximise else 0.0 - score:.6g}" for score in scores]
    return reason.format(*values, worse="<" if maximise else ">")
