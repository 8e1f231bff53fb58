"""The scripts of tools/base, as modules."""

import importlib
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[3] / "tools" / "base"


@pytest.fixture
def script(monkeypatch):
    """Import a script of tools/base by its name."""
    monkeypatch.syspath_prepend(str(BASE))
    return importlib.import_module
