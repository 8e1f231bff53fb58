"""Tiny clips of two performers, rendered once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from konterfei.performers import PERFORMERS, PerformerConfig, render_performer
from konterfei.reporting import Silent

SIZE, SECONDS, SEED = 160, 1.2, 3


@pytest.fixture(scope="session")
def people():
    """The two people of the demo; skips, with the reason, where their pictures are not installed."""
    pytest.importorskip("openpeople", reason="no pictures of performers: pip install konterfei[demo]")
    return ("P005", "P006")


@pytest.fixture(scope="session")
def clips(people, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("performers")
    return {
        person: render_performer(
            PerformerConfig(person=person, output=folder / f"{person}.mp4", seconds=SECONDS, size=SIZE, seed=SEED),
            Silent(),
        )
        for person in people
    }


@pytest.fixture(scope="session")
def plates(people):
    """Plates of both people for frames of SIZE pixels."""
    from konterfei.performers.measuring import measured
    from konterfei.performers.plates import make_plates

    return {person: make_plates(measured(person), PERFORMERS.load(person).open_mouth, SIZE) for person in people}


@pytest.fixture(scope="session")
def measure():
    """measure(image, points) -> what the landmarker sees where those 68 points are."""
    from konterfei.landmarkers import Window
    from konterfei.landmarkers.mesh478 import Mesh478

    landmarker = Mesh478(threads=1)

    def look(image, points):
        middle, side = points.mean(axis=0), 1.5 * float(np.ptp(points, axis=0).max())
        first = landmarker.landmarks(image, [Window(float(middle[0]), float(middle[1]), side, 0.0)])[0]
        return landmarker.landmarks(image, [first.window])[0]

    return look
