"""What may lie in the repository. What a trial makes, pages and pictures, holds faces of real people: it stays out."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {".py", ".md", ".toml", ".txt", ".tsv", ".sh", ""}
"""Endings of what people write."""
PICTURES = {
    "docs/images/base_quick.jpg",
    "docs/images/base_quick_curve.png",
    "docs/images/base_standard.jpg",
    "docs/images/base_standard_curve.png",
    "docs/images/time_to_quality.jpg",
    "docs/images/time_to_quality.png",
    "docs/images/time_to_quality_standard.jpg",
    "docs/images/convergence.png",
    "docs/images/demo.jpg",
    "docs/images/ground-truth.jpg",
    "docs/images/learning-curves.jpg",
    "docs/images/learning-curves.png",
    "docs/images/merge-modes.jpg",
    "docs/images/shortcuts.png",
    "docs/images/time_to_swap.png",
    "docs/reports/ground-truth.html",
}
"""Charts, a page, and synthetic people. A new one is looked at by a person before its name is put here."""
WEIGHTS = "src/konterfei/weights/files/"


def tracked() -> list[str]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout, or no git: {error}")
    return [name for name in listed.stdout.split("\0") if name]


def is_known(name: str) -> bool:
    suffix = Path(name).suffix
    if name.startswith(WEIGHTS):
        return suffix in (".onnx", ".safetensors")
    return suffix in TEXTS or name in PICTURES or name == ".gitignore"


def test_nothing_but_source_weights_and_known_pictures_is_tracked():
    strange = [name for name in tracked() if not is_known(name)]
    assert not strange, f"may hold a real face, or was made by a run; take it out of the history: {strange}"


@pytest.mark.parametrize("name", ["rep/anna.html", "rep/anna.json", "tests/face.jpg", "docs/images/new.png"])
def test_what_a_run_makes_is_not_known(name):
    assert not is_known(name)
