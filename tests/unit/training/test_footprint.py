"""The memory of a training is predicted as it then is, and steps are cut until it fits."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from konterfei.geometry import FaceType
from konterfei.models import MODELS
from konterfei.nets.dims import Dims
from konterfei.training import resources
from konterfei.training.data import RawBatch, TrainingFaces
from konterfei.training.footprint import MemoryWatch, footprint
from konterfei.training.lesson import Lesson
from konterfei.training.memory import Training, plan_memory, room
from konterfei.training.objectives import Objectives
from konterfei.training.thrift import WHOLE, Thrift
from konterfei.training.witnesses import Sitter

CPU = torch.device("cpu")
BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "memory.py"
EVERYTHING = {"gan_power": 0.1, "true_face_power": 0.1, "face_style_power": 1.0, "bg_style_power": 1.0}


def size(letters="ud", **changes):
    options = {"unit": "u" in letters, "double": "d" in letters, "deep": "t" in letters, "cosine": "c" in letters}
    return Dims(**{"resolution": 64, "ae": 8, "encoder": 8, "decoder": 8, "mask": 4, **options, **changes})


def taken(model, dims, objectives, batch, precision, thrift):
    """Bytes of the arrays of a real step on a CPU."""
    side = dims.resolution
    pixels = np.full((2 * batch, side, side, 3), 128, np.uint8)
    raw = RawBatch(pixels, pixels, pixels[..., 0], pixels[..., 0])
    with MemoryWatch() as watch:
        network = MODELS.load(model)(dims).to(memory_format=torch.channels_last)
        sitter = Sitter(TrainingFaces(np.zeros((1, side, side, 4), np.uint8)), FaceType.FULL)
        lesson = Lesson(network, objectives, "adabelief", 1, CPU, precision, sitter=sitter)
        lesson.save_memory(thrift)
        lesson.step(raw, 1e-5, 1, 0.9)
    return watch.peak


@pytest.mark.parametrize(
    ("model", "letters", "objectives", "thrift"),
    [
        ("df", "ud", {}, WHOLE),
        ("df", "udtc", {}, WHOLE),
        ("liae", "", {"eyes_mouth": True}, WHOLE),
        ("amp", "", {"gan_power": 0.1}, WHOLE),
        ("df", "ud", EVERYTHING, WHOLE),
        ("df", "ud", EVERYTHING, Thrift(2)),
        ("liae", "ud", {"gan_power": 0.1}, Thrift(1, repeats=True)),
        ("df", "u", {}, Thrift(0, repeats=True)),
        ("df", "ud", {"identity_power": 0.3}, WHOLE),
        ("df", "ud", {"perceptual_power": 3.0}, Thrift(3)),
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_without_contents_takes_what_a_real_one_takes(model, letters, objectives, thrift, precision):
    dims, objectives = size(letters), Objectives(**objectives)
    predicted = footprint(MODELS.load(model), dims, objectives, "adabelief", 6, precision, thrift)
    assert predicted == pytest.approx(taken(model, dims, objectives, 6, precision, thrift), rel=0.08)


def test_dropout_counts():
    """Ten bytes a weight where the step itself needs little."""
    wide = size(ae=512, resolution=64)
    plain, dropping = (
        footprint(MODELS.load("df"), wide, Objectives(lr_dropout=d), "adam", 1, "fp32") for d in ("no", "yes")
    )
    assert dropping > plain


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a process")
def test_a_process_takes_what_was_predicted():
    """Kernels' own memory and the allocator's gaps included, within the room that is left for them."""
    command = [sys.executable, str(BENCHMARK), "--only", "quick_b16_gan_styles"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ratio = float(re.search(r"ratio (\d\.\d+)", said)[1])
    assert 0.85 < ratio < room(CPU) + 0.1


def test_processors_of_old_leave_more_room(monkeypatch):
    for capability, wanted in (("AVX2", 1.5), ("AVX512", 1.25), ("DEFAULT", 1.25)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda name=capability: name)
        assert room(CPU) == wanted
        assert room(torch.device("cuda")) == 1.25  # a processor's kernels have no part in it


# --- planning


def training(model="df", dims=None, batch=8, **objectives):
    return Training(
        model=MODELS.load(model),
        dims=dims or size(),
        objectives=(Objectives(), Objectives(**objectives)),
        optimizer="adabelief",
        batch=batch,
        precision="fp32",
    )


@pytest.mark.parametrize("letters", ["".join(x) for n in range(4) for x in itertools.combinations("udtc", n)][::2])
@pytest.mark.parametrize("objectives", [{}, EVERYTHING], ids=["plain", "everything"])
def test_the_quick_answer_is_never_too_low(letters, objectives):
    for model, widths in (("df", {}), ("liae", {"decoder": 48, "mask": 32}), ("df", {"encoder": 48})):
        allowed = {k: v for k, v in objectives.items() if k in MODELS.load(model).offers or "gan" in k}
        one = training(model, size(letters, **widths), **allowed)
        assert one.bytes_at_most() > one.bytes_with(WHOLE)


@pytest.mark.parametrize("objectives", [{"identity_power": 1}, {"perceptual_power": 1}], ids=str)
@pytest.mark.parametrize("batch", [1, 8])
def test_the_quick_answer_is_never_too_low_for_witnesses(objectives, batch):
    one = training("df", batch=batch, **objectives)
    assert one.bytes_at_most() > one.bytes_with(WHOLE)


def test_the_quick_answer_is_never_too_low_for_amp():
    one = training("amp", gan_power=0.1)
    assert one.bytes_at_most() > one.bytes_with(WHOLE)


def test_what_fits_is_left_alone_without_a_prediction(monkeypatch):
    one = training()
    monkeypatch.setattr(Training, "bytes_with", lambda *_: pytest.fail("it was not needed"))
    plan = plan_memory(one, CPU, 64_000_000_000)
    assert (plan.thrift, plan.note, plan.fits) == (WHOLE, "", True)
    assert plan_memory(one, CPU, None).thrift == WHOLE


def test_the_first_way_that_fits_is_taken():
    one = training()
    gpu = torch.device("cuda")
    ways = list(one.ways(WHOLE))
    needs = [one.bytes_with(way) for way in ways]
    assert needs == sorted(needs, reverse=True) and len(set(needs)) == len(needs) == 5
    for way, need in zip(ways, needs, strict=True):
        plan = plan_memory(one, gpu, round(room(gpu) * need) + 10, also=5)
        assert (plan.thrift, plan.fits) == (way, True)
        assert (plan.note == "") == (way == WHOLE)
        assert way == WHOLE or "of 8 samples at a time" in plan.note
    assert not plan_memory(one, gpu, 1000).fits
    assert plan_memory(one, gpu, round(room(gpu) * needs[0]) + 10, also=30).thrift == ways[1]


def test_the_phase_that_needs_most_decides():
    assert training(gan_power=0.1).bytes_with(WHOLE) > training().bytes_with(WHOLE)


# --- what there is


def test_free_memory_is_known_on_linux():
    if Path("/proc/meminfo").exists():
        assert 1 << 20 < resources.free_bytes(CPU) <= resources.machine_bytes()
    assert resources.free_bytes(torch.device("mps")) is None


@pytest.mark.parametrize("version", [1, 2])
def test_limits_of_a_container_are_heeded(tmp_path, version):
    controllers, limit, usage = {
        1: ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
        2: ("", "memory.max", "memory.current"),
    }[version]
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"5:cpu:/x\n4:{controllers}:/outer/inner\n")
    inner = tmp_path / "sys/fs/cgroup" / controllers / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder, (most, used) in ((inner, ("8000", "5000")), (inner.parent, ("9000", "8500"))):
        (folder / limit).write_text(most + "\n")
        (folder / usage).write_text(used + "\n")
        (folder / "memory.stat").write_text("inactive_file 100\nanon 7\n")
    assert resources._groups(tmp_path) == [(8000, 3100), (9000, 600)]
    (inner / limit).write_text("max\n" if version == 2 else f"{2**63 - 4096}\n")
    assert resources._groups(tmp_path) == [(9000, 600)]
    assert resources._groups(tmp_path / "nowhere") == []
