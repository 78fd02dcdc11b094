"""Memory of trials that run at once over one large data set: it is on the machine once.

    .venv/bin/python scripts/bench/memory.py [--gigabytes 1] [--slots 1,8]

Writes random images of 28x28 bytes as IDX files to a temporary folder and searches over them with so many slots. Each
slot's memory is read from the kernel twice a second: what it has alone, and its share of what processes have in common
(a page of a file that eight of them map counts an eighth in each). Prints Markdown: MB, all slots together, the median
while all of them are there; the first one to decode the files needs more for a moment. The last study has a tenth of
the images: what it needs less tells how often each byte of them is in memory (files and Ray's store), and what a row
costs each slot of its own (labels, row numbers and their order; a copy of its image would be 784 bytes more).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from timings import judged

PARTS = {"Pss_Anon": "their own", "Pss_File": "files, data and libraries", "Pss_Shmem": "Ray's store"}
Memory = dict[str, float]  # MB
AIM = 1.1  # bytes in memory for each one of the images, at most
BYTES = 784  # of an image
BATCH, BATCHES = 256, 6000  # rows, and batches that a slot trains on


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--slots", default="1,8")
    options = parser.parse_args()
    slots = [int(number) for number in options.slots.split(",")]
    print(f"| GB of images | slots that train | {' | '.join(PARTS.values())} | together, MB |")
    print(f"|{'---|' * (len(PARTS) + 3)}")
    studies = [*((options.gigabytes, number) for number in slots), (options.gigabytes / 10, slots[-1])]
    found: list[tuple[int, Memory]] = []
    for gigabytes, number in studies:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rows = int(gigabytes * 1e9) // BYTES
            write_images(Path(folder), rows)
            memory = measure(folder, rows, number)
        found.append((rows, memory))
        cells = [f"{memory[part]:.0f}" for part in PARTS]
        print(f"| {gigabytes:g} | {number} | {' | '.join(cells)} | {sum(memory.values()):.0f} |", flush=True)
    print(f"\n{more_rows(*found[-2], *found[-1], slots[-1])}")


def more_rows(rows: int, memory: Memory, fewer_rows: int, less_memory: Memory, slots: int) -> str:
    """What the same slots need more where there are more images."""
    more = {part: 1e6 * (memory[part] - less_memory[part]) / (rows - fewer_rows) for part in PARTS}  # bytes a row
    times = (more["Pss_File"] + more["Pss_Shmem"]) / BYTES
    return (
        f"With {slots} slots each byte of the images is in memory {judged(f'{times:.2f} times', times <= AIM)} "
        f"(aim: once, ≤ {AIM:g}), and a row takes {more['Pss_Anon'] / slots:.0f} bytes of each slot's own."
    )


def write_images(folder: Path, rows: int) -> None:
    """Pairs of images and labels."""
    rng = np.random.default_rng(0)
    with (folder / "images-idx3-ubyte").open("wb") as file:
        file.write(b"\0\0\x08\x03" + np.array([rows, 28, 28], ">u4").tobytes())
        for begin in range(0, rows, 10_000):
            file.write(rng.integers(0, 256, (min(10_000, rows - begin), 784), dtype=np.uint8).tobytes())
    with (folder / "labels-idx1-ubyte").open("wb") as file:
        file.write(b"\0\0\x08\x01" + np.array([rows], ">u4").tobytes())
        file.write(rng.integers(0, 10, rows, dtype=np.uint8).tobytes())


def measure(folder: str, rows: int, slots: int) -> Memory:
    """The sum over the slots, the median while a study of so many rows runs on all of them."""
    epochs = max(2, BATCHES * BATCH // rows)
    command = [
        *(sys.executable, "-m", "raytune_nn", "+search=random", "data=idx", f"cluster.cpus={slots}"),
        *(f"data.images={folder}/images-idx3-ubyte", f"data.labels={folder}/labels-idx1-ubyte"),
        *("data.test_images=null", "data.test_labels=null", "~search_space.data", f"data.batch_size={BATCH}"),
        *(
            f"budget.num_trials={slots}",
            f"budget.max_epochs={epochs}",
            f"study.storage={folder}",
            f"study.name=of_{slots}",
        ),
        *(f"+trainer.limit_train_batches={BATCHES // epochs}", "+trainer.limit_val_batches=20"),
    ]
    environment = {**os.environ, "RAYTUNE_NN_CACHE": f"{folder}/cache", "PYTHONWARNINGS": "ignore"}
    samples: list[Memory] = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            there = [memory for slot in training(process.pid) if (memory := proportional(slot))]
            if len(there) >= slots:
                samples.append({part: sum(memory[part] for memory in there) for part in PARTS})
            time.sleep(0.5)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return sorted(samples, key=lambda memory: sum(memory.values()))[len(samples) // 2]


def training(driver: int) -> list[int]:
    """The slots of a driver: what it, or what it started, has started, and Ray calls a trial."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return [pid for pid in parents if _descends(pid, driver, parents) and _name(pid).startswith("ray::")]


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def proportional(pid: int) -> Memory:
    """A process's share of the memory that it uses."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    return {line[0][:-1]: int(line[1]) / 1e3 for line in words if line[0][:-1] in PARTS}


if __name__ == "__main__":
    main()
