"""The floors of the house, as `[tool.importlinter]` in pyproject.toml draws them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_stage_but_the_pipelines_is_kept_apart():
    """A new stage must be added to the contract of independence."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (listed,) = [set(c["modules"]) for c in settings["contracts"] if c["type"] == "independence"]
    files = {p.stem for p in (ROOT / "src/konterfei/stages").glob("[!_]*.py")}
    assert listed == {f"konterfei.stages.{name}" for name in files - {"swap", "demo", "import_workspace"}}
