"""The last words of a study: the winner and what to type next, or what went wrong."""

from __future__ import annotations

from raytune_nn.errors import InterruptedStudyError, NoSuccessfulTrialError, RaytuneError
from raytune_nn.report.exports import leave_exports
from raytune_nn.report.failures import failures
from raytune_nn.report.tables import commands, counted, winner
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.failures import STOPPED
from raytune_nn.study.session import StudyPlan


def leave_files(folder: StudyFolder, record: StudyRecord) -> None:
    """Writes what other programs read, once a study came to its end; where it was interrupted, seconds count."""
    if record.status in ("complete", "failed"):
        leave_exports(folder, record)


def show_ending(plan: StudyPlan, folder: StudyFolder, record: StudyRecord, fault: RaytuneError | None = None) -> None:
    """Prints how a study ended.

    Raises:
        RaytuneError: It ended otherwise than well; the exit code follows.
    """
    resume, others = commands(folder, plan.command)
    if fault is not None:
        raise fault
    if wrong := failures(record):
        print(wrong)
    if record.status == "interrupted":
        raise InterruptedStudyError(f"the study was interrupted; what it had is kept{_cut_off(record)}", fix=resume)
    if record.best is None:
        of_folds = " of all its folds" if record.objective.folds else ""
        states = f"{record.counts['failed']} failed, {record.counts['diverged']} diverged"
        since = f"; ended since {record.reason}" if record.reason else ""
        raise NoSuccessfulTrialError(
            f"a study needs one trial that ends with a finite value{of_folds}",
            f"{counted(len(record.trials), 'trial')}: {states}{since}",
            _mend(record, folder, resume),
        )
    print(winner(record, folder))
    print(others)


def _cut_off(record: StudyRecord) -> str:
    """What became of the trials that ran."""
    saved = [trial.just_saved for trial in record.trials.values() if trial.state == "running"]
    if not saved:
        return ""
    states = "its state" if len(saved) == 1 else "their states"
    rest = "" if all(saved) else ", the rest is trained again from the states before"
    return f"; {sum(saved)} of {counted(len(saved), 'running trial')} saved {states}{rest}"


def _mend(record: StudyRecord, folder: StudyFolder, resume: str) -> str:
    if record.reason.startswith(STOPPED):
        return (
            f"mend what went wrong (above), then a new study.name, or for the trials that are left\n         {resume}"
        )
    return "a longer budget" if record.reason else f"read what went wrong above, or in {folder.shown(folder.journal)}"
