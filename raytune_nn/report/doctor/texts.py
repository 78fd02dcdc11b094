"""What the doctor says on a terminal: of a study, of one trial, and in a line at a study's end."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from raytune_nn.report.commands import mode_command
from raytune_nn.report.doctor.diagnose import Count
from raytune_nn.report.doctor.examination import Examination, kinds_of, looked_for
from raytune_nn.report.doctor.finding import Finding, Unseen
from raytune_nn.report.doctor.prescription import after_study, after_trial
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted, named_results

WIDTH, IN = 80, "  "  # columns; what stands below a kind
SHOWN_TRIALS, SHOWN_IDS = 3, 8  # of a kind: with their numbers, and by name
NAMED_KINDS = 3  # in one line
MANY = 0.25  # of the trials: said at the end of a study, whoever won


def study_text(study: Study, seen: Examination) -> str:
    """What is wrong in a study: each kind with its most telling trials, the best first."""
    ill, looked = seen.ill, len(seen.order)
    found = f"something was found in {len(ill)}" if ill else f"nothing was found of {', '.join(seen.kinds)}"
    silent = len(study.record.trials) - looked
    more = f"; {counted(silent, 'more trial')} have not reported" if silent else ""
    lines = _folded(f"{counted(seen.reports, 'report')} of {counted(looked, 'trial')} examined: {found}{more}")
    for finding in seen.found.study:
        lines += ["", str(finding.kind), *_evidence(finding.evidence, finding)]
    for count in seen.found.counts:
        lines += ["", *_kind(count, study, seen)]
    lines += _unseen((one, f" ({counted(number, 'trial')})") for one, number in seen.unseen())
    return "\n".join([*lines, *_commands(study, after_study(study, seen), ill)])


def trial_text(study: Study, seen: Examination, id: str) -> str:
    """What is wrong with one trial, in the order in which it showed, or what was looked for in vain."""
    trial, findings, unseen = study.record.trials[id], seen.found.trials[id], seen.found.unseen.get(id, [])
    value = f", {named_results(trial, study.record)} at epoch {trial.value_epoch}" if trial.value is not None else ""
    lines = _folded(f"trial {id}: {trial.state} after {counted(trial.epochs, 'epoch')}{value}")
    for finding in findings:
        lines += ["", f"{finding.kind} since epoch {finding.epoch}", *_evidence(finding.evidence, finding)]
        lines += _folded(f"rule: {finding.source}", IN)
    if not findings:
        kinds = ", ".join(looked_for(unseen))
        lines += _folded(f"nothing was found; looked for: {kinds}" if kinds else "nothing can be looked for")
    lines += _unseen((one, "") for one in unseen)
    return "\n".join([*lines, *_commands(study, after_trial(study, trial, findings), [])])


def ending_text(study: Study, seen: Examination) -> str:
    """Two lines where something is wrong with the best trial, with many trials or the space; else nothing."""
    best = study.record.best
    of_best = seen.found.trials.get(best.id, []) if best is not None else []
    ill, looked = len(seen.ill), len(seen.order)
    if not (of_best or seen.found.study or ill > MANY * looked):
        return ""
    told = [f"{finding.kind}, {finding.evidence.partition(':')[0]}" for finding in seen.found.study[:1]]
    told += [f"the best trial: {', '.join(dict.fromkeys(finding.kind for finding in of_best))}"] if of_best else []
    if ill > bool(of_best):
        kinds = ", ".join(f"{count.kind} ({len(count.trials)})" for count in seen.found.counts[:NAMED_KINDS])
        told.append(f"{ill} of {counted(looked, 'trial')}: {kinds}")
    return f"{'doctor':<12}{'; '.join(told)}\n{'':<12}{mode_command(study.folder, 'doctor')}"


def _kind(count: Count, study: Study, seen: Examination) -> Iterator[str]:
    pairs = seen.of_kind(count)
    yield f"{count.kind}: {len(count.trials)} of {counted(len(seen.order), 'trial')}"
    best = study.record.best
    for id, finding in pairs[:SHOWN_TRIALS]:
        who = f"trial {id}{', the best' if best is not None and id == best.id else ''}, epoch {finding.epoch}"
        yield from _folded(f"{who}: {finding.evidence}", IN)
    if rest := [id for id, _ in pairs[SHOWN_TRIALS:]]:
        yield from _folded(f"and {counted(len(rest), 'more trial')}: {listed(rest)}", IN)
    yield from _try(count.action)


def listed(ids: Sequence[str]) -> str:
    """The first few."""
    return ", ".join(ids[:SHOWN_IDS]) + (", …" if len(ids) > SHOWN_IDS else "")


def _evidence(text: str, finding: Finding) -> Iterator[str]:
    yield from _folded(text, IN)
    yield from _try(finding.action)


def _unseen(pairs: Iterable[tuple[Unseen, str]]) -> list[str]:
    lines: list[str] = []
    for one, of in pairs:
        lines += _folded(f"{kinds_of(one)}: {one.why}{of}", IN)
        lines += _try(one.action)
    return ["", "not looked for", *lines] if lines else []


def _try(action: str) -> list[str]:
    """On a line of its own, whole: it is to be copied."""
    return [f"{IN}try {action}"] if action else []


def _commands(study: Study, command: str, trials: Sequence[str]) -> list[str]:
    rows = [("next", command)] if command else []
    rows += [("one trial", mode_command(study.folder, "doctor", f"study.trial={trials[0]}"))] if trials else []
    return ["", *(f"{name:<12}{text}" for name, text in rows)] if rows else []


def _folded(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
