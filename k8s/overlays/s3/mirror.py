"""Copies the TensorBoard files of all studies from a storage to a folder, again and again.

python mirror.py s3://bucket/studies /studies 60
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path, PurePosixPath

from pyarrow import fs

from raytune_nn.store.bucket import read_url


def mirror(source: str, target: Path) -> int:
    """Copies what is new or has grown; returns how many files.

    Args:
        source: Folder of studies, as a URI.
        target: Folder that becomes the same, as far as TensorBoard reads it.
    """
    bucket = read_url(source)  # as the study reads it, AWS_ENDPOINT_URL included
    storage, root = bucket.filesystem(), bucket.root
    found = storage.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    copied = 0
    for info in found:
        path = PurePosixPath(info.path).relative_to(root)
        copy = target / path
        if not info.is_file or "tb" not in path.parts[1:2] or (copy.exists() and copy.stat().st_size == info.size):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        half = copy.with_name(f".{copy.name}.half")  # TensorBoard never sees a file shrink
        with storage.open_input_stream(info.path) as there, half.open("wb") as here:
            shutil.copyfileobj(there, here)
        os.replace(half, copy)
        copied += 1
    return copied


if __name__ == "__main__":
    while True:
        try:
            mirror(sys.argv[1], Path(sys.argv[2]))
        except OSError as error:  # the storage may come back
            print(error, file=sys.stderr)
        time.sleep(float(sys.argv[3]))
