"""A soak: short studies on a cluster of several nodes, with a random fault every few seconds; nothing may be lost.

    .venv/bin/python scripts/bench/chaos.py [--minutes 10] [--kills 20] [--nodes 3] [--seed 0]

Whatever a fault ended is started again at once by the same command. When a study is complete the next begins; the last
one comes to its end without faults. Every second study is a random search, whose table must be that of the same study
undisturbed; the others are ASHA's. Prints a Markdown table; the exit code is 1 where a trial, a report or a result was
lost. The cluster is on this machine, its CPUs are logical.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos_checks import Findings, lines
from ray_nodes import RayNode, RayNodes, ray_nodes

from raytune_nn.store.journal import read_journal

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = REPOSITORY / "scripts" / "bench" / "peers"
TRIALS, EPOCHS, SEED = 12, 9, 3
PAUSES = (1.0, 5.0)  # seconds between two faults
EARLY = 0.2  # share of the drivers that are hit before their first report, mostly while they start
LONGEST = 6.0  # seconds after its first report in which a driver may be hit by other faults than its own end
DRIVER, TERM, SLOT, STOP = "driver: kill -9", "driver: SIGTERM", "slot: kill -9", "slot: SIGSTOP"
NODE, TAIL, STATE = "node: killed and replaced", "journal: half a line at its end", "newest state: cut in half"
WEIGHTS = {DRIVER: 7, TERM: 2, SLOT: 5, STOP: 2, NODE: 3}


class Soak:
    """The cluster, the study that runs on it, and what was done to them.

    Args:
        work: Folder for the studies.
    """

    def __init__(self, nodes: RayNodes, work: Path, seed: int) -> None:
        self._nodes, self._work, self._draw = nodes, work, random.Random(seed)
        self._faults: dict[str, Callable[[], bool]] = {
            DRIVER: self._kill_driver,
            TERM: self._terminate_driver,
            SLOT: lambda: self._signal_slot(signal.SIGKILL),
            STOP: lambda: self._signal_slot(signal.SIGSTOP),
            NODE: self._lose_node,
        }
        self.committed, self.findings = Counter[str](), Findings()
        self._drivers = list[subprocess.Popen[bytes]]()  # all that were started
        self._log = work / "driver.log"
        self._reported: float | None = None  # when the driver that runs got so far
        self._due: float | None = None  # when the next fault comes

    def run(self, seconds: float, kills: int) -> None:
        """Studies for at least so long and until so many drivers were killed, and the last one to its end."""
        self._until, self._kills, undisturbed = time.monotonic() + seconds, kills, None
        while not self._is_over:
            number = self.findings.studies
            search = "random" if number % 2 == 0 else "asha"
            self._begin(number, search)
            self._attend()
            if search == "random" and undisturbed is None:
                undisturbed = self._undisturbed()
            self.findings.add(self._study, TRIALS, self._seen, undisturbed if search == "random" else None)
            print(f"{self._study.name} ({search}): {dict(self.committed)}", file=sys.stderr, flush=True)

    @property
    def _is_over(self) -> bool:
        return time.monotonic() >= self._until and self.committed[DRIVER] >= self._kills

    def end(self) -> None:
        """Ends the driver that runs, if there is one."""
        for driver in self._drivers:
            driver.kill()  # nothing, where it has ended
            driver.wait()

    def _begin(self, number: int, search: str) -> None:
        name = f"soak-{number}"
        self._study, self._seen = self._work / name, set[bytes]()
        cluster = ("cluster=existing", f"cluster.address={self._nodes.address}")
        self._command = command(search, name, self._work, *cluster, "failures.no_report_timeout=12")
        self._start()

    def _start(self) -> None:
        environment = {**os.environ, **self._nodes.environment, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{PEERS}"}
        with self._log.open("w") as log:
            self._driver = subprocess.Popen(self._command, cwd=self._work, env=environment, stdout=log, stderr=log)
        self._drivers.append(self._driver)
        self._segments, self._reported = len(self._journal()), None
        early = self._draw.random() < EARLY
        self._due = time.monotonic() + self._draw.uniform(0.5, 15) if early else None

    def _journal(self) -> list[Path]:
        return sorted(self._study.glob("journal/[0-9]*.jsonl"))

    def _has_reported(self) -> bool:
        """Whether the driver that runs has got so far; each writes a segment of its own."""
        return any(b'"reported"' in segment.read_bytes() for segment in self._journal()[self._segments :])

    def _attend(self) -> None:
        """Commits faults until the study is complete, or there were enough."""
        while (code := self._driver.poll()) is None:
            time.sleep(0.1)
            if self._reported is None and self._has_reported():
                self._reported = time.monotonic()
                self._due = self._due or self._reported + self._draw.uniform(*PAUSES)
            if self._due is not None and self._due < time.monotonic() and not self._is_over:
                self._due = time.monotonic() + self._draw.uniform(*PAUSES)
                self._commit()
        if code != 0:
            self.findings.wrong.append(f"{self._study.name}: exit code {code}: {self._log.read_text()[-2000:]}")

    def _commit(self) -> None:
        kind = self._draw.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
        if self._reported is not None and time.monotonic() - self._reported > LONGEST:
            kind = DRIVER
        if self._faults[kind]():
            self.committed[kind] += 1

    def _kill_driver(self) -> bool:
        self._driver.kill()
        self._driver.wait()
        self._seen.update(lines(self._study))
        self._tear()
        self._start()
        return True

    def _tear(self) -> None:
        """Sometimes what a power cut leaves as well."""
        segments = self._journal()
        if segments and segments[-1].read_bytes().endswith(b"\n") and self._draw.random() < 0.3:
            with segments[-1].open("ab") as file:
                file.write(b'1234abcd {"type":"reported","trial":"0","ep')
            self.committed[TAIL] += 1
        states = sorted(self._study.glob("checkpoints/*/resume-*.ckpt"), key=lambda path: path.stat().st_mtime)
        if states and self._draw.random() < 0.3:
            os.truncate(states[-1], states[-1].stat().st_size // 2)
            self.committed[STATE] += 1

    def _terminate_driver(self) -> bool:
        self._driver.terminate()
        code = self._driver.wait(timeout=180)
        self._seen.update(lines(self._study))
        if code not in (0, 75):
            self.findings.wrong.append(
                f"{self._study.name}: exit code {code} after SIGTERM: {self._log.read_text()[-2000:]}"
            )
        self._start()
        return True

    def _signal_slot(self, number: signal.Signals) -> bool:
        slots = [pid for node in self._nodes.nodes for pid in node.slots()]
        if not slots:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._draw.choice(slots), number)
        return True

    def _lose_node(self) -> bool:
        node: RayNode = self._draw.choice(self._nodes.nodes[1:])  # the first is the head
        self._nodes.kill(node)
        self._nodes.add(1)
        return True

    def _undisturbed(self) -> Path:
        """The random search again, on a private Ray and without pauses."""
        typed = command("random", "undisturbed", self._work, "cluster.cpus=2", "model.seconds=0")
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{PEERS}"}
        subprocess.run(typed, cwd=self._work, env=environment, check=True, stdout=subprocess.DEVNULL)
        return self._work / "undisturbed"


def command(search: str, name: str, work: Path, *more: str) -> list[str]:
    """A study; the same command resumes it."""
    return [
        *(sys.executable, "-m", "raytune_nn", f"+search={search}", "--config-dir", str(PEERS / "conf"), "verbose=0"),
        *("model=paced", "search_space=paced", "data=by_hand", "optimizer=from_model", "trainer=cpu", f"seed={SEED}"),
        *(f"budget.num_trials={TRIALS}", f"budget.max_epochs={EPOCHS}", "checkpoints.every_minutes=1e-6"),
        *(
            "failures.max_retries=1000",
            "failures.stop_after=null",
            f"study.storage={work}",
            f"study.name={name}",
            *more,
        ),
    ]


def report(soak: Soak, minutes: float, nodes: int) -> str:
    """The table, and what is wrong below it."""
    found = soak.findings
    kinds = [(kind, str(count)) for kind, count in sorted(soak.committed.items(), key=lambda item: -item[1])]
    events = sum(1 for study in range(found.studies) for _ in read_journal(soak._work / f"soak-{study}" / "journal"))
    rows = [
        *kinds,
        ("**faults**", f"**{soak.committed.total()}**"),
        ("studies", str(found.studies)),
        ("trials", str(found.trials)),
        ("events in their journals", str(events)),
        ("trials lost", str(found.lost)),
        ("trials twice in a table", str(found.duplicates)),
        ("reports lost that a journal had", str(found.reports_lost)),
        ("rows that differ from an undisturbed study", str(found.differing)),
        ("epochs trained again", f"{found.repeated_percent:.1f} %"),
    ]
    head = f"{minutes:.1f} minutes, {nodes} nodes of one CPU each\n\n| | |\n|---|---|"
    return "\n".join([head, *(f"| {name} | {value} |" for name, value in rows), *found.wrong])


def main(arguments: Sequence[str] | None = None) -> int:
    """Soaks, prints, and returns 1 where something is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=20, help="of drivers, at least")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.nodes < 2:
        parser.error("the head stays, and another node is lost: --nodes 2")
    with (
        tempfile.TemporaryDirectory(prefix="rtn-") as folder,
        tempfile.TemporaryDirectory(prefix="soak-") as work,
        ray_nodes(Path(folder), *[1] * options.nodes) as nodes,
    ):
        soak, began = Soak(nodes, Path(work), options.seed), time.monotonic()
        try:
            soak.run(60 * options.minutes, options.kills)
        finally:
            soak.end()
        print(report(soak, (time.monotonic() - began) / 60, options.nodes))
    return int(bool(soak.findings.wrong))


if __name__ == "__main__":
    sys.exit(main())
