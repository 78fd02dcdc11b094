"""Commands without a study's name each begin a study of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import inside

from raytune_nn.modes.preflight import preflight


def test_commands_of_the_same_second_have_folders_of_their_own(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raytune_nn.modes.preflight.time.strftime", lambda _: "2026-11-20_17-05-33")
    names = []
    for _ in range(3):
        folder = inside(preflight, "+search=asha").folder
        folder.create()
        names.append(str(folder.path.relative_to(here)))
    stamp = "studies/2026-11-20_17-05-33_asha_mlp_digits"
    assert names == [stamp, f"{stamp}_2", f"{stamp}_3"]
