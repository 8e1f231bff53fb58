"""A model of DeepFaceLab's draws here what it draws there: same picture, same masks, in RGB."""

from dataclasses import replace
from itertools import combinations

import merge_material
import numpy as np
import pytest
import torch

import dfl_reference
from dfl_models import OPTIONS, dims_of, pickled, write_folder, write_model, write_xseg
from konterfei.errors import CheckpointMismatchError, ConfigError, DamagedFileError, StoreError, UnknownNameError
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models import dfl_layout
from konterfei.models.swapper import load_model, load_swapper
from konterfei.nets.xseg import XSeg
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder
from konterfei.stages.import_model import ImportDflModelConfig, import_dfl_model
from konterfei.stages.merge import merge
from konterfei.stages.train import TrainConfig, train
from konterfei.training import loop
from konterfei.training.presets import PRESETS

LETTERS = ["".join(chosen) for count in range(5) for chosen in combinations("udtc", count)]
ARCHITECTURES = [f"{kind}-{letters}".rstrip("-") for kind in ("df", "liae") for letters in LETTERS]


def imported(model_dir, output, **changes):
    reporter = Recorder()
    return import_dfl_model(ImportDflModelConfig(model_dir=model_dir, output=output, **changes), reporter), reporter


def picture(side=64, seed=4):
    """[R, R, 3] uint8 RGB, three different colours"""
    return np.random.RandomState(seed).randint(0, 256, (side, side, 3), np.uint8)


def drawn(run, image, morph=1.0):
    """Face, mask, dst's mask of our network, before they are put together. RGB"""
    model, _ = load_model(Run.open(run))
    batch = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        face, own = model.swap(batch, morph)
    return face.image[0].permute(1, 2, 0).numpy(), face.mask[0, 0].numpy(), own[0, 0].numpy()


def assert_same(ours, theirs):
    face, mask, own = ours
    for a, b in ((face[..., ::-1], theirs[0]), (mask, theirs[1]), (own, theirs[2])):
        assert np.std(b) > 0.01  # not all alike
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4)  # dfl-spec 7.14
    assert np.abs(face - theirs[0]).max() > 0.05  # colours in the other order would not pass


@pytest.mark.parametrize("archi", ARCHITECTURES)
def test_every_architecture_draws_what_it_drew(archi, tmp_path):
    files = write_model(tmp_path / "model", archi)
    result, reporter = imported(tmp_path / "model", tmp_path / "run")
    assert (result.architecture, result.resolution, result.face_type, result.steps) == (archi, 64, "whole", 1234)
    assert reporter.warnings == []
    image = picture()
    assert_same(drawn(result.run, image), dfl_reference.swap(files, archi, image[..., ::-1] / 255))


@pytest.mark.parametrize("morph", [0.0, 0.5, 1.0])
def test_amp_at_any_place_of_its_slider(morph, tmp_path):
    files = write_model(tmp_path / "model", "amp")
    result, _ = imported(tmp_path / "model", tmp_path / "run")
    assert (result.architecture, result.face_type) == ("amp", "whole")
    config = Run.open(result.run).config
    assert (config["dims"]["inter"], config["dims"]["morph"]) == (10, 0.3)
    image = picture()
    assert_same(drawn(result.run, image, morph), dfl_reference.swap(files, "amp", image[..., ::-1] / 255, morph))


def test_quick96_has_its_sizes_from_its_name(tmp_path, monkeypatch):
    assert PRESETS["quick96"].dims == dfl_layout.QUICK96
    monkeypatch.setattr(dfl_layout, "QUICK96", dims_of("df-ud"))  # at full width it would take half a minute
    files = write_model(tmp_path / "as-saehd", "df-ud")
    write_folder(tmp_path / "model", "anna_Quick96", files, {"batch_size": 4})
    result, reporter = imported(tmp_path / "model", tmp_path / "run")
    assert (result.architecture, result.face_type) == ("df-ud", "full")
    assert any("--preset quick96" in note for note in reporter.notes)
    image = picture()
    assert_same(drawn(result.run, image), dfl_reference.swap(files, "df-ud", image[..., ::-1] / 255))


def test_xseg_masks_what_it_masked(tmp_path):
    weights = write_xseg(tmp_path / "model")
    result, reporter = imported(tmp_path / "model", tmp_path / "run")
    assert (result.architecture, result.resolution, result.face_type) == ("xseg", 256, "whole")
    assert not any("konterfei train" in note for note in reporter.notes)
    run = Run.open(result.run)
    model = XSeg(run.config["dims"]["base"])
    tensors = {name: torch.from_numpy(array.copy()) for name, array in run.newest_snapshot().tensors.items()}
    model.load_state_dict(tensors, strict=True)
    image = picture(256)
    with torch.no_grad():
        mask = torch.sigmoid(model(torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]))[0, 0].numpy()
    wanted = dfl_reference.xseg(weights, image[..., ::-1] / 255)
    assert wanted.std() > 0.05
    np.testing.assert_allclose(mask, wanted, rtol=0, atol=1e-4)
    with pytest.raises(UnknownNameError, match="xseg"):
        load_swapper(result.run)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_older_pickles_are_read_too(protocol, tmp_path):
    files = write_model(tmp_path / "model", "df-u", protocol=protocol)
    result, _ = imported(tmp_path / "model", tmp_path / "run")
    image = picture()
    assert_same(drawn(result.run, image), dfl_reference.swap(files, "df-u", image[..., ::-1] / 255))


@pytest.mark.parametrize(
    ("letters", "ours"), [("h", "half"), ("mf", "mid_full"), ("f", "full"), ("wf", "whole"), ("head", "head")]
)
def test_face_types(letters, ours, tmp_path):
    write_model(tmp_path / "model", "df", face_type=letters)
    assert imported(tmp_path / "model", tmp_path / "run")[0].face_type == ours


# --- the run


def test_the_run_is_ready_and_says_where_it_comes_from(tmp_path):
    write_model(tmp_path / "model", "liae-ud")
    result, reporter = imported(tmp_path / "model", tmp_path / "run")
    assert any("konterfei train" in note and "--preset standard" in note for note in reporter.notes)
    swapper = load_swapper(result.run, device="cpu", precision="fp32")
    assert (swapper.resolution, str(swapper.face_type)) == (64, "whole")
    assert (swapper.info["model"], swapper.info["steps"], swapper.info["is_preview"]) == ("liae", 1234, True)
    images, masks = swapper.swap(picture()[None])
    assert images.shape == (1, 64, 64, 3) and masks.shape == (1, 64, 64)
    origin = Run.open(result.run).config["imported"]
    assert (origin["program"], origin["name"], origin["steps"]) == ("DeepFaceLab", "anna_SAEHD", 1234)
    parts = ("decoder", "encoder", "inter_AB", "inter_B")
    assert set(origin["files"]) == {"anna_SAEHD_data.dat", *(f"anna_SAEHD_{part}.npy" for part in parts)}
    manifest = Manifest.load(result.run)
    assert (manifest.stage, manifest.complete) == ("import dfl-model", True)
    assert set(manifest.inputs) == set(origin["files"])


def test_a_merge_draws_with_it(tmp_path):
    """Plate, faceset and consent of the tests of merge; the model is an imported one."""
    files = write_model(tmp_path / "model", "df")
    for who in ("src", "dst"):  # a mask that covers the face: random ones would come out anyhow
        files[f"decoder_{who}"]["out_convm/bias:0"][:] = 20
    write_folder(tmp_path / "model", "anna_SAEHD", files, _options("df"))
    imported(tmp_path / "model", tmp_path / "run")
    plate = merge_material.make_plate(tmp_path / "plate.mp4", frames=3, sound=False)
    faces = merge_material.make_faces(tmp_path / "faces", plate, frames=range(3))
    merge_material.make_consent(tmp_path / "consent.toml")
    config = merge_material.config_for(tmp_path, plate, faces, device="cpu", threads=1)
    result = merge(config, Recorder())
    assert (result.swapped, result.is_preview) == (3, True)
    before, after = merge_material.decode(plate)[0], merge_material.decode(result.video)[0]
    y, x = merge_material.face(0).landmarks[30].round().astype(int)[::-1]  # the tip of the nose
    moved = np.abs(after.astype(int) - before)[0]
    assert moved[y - 5 : y + 5, x - 5 : x + 5].mean() > 10 > 3 > moved[:10].mean()


def test_a_merge_stops_where_the_slider_is(tmp_path):
    """amp only: `--morph` is in the result, its manifest and its credentials."""
    plate = merge_material.make_plate(tmp_path / "plate.mp4", frames=3)
    faces = merge_material.make_faces(tmp_path / "faces", plate, range(3))
    merge_material.make_consent(tmp_path / "consent.toml")
    files = write_model(tmp_path / "model", "amp")
    files["decoder"]["out_convm/bias:0"][:] = 20  # a mask that covers the face
    write_folder(tmp_path / "model", "anna_AMP", files, {"inter_dims": 10, "morph_factor": 0.3, **OPTIONS})
    imported(tmp_path / "model", tmp_path / "run")
    plain = merge_material.config_for(tmp_path, plate, faces, device="cpu", threads=1, output=tmp_path / "1.mp4")
    half = replace(plain, morph=0.5, output=tmp_path / "half.mp4")
    merge(plain, Recorder()), merge(half, Recorder())
    ours, theirs = (merge_material.decode(c.output)[0].astype(int) for c in (plain, half))
    assert np.abs(ours - theirs).mean() > 1
    assert verify(half.output).swap["settings"]["morph"] == Manifest.load(half.output).settings["morph"] == 0.5
    assert (
        "morph" not in Manifest.load(plain.output).settings
    )  # results from before there was a choice stay what they are
    write_model(tmp_path / "other", "df")
    imported(tmp_path / "other", tmp_path / "df")
    with pytest.raises(ConfigError, match=r"--morph 0\.5: a model of the kind df"):
        merge(replace(half, model=tmp_path / "df", output=tmp_path / "df.mp4"), Recorder())


def test_a_long_training_is_no_preview(tmp_path):
    files = write_model(tmp_path / "model", "df")
    write_folder(tmp_path / "model", "anna_SAEHD", files, _options("df"), steps=30_000)
    result, _ = imported(tmp_path / "model", tmp_path / "run")
    assert load_swapper(result.run, device="cpu").info["is_preview"] is False


def _options(archi):
    return {**OPTIONS, "archi": archi}


def test_twice_does_nothing(tmp_path):
    write_model(tmp_path / "model", "df")
    result, _ = imported(tmp_path / "model", tmp_path / "run")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in result.run.rglob("*") if p.is_file()}
    again, reporter = imported(tmp_path / "model", tmp_path / "run")
    assert again.was_done and "already imported" in " ".join(reporter.notes)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in result.run.rglob("*") if p.is_file()} == before


def test_killed_in_between_it_is_done_again(tmp_path):
    files = write_model(tmp_path / "model", "df")
    result, _ = imported(tmp_path / "model", tmp_path / "run")
    Manifest.file_for(result.run).unlink()  # killed before the manifest
    again, _ = imported(tmp_path / "model", tmp_path / "run")
    assert not again.was_done and Manifest.load(again.run).complete
    for path in Run.open(result.run).snapshot_paths():  # killed before the snapshot
        path.unlink()
    again, _ = imported(tmp_path / "model", tmp_path / "run")
    assert not again.was_done
    image = picture()
    assert_same(drawn(again.run, image), dfl_reference.swap(files, "df", image[..., ::-1] / 255))


def test_another_run_is_not_written_over(tmp_path):
    write_model(tmp_path / "model", "df")
    write_model(tmp_path / "other", "df-u")
    imported(tmp_path / "model", tmp_path / "run")
    with pytest.raises(ConfigError, match="already holds another imported run"):
        imported(tmp_path / "other", tmp_path / "run")
    Run.create(tmp_path / "trained", {"model": "df"})
    with pytest.raises(ConfigError, match="already holds a run"):
        imported(tmp_path / "model", tmp_path / "trained")


def test_a_folder_of_several_asks_which(tmp_path):
    write_model(tmp_path / "model", "df")
    write_xseg(tmp_path / "model")
    with pytest.raises(ConfigError, match="--name XSeg or --name anna_SAEHD"):
        imported(tmp_path / "model", tmp_path / "run")
    with pytest.raises(ConfigError, match=r"--name bert_SAEHD: .* holds XSeg, anna_SAEHD"):
        imported(tmp_path / "model", tmp_path / "run", name="bert_SAEHD")
    assert imported(tmp_path / "model", tmp_path / "one", name="XSeg")[0].architecture == "xseg"
    assert imported(tmp_path / "model", tmp_path / "two", name="anna_SAEHD")[0].architecture == "df"


# --- going on with training


@pytest.mark.parametrize("archi", ["liae-ud", "amp"])
def test_training_goes_on_from_the_imported_weights(archi, faces, tmp_path):
    write_model(tmp_path / "model", archi)
    run = imported(tmp_path / "model", tmp_path / "run")[0].run
    before = Run.open(run).newest_snapshot().tensors
    config = {**faces, "output": run, "preset": "standard", "batch": 1, "device": "cpu", "precision": "fp32"}
    reporter = Recorder()
    result = train(TrainConfig(**config, steps=2), reporter)
    assert any("from the imported weights (1234 steps); the optimiser begins anew" in note for note in reporter.notes)
    assert (result.steps, result.is_preview) == (2, True)
    opened = Run.open(run)
    after = opened.newest_checkpoint().tensors
    moved = [float(np.abs(after[f"weights/{name}"] - array).max()) for name, array in before.items()]
    assert 0 < max(moved) < 1e-3  # two steps at the beginning of the rise
    assert (opened.config["src"]["video"], opened.config["preset"]) != (None, "imported")
    assert opened.config["imported"]["steps"] == 1234
    assert opened.newest_snapshot().info["steps"] == 1236
    assert "encoder" in " ".join(Manifest.load(run).inputs)  # where the weights came from is still told
    assert train(TrainConfig(**config, steps=4), Recorder()).steps == 4
    assert Run.open(run).newest_snapshot().info["steps"] == 1238
    assert imported(tmp_path / "model", run)[0].was_done


@pytest.mark.parametrize("archi", ["liae-ud", "amp"])
def test_a_new_run_starts_from_imported_weights_and_leaves_the_import_as_it_is(archi, faces, tmp_path):
    """One import for several pairs of people; its sizes need not be given again."""
    write_model(tmp_path / "model", archi)
    other = imported(tmp_path / "model", tmp_path / "imported")[0].run
    before = Run.open(other).newest_snapshot().tensors
    config = {**faces, "preset": "standard", "batch": 1, "device": "cpu", "precision": "fp32", "start_from": other}
    reporter = Recorder()
    result = train(TrainConfig(**config, output=tmp_path / "run", steps=2), reporter)
    assert f"The weights are those of '{other}' at step 1234." in reporter.notes
    run, there = Run.open(result.run), Run.open(other).config
    assert (run.config["dims"], run.config["model"]) == (there["dims"], there["model"])
    after = run.newest_checkpoint().tensors
    moved = [float(np.abs(after[f"weights/{name}"] - array).max()) for name, array in before.items()]
    assert 0 < max(moved) < 1e-3
    assert (result.steps, run.newest_snapshot().info["steps"]) == (2, 2)
    started = Manifest.load(run.folder).inputs["start_from"]
    assert (started["steps"], started["sha256"]) == (1234, Run.open(other).newest_snapshot().sha256)
    assert train(TrainConfig(**config, output=tmp_path / "run", steps=4), Recorder()).steps == 4
    assert Run.open(other).is_only_imported
    assert run.config["sizes_from"] == str(other)
    config.pop("start_from")  # the run knows that its sizes are not the preset's
    assert train(TrainConfig(**config, output=tmp_path / "run", steps=5), Recorder()).steps == 5
    with pytest.raises(CheckpointMismatchError, match="made with other settings"):
        train(TrainConfig(**config, output=tmp_path / "run", steps=6, ae_dims=24), Recorder())


def test_imported_weights_survive_every_collapse(faces, tmp_path, monkeypatch):
    """Before the first checkpoint there is nothing else to go back to, and nothing to back up."""
    write_model(tmp_path / "model", "df")
    run = imported(tmp_path / "model", tmp_path / "run")[0].run
    config = {**faces, "output": run, "preset": "standard", "batch": 1, "device": "cpu", "precision": "fp32"}
    real, broken = loop.train_step, iter([1, 1])

    def step(*args):
        losses = real(*args)
        return losses * float("nan") if next(broken, None) else losses

    monkeypatch.setattr(loop, "train_step", step)
    reporter = Recorder()
    assert train(TrainConfig(**config, steps=2, checkpoint_seconds=0.001), reporter).steps == 2
    assert sum("fell apart" in warning for warning in reporter.warnings) == 2
    assert sum("from the imported weights" in note for note in reporter.notes) >= 3
    assert Run.open(run).has_snapshot(0)
    assert Run.open(run).newest_checkpoint().state["progress"]["first"] == -1.0


def test_nothing_to_start_from_is_said(faces, tmp_path):
    write_model(tmp_path / "model", "df")
    other = imported(tmp_path / "model", tmp_path / "imported")[0].run
    (path,) = Run.open(other).snapshot_paths()
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(StoreError, match="no weights there can be read"):
        train(TrainConfig(**faces, output=tmp_path / "run", start_from=other, steps=2), Recorder())
    assert not (tmp_path / "run").exists()


def test_training_with_other_sizes_is_refused(faces, tmp_path):
    write_model(tmp_path / "model", "df")
    run = imported(tmp_path / "model", tmp_path / "run")[0].run
    with pytest.raises(CheckpointMismatchError, match="made with other settings"):
        train(TrainConfig(**faces, output=run, resolution=128, steps=2), Recorder())
    write_xseg(tmp_path / "masks")
    run = imported(tmp_path / "masks", tmp_path / "xseg")[0].run
    with pytest.raises(ConfigError, match="cannot be trained here"):
        train(TrainConfig(**faces, output=run, steps=2), Recorder())


def test_a_damaged_import_does_not_begin_from_nothing(faces, tmp_path):
    write_model(tmp_path / "model", "df")
    run = imported(tmp_path / "model", tmp_path / "run")[0].run
    (path,) = Run.open(run).snapshot_paths()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Exception, match="no snapshot yet"):
        train(TrainConfig(**faces, output=run, steps=2), Recorder())


# --- what is wrong with a folder is said by file and name


def rewrite(folder, part, change):
    """Change the dict of one weight file."""
    path = folder / f"anna_SAEHD_{part}.npy"
    files = write_model(folder.parent / "again", "df-ud")
    weights = files[part]
    change(weights)
    path.write_bytes(pickled(weights))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("upscale1/conv1/weight:0"), "lacks 'upscale1/conv1/weight:0', which"),
        (lambda w: [w.pop(k) for k in list(w)[:3]], "and 2 more"),
        (lambda w: w.update({"dense2/bias:0": np.zeros(3, np.float32)}), r"'dense2/bias:0' has the shape \(3,\)"),
        (lambda w: w.update({"dense2/bias:0": np.zeros(24, np.int32)}), "'dense2/bias:0' is no array of weights"),
        (lambda w: w.update({"dense2/bias:0": "text"}), "'dense2/bias:0' is no array of weights"),
        (lambda w: w["dense1/weight:0"].__setitem__((0, 0), np.nan), "'dense1/weight:0' holds values that are no num"),
        (lambda w: w.clear(), "holds no weights by name"),
    ],
)
def test_wrong_arrays_are_named(change, said, tmp_path):
    write_model(tmp_path / "model", "df-ud")
    rewrite(tmp_path / "model", "inter", change)
    with pytest.raises(DamagedFileError, match=f"anna_SAEHD_inter.npy'.*{said}"):
        imported(tmp_path / "model", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_surplus_array_is_told_of(tmp_path):
    write_model(tmp_path / "model", "df-ud")
    rewrite(tmp_path / "model", "inter", lambda w: w.update({"dense3/weight:0": np.zeros((2, 2), np.float32)}))
    _, reporter = imported(tmp_path / "model", tmp_path / "run")
    assert reporter.warnings == [
        "Not taken over, the network has no place for it: anna_SAEHD_inter.npy: dense3/weight:0"
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"archi": "dfhd"}, "archi .* is 'dfhd'; known are df or liae"),
        ({"archi": "df-x"}, "archi .* is 'df-x'"),
        ({"face_type": "mask"}, "face_type .* is 'mask'; known are h, mf, f, wf, head"),
        ({"resolution": 100}, "do not go together: expected resolution to be a multiple of 16"),
        ({"ae_dims": "many"}, "ae_dims .* is 'many'; known are whole numbers"),
        ({"ae_dims": None}, "ae_dims .* is missing"),
        ({"e_dims": 10**9}, "e_dims"),
    ],
)
def test_wrong_settings_are_named(changes, said, tmp_path):
    files = write_model(tmp_path / "model", "df")
    write_folder(tmp_path / "model", "anna_SAEHD", files, {**_options("df"), **changes})
    with pytest.raises(DamagedFileError, match=said):
        imported(tmp_path / "model", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(ConfigError, match="There is no folder"):
        imported(tmp_path / "nothing", tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no model of DeepFaceLab"):
        imported(tmp_path / "empty", tmp_path / "run")
    write_model(tmp_path / "model", "df")
    (tmp_path / "model" / "anna_SAEHD_decoder_dst.npy").unlink()
    with pytest.raises(DamagedFileError, match=r"has no file '.*anna_SAEHD_decoder_dst.npy'.*_autobackups"):
        imported(tmp_path / "model", tmp_path / "run")
    (tmp_path / "model" / "anna_SAEHD_data.dat").write_bytes(pickled(["no", "dict"]))
    with pytest.raises(DamagedFileError, match="holds no settings and steps"):
        imported(tmp_path / "model", tmp_path / "run")
