"""What every test may use: the folders of real clips and portraits, which not every machine has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "2")

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the settings (and signing certificate) of the person who runs it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KONTERFEI_CONFIG", str(tmp_path_factory.mktemp("config")))
    yield
    patch.undo()


def _shared(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or ROOT.parent / "shared" / name)


@pytest.fixture(scope="session")
def media() -> Callable[[str], Path]:
    """media("lp_d9.mp4") -> its path; skips the test, with the reason, where the clip is not."""

    def find(name: str) -> Path:
        folder = _shared("KONTERFEI_MEDIA", "media")
        path = folder / name
        if not path.exists():
            pytest.skip(f"no {name}: set KONTERFEI_MEDIA to the folder of real clips")
        return path

    return find


@pytest.fixture(scope="session")
def portraits() -> Callable[[], Path]:
    """portraits() -> the folder of portrait pictures; skips the test, with the reason, where there is none."""

    def find() -> Path:
        folder = _shared("KONTERFEI_FACES", "faces")
        if not folder.is_dir():
            pytest.skip("no portraits: set KONTERFEI_FACES to the folder of portraits")
        return folder

    return find
