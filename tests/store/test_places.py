"""What a study's storage promises, in a folder and on an object store."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from places import PLACES, View, views

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import KeepStates, Take
from raytune_nn.errors import UnusableError
from raytune_nn.store import bucket_lease, journal_pieces, lease
from raytune_nn.store.bucket_lease import hold
from raytune_nn.store.checkpoints import MODEL, Retention, States, rung_path, state_path
from raytune_nn.store.files import Write
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.holder import this_process
from raytune_nn.store.journal import Journal, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import Saved, TrialRecord


@pytest.fixture(params=PLACES)
def view(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> View:
    for module in (lease, bucket_lease):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
        monkeypatch.setattr(module, "TTL_SECONDS", 0.5)
    return views(request.param, tmp_path, monkeypatch)


def opened(view: View, process: str) -> StudyFolder:
    folder = view(process)
    folder.fetch()
    folder.create()
    return folder


def numbers(folder: StudyFolder) -> list[int]:
    folder.fetch()
    return [event["number"] for event in read_journal(folder.journal)]


def test_a_journal_is_read_as_it_was_synced(view: View) -> None:
    here = opened(view, "one")
    journal = Journal(here.journal, files=here.files)
    for number in range(5):
        journal.append("counted", number=number)
        journal.sync(force=True)
    assert numbers(view("two")) == [0, 1, 2, 3, 4]
    journal.close()
    assert numbers(view("three")) == [0, 1, 2, 3, 4]


def test_a_journal_of_many_pieces_is_one(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_pieces, "PIECE_BYTES", 100)
    for driver in range(2):
        here = opened(view, f"driver {driver}")
        journal = Journal(here.journal, files=here.files)
        for number in range(6):
            journal.append("counted", number=10 * driver + number, events=6 * driver)
            journal.sync(force=True)
        journal.close()
    assert numbers(view("reader")) == [*range(6), *range(10, 16)]


def test_what_a_driver_writes_after_it_was_replaced_does_not_count(view: View) -> None:
    here = opened(view, "one")
    old = Journal(here.journal, files=here.files)
    old.append("opened", number=0, events=0)
    old.sync(force=True)
    there = opened(view, "two")
    new = Journal(there.journal, files=there.files)
    new.append("opened", number=1, events=1)
    old.append("counted", number=99)
    old.close()
    new.close()
    assert numbers(view("three")) == [0, 1]


def test_a_study_is_there_for_others_once_it_has_begun(view: View) -> None:
    here = opened(view, "one")
    journal = Journal(here.journal, files=here.files)
    there = view("two")
    there.fetch()
    assert not there.exists
    journal.append("opened", number=0)
    journal.close()
    there.fetch()
    assert there.exists


def test_what_a_study_is_made_of_is_there_for_others(view: View) -> None:
    here = opened(view, "one")
    files = (here.config, here.space, here.summary)
    for path in files:
        path.write_text("x")
    here.publish(*files)
    there = view("two")
    there.fetch()
    assert [path.read_text() for path in (there.config, there.space, there.summary)] == ["x"] * 3


def test_one_driver_at_a_time_holds_a_study(view: View) -> None:
    here, there = opened(view, "one"), opened(view, "two")
    held = hold(here, "mine")
    with pytest.raises(UnusableError, match=rf"is held by pid {os.getpid()} .*mine"):
        hold(there)
    held.release()
    hold(there).release()


def test_a_lease_that_is_released_leaves_nothing_of_the_driver(view: View) -> None:
    here = opened(view, "one")
    held = hold(here, "mine")
    held.release()
    name = held.name
    here.files.fetch(here.path / name)
    assert not (here.path / name).exists() or not (here.path / name).read_bytes().strip()


def test_a_driver_without_a_sign_of_life_on_another_machine_is_replaced(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = opened(view, "one"), opened(view, "two")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
        elsewhere.setattr("raytune_nn.store.holder._boot", lambda: "another")
        elsewhere.setattr(lease.Lease, "_beat", lambda self: None)
        elsewhere.setattr(bucket_lease.BucketLease, "_beat", lambda self: None)
        lost = hold(here, "lost")
        assert this_process("").boot == "another"
    said: list[str] = []
    if not here.url:  # a lock of this very process would still say that it lives
        os.close(lost._file)
    held = hold(there, "new", said.append)
    assert any("elsewhere" in text for text in said)
    lost._beat()
    with pytest.raises(UnusableError, match="taken over by"):
        lost.check()
    lost._released.set()
    held.release()


def content(text: bytes) -> Write:
    return lambda file: file.write(text)


def trial_with_states(folder: StudyFolder, id: str, saves: int) -> TrialRecord:
    for number in range(1, saves + 1):
        path = state_path(folder.checkpoints, id, number)
        folder.files.write(path, content(b"%d" % number))
    saved = Saved(saves, 0, 0.5, 1, {}, {}, rung=saves)
    return TrialRecord(id, {}, state="paused", epochs=saves, saves=saves, saved=saved, before=saved)


def names(folder: StudyFolder, id: str) -> list[str]:
    return sorted(folder.files.names(folder.checkpoints / id))


def test_the_last_two_states_of_a_trial_stay(view: View) -> None:
    here, driver = view("slot"), opened(view, "driver")
    trial = trial_with_states(here, "0", 4)
    states = States(driver.checkpoints, files=driver.files)
    trial.saves = 3
    states.replaced(trial)
    trial.saves = 4
    states.replaced(trial)
    assert states.has(trial)
    assert names(driver, "0") == ["resume-3.ckpt", "resume-4.ckpt"]
    states.remove(trial)
    assert (names(here, "0"), states.has(trial)) == ([], False)


def test_a_state_is_handed_over_and_outlives_its_source(view: View) -> None:
    here, driver = view("slot"), opened(view, "driver")
    source, trial = trial_with_states(here, "0", 2), trial_with_states(here, "1", 1)
    states = States(driver.checkpoints, files=driver.files)
    states.hand_over(source, trial)
    states.remove(source)
    path = state_path(here.checkpoints, "1", 2)
    here.files.fetch(path)
    assert path.read_bytes() == b"2"


def test_states_of_rungs_stay(view: View) -> None:
    here, driver = view("slot"), opened(view, "driver")
    trial = trial_with_states(here, "0", 3)
    states = States(driver.checkpoints, files=driver.files)
    states.keep_rung(trial)
    states.remove(trial)
    assert names(driver, "0") == [rung_path(driver.checkpoints, "0", 3).name]


def test_what_nobody_needs_is_removed_when_a_study_is_opened(view: View) -> None:
    here, driver = view("slot"), opened(view, "driver")
    record = StudyRecord(Objective("val_acc", True, Take.best))
    record.trials["0"] = trial_with_states(here, "0", 4)
    for id in ("0", "7"):
        here.files.write(here.checkpoints / id / MODEL, lambda file: file.write(b"model"))
    record.trials["0"].checkpoint = "0"
    retention = Retention(driver.checkpoints, record, keep_states=KeepStates.none, files=driver.files)
    assert names(here, "0") == [MODEL, "resume-3.ckpt", "resume-4.ckpt"]
    assert names(here, "7") == []
    retention.study_ended()
    assert names(here, "0") == [MODEL]


def test_a_study_that_could_not_begin_leaves_nothing(view: View) -> None:
    folder = view("driver")
    folder.fetch()
    if not folder.url:
        assert not folder.is_taken
    made = folder.create()
    journal = Journal(folder.journal, files=folder.files)
    journal.append("opened", number=0)
    journal.close()
    folder.remove(made)
    assert not view("two").is_taken
