"""A whole workspace of DeepFaceLab becomes a project that merges and trains."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from merge_material import Painter, config_for, decode, face, make_consent, make_faces, make_plate
from train_material import SMALL

from dfl_models import OPTIONS, write_folder, write_model, write_xseg
from konterfei.cli import main
from konterfei.errors import Cancelled, ConfigError
from konterfei.exchange import FACE_WRITERS, WriteSettings
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.reporting import Recorder, Silent
from konterfei.stages.import_workspace import ImportDflWorkspaceConfig, import_dfl_workspace
from konterfei.stages.merge import merge
from konterfei.stages.train import TrainConfig, train
from legacy_reader_material import write_aligned

FRAMES = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace: a packed src, a dst with its video, a model, an XSeg model and what DeepFaceLab leaves about."""
    folder = tmp_path_factory.mktemp("dfl")
    space = folder / "workspace"
    space.mkdir()
    plate = make_plate(space / "data_dst.mp4", frames=FRAMES, sound=False)
    faces = Faceset.open(make_faces(folder / "faces", plate, frames=range(FRAMES)))
    for name, format in (("data_dst", "dfl"), ("data_src", "dfl-pak")):
        FACE_WRITERS.load(format)(faces, space / name / "aligned", WriteSettings(bare=True), Silent())
    files = write_model(space / "model", "df")
    for who in ("src", "dst"):
        files[f"decoder_{who}"]["out_convm/bias:0"][:] = 20  # a mask that covers the face
    write_folder(space / "model", "anna_SAEHD", files, {**OPTIONS, "archi": "df"})
    write_xseg(space / "model")
    (space / "data_dst" / "aligned_debug").mkdir()
    (space / "data_dst" / "merged").mkdir()
    (space / "model" / "anna_SAEHD_autobackups").mkdir()
    (space / "result.mp4").write_bytes(b"0")
    make_consent(folder / "consent.toml")
    return folder


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def imported(place, reporter=None, **changes):
    reporter = reporter or Recorder()
    config = {"workspace": place / "workspace", "output": place / "film", "recognize": False, "threads": 1, **changes}
    return import_dfl_workspace(ImportDflWorkspaceConfig(**config), reporter), reporter


def test_everything_finds_its_place(place):
    before = {path: path.stat().st_mtime_ns for path in (place / "workspace").rglob("*")}
    result, _ = imported(place, src_name="anna", dst_name="sc12")
    film = place / "film"
    assert len(Faceset.open(film / "identities" / "anna" / "faces")) == FRAMES
    dst = Faceset.open(film / "shots" / "sc12" / "faces")
    assert dst.header.source == str(place / "workspace" / "data_dst.mp4")
    assert [record.frame_index for record in dst.records()] == list(range(FRAMES))
    assert sorted(path.name for path in (film / "models").iterdir()) == ["XSeg", "anna_SAEHD"]
    told = "\n".join(result.summary())
    for name in ("aligned_debug", "merged", "result.mp4", "autobackups"):
        assert name in told.partition("not taken over:")[2]
    assert f"konterfei merge {place / 'workspace' / 'data_dst.mp4'} --faces {dst.folder}" in told
    assert f"--segmenter {film / 'models' / 'XSeg'}" in told and "--preset standard" in told
    assert {path: path.stat().st_mtime_ns for path in (place / "workspace").rglob("*")} == before
    again, reporter = imported(place, src_name="anna", dst_name="sc12")
    assert again.taken == result.taken
    assert sum("Nothing" in note for note in reporter.notes) == 4


def test_the_dry_look_does_nothing(place, capsys):
    assert main(["import", "dfl-workspace", str(place / "workspace"), "--list"]) == 0
    told = capsys.readouterr().out
    assert "faces of src" in told and "model XSeg" in told and "data_dst.mp4, where it is" in told
    assert not (place / "film").exists()


def test_it_merges_as_the_faceset_that_went_there_and_with_its_own_model(place):
    imported(place)
    faces = place / "film" / "shots" / "data_dst" / "faces"
    plate = place / "workspace" / "data_dst.mp4"
    common = {"device": "cpu", "threads": 1}
    came = merge(config_for(place, plate, faces, **common, model=place), Recorder(), Painter())
    first = config_for(place, plate, place / "faces", **common, model=place, output=place / "first.mp4")
    went = merge(replace(first, force=True), Recorder(), Painter())
    assert came.swapped == went.swapped == FRAMES
    np.testing.assert_array_equal(decode(came.video)[0], decode(went.video)[0])
    own = config_for(place, plate, faces, **common, model=place / "film/models/anna_SAEHD", output=place / "own.mp4")
    assert merge(own, Recorder()).swapped == FRAMES
    before, after = decode(plate)[0].astype(int), decode(own.output)[0]
    for index in range(FRAMES):
        y, x = face(index).landmarks[30].round().astype(int)[::-1]  # the tip of the nose
        moved = np.abs(after[index] - before[index])
        assert moved[y - 5 : y + 5, x - 5 : x + 5].mean() > 10 > 3 > moved[:10].mean()


def test_it_trains(place):
    imported(place)
    config = {**SMALL, "src": place / "film/identities/data_src/faces", "dst": place / "film/shots/data_dst/faces"}
    assert train(TrainConfig(**config, output=place / "run", steps=2), Recorder()).steps == 2


def test_faces_of_the_merge_are_those_that_were_exported(place):
    """The same landmarks and times: a merge of the faceset that went to DeepFaceLab and came back is the same."""
    imported(place)
    there = Faceset.open(place / "faces").records()
    back = Faceset.open(place / "film" / "shots" / "data_dst" / "faces").records()
    for one, other in zip(there, back, strict=True):
        np.testing.assert_array_equal(one.face.landmarks, other.face.landmarks)
        np.testing.assert_array_equal(one.crop_from_frame, other.crop_from_frame)
        assert (one.frame_index, one.pts, one.frame_size) == (other.frame_index, other.pts, other.frame_size)


@pytest.mark.parametrize("removed", [0, 2])
def test_frames_taken_out_make_the_pictures_the_plate(place, removed):
    frames = place / "workspace" / "data_dst"
    for index, image in enumerate(decode(place / "workspace" / "data_dst.mp4")[0]):
        if index >= removed:
            write_image(frames / f"{index + 1:05d}.png", image)
    result, _ = imported(place)
    dst = Faceset.open(place / "film" / "shots" / "data_dst" / "faces")
    told = "\n".join(result.summary())
    if removed == 0:
        assert dst.header.source_name == "data_dst.mp4"
        return
    assert dst.header.source == str(frames) and dst.header.settings["fps"] == "25"
    assert [record.frame_index for record in dst.records()] == list(range(FRAMES - 2))
    assert "it has 6 frames, data_dst has 4" in told and "'00001.png' is not among the pictures" in told
    faces = dst.folder
    config = config_for(place, frames, faces, device="cpu", threads=1, model=place, output=place / "out.mp4")
    assert merge(config, Recorder(), Painter()).swapped == FRAMES - 2


def test_without_a_plate_it_says_so(place):
    (place / "workspace" / "data_dst.mp4").unlink()
    result, _ = imported(place)
    told = "\n".join(result.summary())
    assert "neither a video data_dst.* nor frames" in told and "konterfei merge" not in told
    assert Faceset.open(place / "film" / "shots" / "data_dst" / "faces").header.source == ""


def test_what_is_damaged_does_not_stop_the_rest(place):
    (place / "workspace" / "model" / "anna_SAEHD_encoder.npy").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    pak = place / "workspace" / "data_src" / "aligned" / "faceset.pak"
    pak.write_bytes(pak.read_bytes()[:10])
    result, _ = imported(place)
    told = "\n".join(result.not_taken)
    assert "encoder.npy' is refused" in told and "cut off within its head" in told
    assert len(Faceset.open(place / "film" / "shots" / "data_dst" / "faces")) == FRAMES
    assert (place / "film" / "models" / "XSeg").exists()


def test_a_stop_keeps_what_is_there_and_goes_on(place):
    class Stop(Recorder):
        def start(self, task, total, unit="frames"):
            super().start(task, total, unit)
            self.stop = self.tasks.count("taking over faces") == 2

    with pytest.raises(Cancelled):
        imported(place, Stop())
    assert len(Faceset.open(place / "film" / "identities" / "data_src" / "faces")) == FRAMES
    result, _ = imported(place)
    assert len(result.taken) == 4 and result.not_taken


def test_settings_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="-o is missing"):
        ImportDflWorkspaceConfig(workspace=tmp_path)
    with pytest.raises(ConfigError, match=r"--src-name is '\.\./x'"):
        ImportDflWorkspaceConfig(workspace=tmp_path, output=tmp_path / "o", src_name="../x")
    with pytest.raises(ConfigError, match="no workspace of DeepFaceLab"):
        import_dfl_workspace(ImportDflWorkspaceConfig(workspace=tmp_path, list=True), Recorder())
    with pytest.raises(ConfigError, match="There is no folder"):
        import_dfl_workspace(ImportDflWorkspaceConfig(workspace=tmp_path / "no", list=True), Recorder())


def test_faces_alone_are_a_workspace_too(tmp_path):
    write_aligned(tmp_path / "workspace" / "data_src" / "aligned", 2)
    result, _ = imported(tmp_path)
    assert len(result.taken) == 1 and result.commands == ()
    assert cv2.haveImageReader(str(next((tmp_path / "film" / "identities" / "data_src" / "faces").glob("*.jpg"))))
