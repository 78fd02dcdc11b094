"""The last words of a study: the winner and what to type next, or what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from raytune_nn.errors import InterruptedStudyError, NoSuccessfulTrialError, RaytuneError
from raytune_nn.report.collector import no_collector
from raytune_nn.report.commands import commands, report_command, report_line
from raytune_nn.report.doctor.examination import examine
from raytune_nn.report.doctor.texts import ending_text
from raytune_nn.report.exports import leave_exports
from raytune_nn.report.failures import failures
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted, winner
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.failures import STOPPED
from raytune_nn.study.interrupt import Signals
from raytune_nn.study.session import StudyPlan

MOST_BYTES = 100_000_000  # of a journal whose report is written without being asked for: half a minute, and 1 GB


def show_ending(
    plan: StudyPlan,
    folder: StudyFolder,
    record: StudyRecord,
    fault: RaytuneError | None = None,
    signals: Signals | None = None,
) -> None:
    """Prints how a study ended.

    Args:
        signals: Those to this process while the study's page is written, and what other programs read, once the rest is
            said; None: neither is written.

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
        _add_to_words(plan, folder, record, signals)
        since = f"; ended since {record.reason}" if record.reason else ""
        raise NoSuccessfulTrialError(
            f"a study needs one trial that ends with a finite value{of_folds}",
            f"{counted(len(record.trials), 'trial')}: {states}{since}",
            _mend(record, folder, resume),
        )
    print(winner(record, folder))
    print(others, flush=True)  # before the files, which take a moment
    _add_to_words(plan, folder, record, signals)


def _add_to_words(plan: StudyPlan, folder: StudyFolder, record: StudyRecord, signals: Signals | None) -> None:
    """The files of a search that has just ended, and what the doctor says of it, or of a single training.

    Of a search that ended earlier, where its page is.
    """
    if signals is not None:
        _leave_files(plan, folder, record, signals)
    elif plan.settings.search is None:
        _show_findings(_study(plan, folder, record, list(read_journal(folder.journal))))
    else:
        print(report_line(folder) if folder.report.exists() else _to_write(folder))


def _to_write(folder: StudyFolder) -> str:
    return f"{'report':<12}{report_command(folder)}"


def _study(plan: StudyPlan, folder: StudyFolder, record: StudyRecord, events: Sequence[Event]) -> Study:
    return Study(folder, record, events, plan.settings, plan.space, plan.config)


def _show_findings(study: Study) -> None:
    """Where something is wrong; a study has ended well also where its trainings cannot be examined."""
    try:
        seen = examine(study)
        if seen is not None and (told := ending_text(study, seen)):
            print(told)
    except Exception as error:
        print(f"raytune_nn: not examined: {type(error).__name__}: {error}", file=sys.stderr)


def _leave_files(plan: StudyPlan, folder: StudyFolder, record: StudyRecord, signals: Signals) -> None:
    """Writes the files of a study that has ended; where that fails, the study has ended all the same."""
    if sum(segment.stat().st_size for segment in folder.journal.glob("*.jsonl")) > MOST_BYTES:
        leave_exports(folder, record, read_journal(folder.journal))
        print(_to_write(folder))
        return
    try:
        with signals.dispensable(), no_collector():
            from raytune_nn.report.page.render import write_report

            events = list(read_journal(folder.journal))
            leave_exports(folder, record, events)
            study = _study(plan, folder, record, events)
            write_report(study)
            print(report_line(folder))
            _show_findings(study)
    except KeyboardInterrupt:
        print(_to_write(folder))
    except Exception as error:
        what = (str(error).splitlines() or [""])[0]
        print(f"raytune_nn: no {folder.report.name}: {type(error).__name__}: {what}", file=sys.stderr)


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
