"""What other programs are given: DeepFaceLab's .dfm to the letter, plain ONNX, and both draw what the network draws."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import dfl_reference
from dfl_models import write_model, write_xseg
from konterfei.errors import ConfigError, DamagedFileError, KonterfeiError, OutputError, StoreError
from konterfei.io.atomic import sha256
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models import MODELS, onnx_export
from konterfei.models.swapper import load_model
from konterfei.nets.dims import Dims
from konterfei.reporting import Recorder
from konterfei.stages.export import ExportConfig, export
from konterfei.stages.import_model import ImportDflModelConfig, import_dfl_model

OPTIONS = {"u": "unit", "d": "double", "t": "deep", "c": "cosine"}
ARCHITECTURES = ["df", "df-udt", "df-c", "liae-ud", "liae-t", "amp"]


def make_run(folder, archi, steps=40, is_preview=False, **sizes):
    """A run with random weights: 64 px, tiny widths."""
    kind, _, letters = archi.partition("-")
    options = {name: letter in letters for letter, name in OPTIONS.items()}
    dims = {"resolution": 64, "ae": 6, "encoder": 4, "decoder": 4, "mask": 2, **options, **sizes}
    torch.manual_seed(len(archi))
    model = MODELS.load(kind)(Dims(**dims))
    with torch.no_grad():
        for p in model.parameters():
            p += 0.05 * torch.randn_like(p)
    config = {"model": kind, "preset": "tiny", "face_type": "whole", "dims": dims, "src": {"hash": "5ca1e"}}
    run = Run.create(folder, config)
    info = {"steps": steps, "minutes": 1.0, "is_preview": is_preview}
    run.save_snapshot(steps, {name: value.numpy() for name, value in model.state_dict().items()}, info)
    return run


def exported(run, output, **changes):
    reporter = Recorder()
    return export(ExportConfig(run=run.folder, output=output, **changes), reporter), reporter


def session_of(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def told(values):
    return [(v.name, v.shape, v.type) for v in values]


@pytest.mark.parametrize("archi", ARCHITECTURES)
def test_dfm_is_what_live_programs_expect(archi, tmp_path):
    """dfl-spec 3.7: names, order, layout, opset, graph; a free batch."""
    run = make_run(tmp_path / "run", archi)
    result, _ = exported(run, tmp_path / "anna.dfm")
    assert (result.architecture, result.file) == (archi, tmp_path / "anna.dfm")
    assert result.difference < 1e-5
    file = onnx.load(str(result.file))
    assert file.graph.name == ("AMP" if archi == "amp" else "SAEHD")
    assert [o.version for o in file.opset_import if o.domain in ("", "ai.onnx")] == [12]
    session = session_of(result.file)
    face, mask = ["N", 64, 64, 3], ["N", 64, 64, 1]
    slider = [("morph_value:0", [1], "tensor(float)")] if archi == "amp" else []
    assert told(session.get_inputs()) == [("in_face:0", face, "tensor(float)"), *slider]
    assert told(session.get_outputs()) == [
        ("out_face_mask:0", mask, "tensor(float)"),
        ("out_celeb_face:0", face, "tensor(float)"),
        ("out_celeb_face_mask:0", mask, "tensor(float)"),
    ]
    model, _ = load_model(run)
    pictures = np.random.RandomState(1).random_sample((4, 64, 64, 3)).astype(np.float32)
    for morph in (0.0, 0.45, 1.0) if archi == "amp" else (1.0,):
        feed = {"in_face:0": pictures}
        if slider:
            feed["morph_value:0"] = np.array([morph], np.float32)
        own, drawn, drawn_mask = session.run(None, feed)
        with torch.no_grad():
            rgb = torch.from_numpy(pictures[..., ::-1].copy()).permute(0, 3, 1, 2)
            images, dst_mask = model.swap(rgb, morph)
        for theirs, ours in (
            (drawn[..., ::-1], images.image),
            (drawn_mask, images.mask),
            (own, dst_mask),
        ):
            np.testing.assert_allclose(theirs, ours.permute(0, 2, 3, 1).numpy(), rtol=0, atol=1e-5)
            assert theirs.std() > 1e-3


@pytest.mark.parametrize("archi", ARCHITECTURES)
def test_plain_onnx_has_our_own_conventions(archi, tmp_path):
    run = make_run(tmp_path / "run", archi)
    result, _ = exported(run, tmp_path / "anna.onnx")
    assert result.difference < 1e-5
    session = session_of(result.file)
    slider = [("morph", [1], "tensor(float)")] if archi == "amp" else []
    assert told(session.get_inputs()) == [("dst", ["N", 3, 64, 64], "tensor(float)"), *slider]
    assert told(session.get_outputs()) == [
        ("swapped", ["N", 3, 64, 64], "tensor(float)"),
        ("swapped_mask", ["N", 1, 64, 64], "tensor(float)"),
        ("dst_mask", ["N", 1, 64, 64], "tensor(float)"),
    ]
    pictures = torch.rand(3, 3, 64, 64)
    feed = {"dst": pictures.numpy()} | ({"morph": np.array([0.7], np.float32)} if slider else {})
    drawn, mask, own = session.run(None, feed)
    model, _ = load_model(run)
    with torch.no_grad():
        images, dst_mask = model.swap(pictures, 0.7 if slider else 1.0)
    for theirs, ours in ((drawn, images.image), (mask, images.mask), (own, dst_mask)):
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("archi", ["df-ud", "liae-udt", "amp"])
def test_from_deepfacelab_to_dfm_nothing_changes(archi, tmp_path):
    """Its own weights, imported and exported again, draw what its layer maths says, BGR in and out."""
    files = write_model(tmp_path / "model", archi)
    import_dfl_model(ImportDflModelConfig(model_dir=tmp_path / "model", output=tmp_path / "run"), Recorder())
    result, reporter = exported(Run.open(tmp_path / "run"), tmp_path / "anna.dfm")
    assert any("it is a preview" in note for note in reporter.notes)
    picture = np.random.RandomState(2).random_sample((64, 64, 3))
    feed = {"in_face:0": picture[None].astype(np.float32)}
    if archi == "amp":
        feed["morph_value:0"] = np.array([0.5], np.float32)
    own, drawn, mask = (value[0] for value in session_of(result.file).run(None, feed))
    wanted = dfl_reference.swap(files, archi, picture, 0.5)
    for theirs, ours in ((wanted[0], drawn), (wanted[1], mask[..., 0]), (wanted[2], own[..., 0])):
        assert theirs.std() > 0.01
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_xseg_has_its_own_form(tmp_path):
    weights = write_xseg(tmp_path / "model")
    import_dfl_model(ImportDflModelConfig(model_dir=tmp_path / "model", output=tmp_path / "run"), Recorder())
    run = Run.open(tmp_path / "run")
    result, _ = exported(run, tmp_path / "xseg.onnx")
    session = session_of(result.file)
    assert told(session.get_inputs()) == [("in_face:0", ["N", 256, 256, 3], "tensor(float)")]
    assert told(session.get_outputs()) == [("out_mask:0", ["N", 256, 256, 1], "tensor(float)")]
    file = onnx.load(str(result.file))
    assert (file.graph.name, file.opset_import[0].version) == ("XSeg", 13)
    picture = np.random.RandomState(2).random_sample((256, 256, 3))
    (mask,) = session.run(None, {"in_face:0": picture[None].astype(np.float32)})
    np.testing.assert_allclose(mask[0, ..., 0], dfl_reference.xseg(weights, picture), rtol=0, atol=1e-4)
    with pytest.raises(ConfigError, match=r"XSeg, which has no \.dfm form"):
        exported(run, tmp_path / "xseg.dfm")


# --- where it comes from


def test_the_file_says_what_it_is(tmp_path):
    run = make_run(tmp_path / "run", "liae-ud", steps=123, is_preview=True)
    result, reporter = exported(run, tmp_path / "anna.dfm")
    about = {p.key: p.value for p in onnx.load(str(result.file)).metadata_props}
    snapshot = run.newest_snapshot()
    assert about == {
        "konterfei.made_by": "konterfei 0.1.0",
        "konterfei.model": "liae-ud",
        "konterfei.face_type": "whole",
        "konterfei.preset": "tiny",
        "konterfei.steps": "123",
        "konterfei.is_preview": "yes",
        "konterfei.snapshot_sha256": snapshot.sha256,
        "konterfei.src_faceset_sha256": "5ca1e",
    }
    assert session_of(result.file).get_modelmeta().custom_metadata_map == about
    manifest = Manifest.load(result.file)
    assert (manifest.stage, manifest.complete) == ("export", True)
    assert manifest.inputs["run"]["sha256"] == snapshot.sha256
    assert manifest.output["sha256"] == sha256(result.file)
    assert any("not labelled and not signed" in note for note in reporter.notes)


def test_an_imported_model_says_where_it_began(tmp_path):
    write_model(tmp_path / "model", "df")
    import_dfl_model(ImportDflModelConfig(model_dir=tmp_path / "model", output=tmp_path / "run"), Recorder())
    result, _ = exported(Run.open(tmp_path / "run"), tmp_path / "anna.onnx")
    about = {p.key: p.value for p in onnx.load(str(result.file)).metadata_props}
    assert (about["konterfei.weights_began_in"], about["konterfei.steps"]) == ("DeepFaceLab", "1234")


def test_twice_does_nothing_and_a_newer_snapshot_is_written(tmp_path):
    run = make_run(tmp_path / "run", "df")
    output = tmp_path / "anna.dfm"
    result, _ = exported(run, output)
    before = output.stat().st_mtime_ns
    again, reporter = exported(run, output)
    assert again.was_done and again.difference == result.difference
    assert "Nothing was done" in " ".join(reporter.notes)
    assert output.stat().st_mtime_ns == before
    tensors = {name: array + 0.01 for name, array in run.newest_snapshot().tensors.items()}
    run.save_snapshot(80, tensors, {"steps": 80, "minutes": 2.0, "is_preview": False})
    newer, _ = exported(run, output)
    assert not newer.was_done
    about = {p.key: p.value for p in onnx.load(str(output)).metadata_props}
    assert about["konterfei.steps"] == "80"


def test_what_is_not_ours_is_not_written_over(tmp_path):
    run = make_run(tmp_path / "run", "df")
    output = tmp_path / "anna.dfm"
    output.write_bytes(b"years of work")
    with pytest.raises(OutputError, match="is there already"):
        exported(run, output)
    assert output.read_bytes() == b"years of work"
    assert not exported(run, output, force=True)[0].was_done
    output.write_bytes(output.read_bytes() + b"\0")
    with pytest.raises(OutputError, match="is not as this export made it"):
        exported(run, output)


def test_killed_before_its_manifest_is_complete_it_goes_on(tmp_path):
    run = make_run(tmp_path / "run", "df")
    result, _ = exported(run, tmp_path / "anna.dfm")
    path = Manifest.file_for(result.file)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"complete": False}))
    assert not exported(run, tmp_path / "anna.dfm")[0].was_done
    assert Manifest.load(result.file).complete


# --- what goes wrong


def test_a_file_that_draws_something_else_is_not_written(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", "df")
    real = onnx.load

    def spoiled(path):
        model = real(path)
        for initializer in model.graph.initializer:
            array = onnx.numpy_helper.to_array(initializer)
            if array.dtype == np.float32 and array.size > 1:
                initializer.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(1.5), initializer.name))
        return model

    monkeypatch.setattr(onnx, "load", spoiled)
    with pytest.raises(KonterfeiError, match=r"differs from the trained one by .* no file was written"):
        exported(run, tmp_path / "anna.dfm")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_too_large_a_network_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="an ONNX file holds 2 GB"):
        exported(make_run(tmp_path / "run", "df"), tmp_path / "anna.dfm")
    assert not (tmp_path / "anna.dfm").exists()


def test_other_endings_and_empty_runs_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.dfm or \.onnx"):
        ExportConfig(run=tmp_path, output=tmp_path / "anna.pt")
    with pytest.raises(StoreError, match="holds no run"):
        export(ExportConfig(run=tmp_path / "nothing", output=tmp_path / "a.dfm"), Recorder())
    run = make_run(tmp_path / "run", "df")
    (path,) = run.snapshot_paths()
    path.unlink()
    with pytest.raises(StoreError, match="no snapshot yet"):
        exported(run, tmp_path / "anna.dfm")
    other = make_run(tmp_path / "other", "df")
    config = other.folder / "config.json"
    config.write_text(config.read_text().replace('"ae": 6', '"ae": 7'))
    with pytest.raises(DamagedFileError, match="does not fit"):
        exported(Run.open(other.folder), tmp_path / "anna.dfm")
    assert not list(tmp_path.glob("anna*"))


@pytest.mark.parametrize(("archi", "name"), [("liae-udt", "anna.dfm"), ("amp", "anna.dfm"), ("df-ud", "anna.onnx")])
def test_half_precision_is_half_the_size_and_draws_nearly_the_same(archi, name, tmp_path):
    """dfl-spec 3.7: float16 inside, float32 at the interface, which is the same but for that."""
    run = make_run(tmp_path / "run", archi, ae=24, encoder=16, decoder=16, mask=8)
    whole, _ = exported(run, tmp_path / f"whole-{name}")
    result, _ = exported(run, tmp_path / name, half=True)
    assert result.file.stat().st_size < 0.6 * whole.file.stat().st_size
    assert 1e-6 < result.difference < onnx_export.HALF_TOLERANCE
    ours, theirs = session_of(result.file), session_of(whole.file)
    assert told(ours.get_inputs()) == told(theirs.get_inputs())
    assert told(ours.get_outputs()) == told(theirs.get_outputs())
    file = onnx.load(str(result.file))
    halved = sum(np.prod(t.dims) for t in file.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16)
    assert halved > 0.95 * sum(np.prod(t.dims) for t in file.graph.initializer)
    assert [o.version for o in file.opset_import] == [o.version for o in onnx.load(str(whole.file)).opset_import]
    shape = [3 if side == "N" else side for side in ours.get_inputs()[0].shape]
    feed = {ours.get_inputs()[0].name: np.random.RandomState(2).random_sample(shape).astype(np.float32)}
    if archi == "amp":
        feed[ours.get_inputs()[1].name] = np.array([0.6], np.float32)
    for a, b in zip(ours.run(None, feed), theirs.run(None, feed), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=0.02)
    assert ours.get_modelmeta().custom_metadata_map["konterfei.precision"] == "half"
    assert exported(run, tmp_path / name, half=True)[0].was_done
    assert not exported(run, tmp_path / name)[0].was_done  # the other precision is another file


def test_xseg_in_half_precision(tmp_path):
    write_xseg(tmp_path / "masks")
    run = import_dfl_model(ImportDflModelConfig(model_dir=tmp_path / "masks", output=tmp_path / "run"), Recorder()).run
    result, _ = exported(Run.open(run), tmp_path / "mask.onnx", half=True)
    assert result.difference < onnx_export.HALF_TOLERANCE


def test_a_network_that_half_precision_cannot_hold_is_not_exported(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", "df-ud")
    monkeypatch.setattr(onnx_export, "HALF_TOLERANCE", 1e-9)
    with pytest.raises(KonterfeiError, match="differs from the trained one"):
        exported(run, tmp_path / "anna.dfm", half=True)
    assert not (tmp_path / "anna.dfm").exists()
