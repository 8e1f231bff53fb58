"""`benchmarks/stages_checked.py` in small: every stage is within its limits, and worse pictures are seen worse."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(1500)  # a minute of one core, which a busy machine may not have
BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "stages_checked.py"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Exit status, what was printed, and the figures: stage -> case -> name -> value."""
    pytest.importorskip("openpeople", reason="no pictures of performers: pip install konterfei[demo]")
    folder = tmp_path_factory.mktemp("stages")
    command = [sys.executable, str(BENCHMARK), "--folder", str(folder), "--small", "--json", str(folder / "now.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (folder / "now.json").exists(), done.stderr
    return done.returncode, done.stdout, json.loads((folder / "now.json").read_text("utf-8"))


def test_no_stage_is_beyond_its_limits(run):
    status, printed, _ = run
    assert status == 0, printed[printed.index("beyond the limit:") :]


def test_smoothing_takes_jitter_and_turning_adds_error(run):
    found = run[2]["landmarks"]
    for name in ("P006", "P007"):
        assert found[f"{name} smoothed"]["jitter"] < found[f"{name} raw"]["jitter"]
        assert found[f"{name} smoothed"]["mean"] < 1.1 * found[f"{name} raw"]["mean"]
    turned = [row["mean"] for case, row in found.items() if case.startswith("turned") and case.endswith("raw")]
    assert turned == sorted(turned)


@pytest.mark.parametrize("what", ["out of focus", "motion blur", "crf of x264"])
def test_detectors_miss_more_faces_in_worse_pictures(run, what):
    rows = [row for case, row in run[2]["detectors"].items() if case.startswith(what)]
    for detector in ("yunet", "centerface"):
        assert rows[-1][f"{detector} finds, %"] < rows[0][f"{detector} finds, %"]


def test_masks_order_as_they_must(run):
    found = {case: row["IoU"] for case, row in run[2]["masks"].items()}
    for kind in ("exact", "found"):
        assert found[f"full, {kind} landmarks"] < found[f"hull, {kind} landmarks"]


def test_every_transfer_is_nearer_to_the_true_colours_than_none(run):
    found = run[2]["colors"]
    for method, row in found.items():
        if method != "none":
            assert row["own"] < 0.8 * found["none"]["own"]
            assert row["other"] < found["none"]["other"]


def test_more_pixels_lose_less_on_the_way_there_and_back(run):
    found = run[2]["round trip"]
    for name in ("P006", "P007"):
        for kind in ("bare", "merge"):
            half, whole = (found[f"{name}, model of {n} times the pixels, {kind}"] for n in ("0.5", "1"))
            assert half["PSNR of the face"] < whole["PSNR of the face"]
            assert half["pixels changed outside"] == whole["pixels changed outside"] == 0
