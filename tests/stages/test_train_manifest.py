"""A run says what it was made from, also when that changes on the way."""

from drawn_faces import ANNA, BERT, faceset
from konterfei.io.atomic import sha256
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.reporting import Recorder
from konterfei.stages.train import TrainConfig, train

SMALL = {"preset": "tiny", "resolution": 32, "ae_dims": 8, "e_dims": 4, "d_dims": 4, "d_mask_dims": 2, "batch": 2}


def test_manifest_names_material_settings_and_weights_and_keeps_what_was_there_before(tmp_path):
    src, dst, run = faceset(tmp_path / "anna", ANNA), faceset(tmp_path / "bert", BERT), tmp_path / "run"
    first_hash = Faceset.open(src).content_hash()
    train(TrainConfig(src=src, dst=dst, output=run, steps=4, threads=1, device="cpu", **SMALL), Recorder())
    first = Manifest.load(run)
    assert first is not None and first.complete and first.stage == "train"
    assert first.inputs["src"]["sha256"] == first_hash
    assert first.settings["resolved"]["dims"]["resolution"] == 32
    assert first.settings["resolved"]["batch"] == 2
    assert first.output["sha256"] == sha256(run / "snapshots" / first.output["snapshot"])
    assert first.results["steps"] == 4
    assert set(first.versions) == {"konterfei", "torch"}

    sorted(src.glob("*.jpg"))[0].unlink()
    train(TrainConfig(src=src, dst=dst, output=run, steps=6, threads=1, device="cpu", **SMALL), Recorder())
    second = Manifest.load(run)
    assert second is not None and second.results["steps"] == 6
    assert second.inputs["src"]["sha256"] != first_hash
    assert second.inputs[f"src earlier, {first_hash[:8]}"]["sha256"] == first_hash
    assert [name for name in second.inputs if name.startswith("dst")] == ["dst"]
