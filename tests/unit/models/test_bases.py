"""A base as a file: as it was written, or refused."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from konterfei.errors import CheckpointMismatchError, DamagedFileError
from konterfei.geometry import FaceType
from konterfei.io.run_files import read_snapshot, write_snapshot
from konterfei.models import MODELS
from konterfei.models.bases import BASE_VERSION, read_base, write_base
from konterfei.models.many import MANY
from konterfei.nets.dims import Dims
from konterfei.nets.film import EMBEDDING

DIMS = Dims(resolution=32, ae=6, encoder=4, decoder=4, mask=2, unit=True, double=True)


@pytest.fixture(params=sorted(MANY))
def network(request):
    torch.manual_seed(11)
    many = MANY[request.param](DIMS)
    torch.nn.init.normal_(many.film.out.weight, std=0.05)
    return many


@pytest.fixture
def file(network, tmp_path):
    path = tmp_path / "base.safetensors"
    write_base(path, network, FaceType.FULL, 1234, {"trained_on": "drawn people", "seed": 5})
    return path


def people():
    return torch.nn.functional.normalize(torch.randn(2, EMBEDDING, generator=torch.manual_seed(12)), dim=1)


def test_what_is_read_is_what_was_written(network, file):
    base = read_base(file)
    assert (base.model, base.dims, base.face_type, base.steps) == (network.pair, DIMS, FaceType.FULL, 1234)
    assert base.info == {"trained_on": "drawn people", "seed": 5}
    there = base.many().state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(there[name], value.half().float()), name
    assert file.stat().st_size < 2.1 * sum(value.numel() for value in there.values()) + 10_000


def test_a_model_of_two_begins_with_it(file):
    base = read_base(file)
    model = MODELS.load(base.model)(DIMS)
    weights = base.for_pair(DIMS, *people())
    model.load_state_dict(weights)
    expected = base.many().for_pair(*people())
    assert all(value.dtype == torch.float32 and torch.equal(value, expected[k]) for k, value in weights.items())


def test_a_wider_model_begins_with_it_and_draws_the_same(file):
    base, wide = read_base(file), replace(DIMS, ae=8, encoder=8, decoder=6, mask=3)
    drawn = []
    for dims in (DIMS, wide):
        model = MODELS.load(base.model)(dims)
        model.load_state_dict(base.for_pair(dims, *people()))
        with torch.no_grad():
            drawn.append(model.eval().swap(torch.rand(2, 3, 32, 32, generator=torch.manual_seed(1)))[0].image)
    torch.testing.assert_close(drawn[0], drawn[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"resolution": 64}, "it draws 32 px, not 64"),
        ({"double": False}, "it is {}-ud, not {}-u"),
        ({"cosine": True}, "it is {}-ud, not {}-udc"),
        ({"ae": 5, "mask": 1}, "its networks are wider (ae 5 below 6, mask 1 below 2)"),
        ({"encoder": 6}, "its encoder of width 4 grows to multiples of that only, not to 6"),
        ({"encoder": 12, "decoder": 5}, ""),
    ],
)
def test_what_does_not_fit_is_said(network, file, changes, why):
    base, dims = read_base(file), replace(DIMS, **changes)
    said = base.differs_from(base.model, dims, FaceType.FULL)
    assert said == why.format(base.model, base.model)
    if not why:
        base.for_pair(dims, *people())
        return
    with pytest.raises(CheckpointMismatchError, match="does not fit"):
        base.for_pair(dims, *people())


def test_another_model_or_face_type_does_not_fit(file):
    base = read_base(file)
    other = next(name for name in MANY if name != base.model)
    assert base.differs_from(base.model, DIMS, FaceType.FULL) == ""
    assert f"it is for {base.model} and full faces, not {other} and full" in base.differs_from(
        other, DIMS, FaceType.FULL
    )
    assert "and whole" in base.differs_from(base.model, DIMS, FaceType.WHOLE)


# --- files that are refused


def refused(path, why="."):
    with pytest.raises(DamagedFileError, match=why) as caught:
        read_base(path)
    assert f"'{path}' is no base that can be read" in str(caught.value)
    assert "--base none" in str(caught.value)


@pytest.mark.parametrize("at", [3, 40, -5])
def test_a_flipped_bit(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    refused(file)


@pytest.mark.parametrize("size", [0, 7, 100, -3])
def test_a_file_cut_short(file, size):
    file.write_bytes(file.read_bytes()[:size])
    refused(file)


def test_no_file(tmp_path):
    refused(tmp_path / "none.safetensors", "No such file")


def test_a_film_is_not_read_as_a_whole(tmp_path, monkeypatch):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0\0\0\x18ftypisom" + bytes(1000))
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("all of it was read"))
    refused(film, "no safetensors file")


def test_a_header_without_an_end(tmp_path):
    text = b'{"x":' + 200_000 * b"["
    (tmp_path / "deep.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    refused(tmp_path / "deep.safetensors")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(file, value):
    snapshot = read_snapshot(file)
    info = {name: told for name, told in snapshot.info.items() if name != "step"}
    tensors = {name: array.copy() for name, array in snapshot.tensors.items()}
    tensors["film.out.bias"][3] = value
    write_snapshot(file, 1, tensors, info)
    refused(file, "no numbers")


def test_a_file_of_somebody_else(tmp_path):
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    refused(tmp_path / "x.safetensors")


def test_a_snapshot_of_a_run(tmp_path):
    write_snapshot(tmp_path / "s.safetensors", 3, {"x": np.zeros(3, np.float32)}, {"steps": 3})
    refused(tmp_path / "s.safetensors", "kind")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": BASE_VERSION + 1}, "no base that this konterfei can read"),
        ({"kind": "snapshot"}, "no base that this konterfei can read"),
        ({"model": "amp"}, "amp"),
        ({"face_type": "foot"}, "foot"),
        ({"dims": {**asdict(DIMS), "ae": 7}}, "not those of its networks"),
        ({"dims": {**asdict(DIMS), "resolution": 33}}, "multiple"),
        ({"dims": {**asdict(DIMS), "ae": 1 << 40, "resolution": 1 << 40}}, "."),
        ({"dims": {"resolution": 32}}, "missing"),
        ({"dims": None}, "."),
    ],
)
def test_a_file_that_says_something_else_of_itself(file, changes, why):
    """The checksums are right."""
    snapshot = read_snapshot(file)
    info = {name: value for name, value in snapshot.info.items() if name != "step"}
    write_snapshot(file, 1, snapshot.tensors, {**info, **changes})
    refused(file, why)
