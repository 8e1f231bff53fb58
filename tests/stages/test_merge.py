"""merge on a drawn clip: what comes out, what is said, what is refused."""

import dataclasses
import json
import shutil

import av
import numpy as np
import pytest
from merge_material import (
    FRAMES,
    HEIGHT,
    WIDTH,
    Painter,
    config_for,
    decode,
    face,
    left_behind,
    make_faces,
    make_plate,
    sound_packets,
    times,
)

from konterfei.errors import Cancelled, KonterfeiError, NoFacesError
from konterfei.geometry import smooth_hull_mask
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.provenance.label import label_region
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder, Silent
from konterfei.stages.merge import merge


@pytest.fixture
def config(place):
    return config_for(place, place / "plate.mp4", place / "faces")


def test_a_whole_merge(place, config):
    reporter = Recorder()
    result = merge(dataclasses.replace(config, label="corner"), reporter, Painter())
    assert (result.frames, result.swapped, result.faces, dict(result.not_swapped)) == (FRAMES, FRAMES, FRAMES, {})
    assert left_behind(place) == {"out.mp4", "out.mp4.manifest.json"}

    plate, plate_times = decode(config.video)
    merged, merged_times = decode(config.output)
    assert merged_times == plate_times
    assert sound_packets(config.output) == sound_packets(config.video)
    for index in (0, 6, 7, 20, FRAMES - 1):  # on both sides of joints
        change = np.abs(merged[index].astype(int) - plate[index]).max(axis=2)
        hull = smooth_hull_mask(face(index).landmarks, (HEIGHT, WIDTH))
        rows, columns = label_region(WIDTH, HEIGHT, "corner")
        label = np.zeros_like(change, bool)
        label[rows, columns] = True
        around = smooth_hull_mask(face(index).landmarks, (HEIGHT, WIDTH), brow=2.0) > 0
        assert np.median(change[(hull > 0.5)]) >= 1
        assert change[label].max() > 100
        assert change[~label & ~around & (np.abs(np.mgrid[:HEIGHT, :WIDTH][0] - 66) > 50)].max() < 20  # coding noise


def test_the_result_says_what_it_is(place, config):
    merge(dataclasses.replace(config, use="a test"), Silent(), Painter())
    verdict = verify(config.output)
    assert verdict.untouched
    assert verdict.swap["model"] == "painter" and verdict.swap["steps"] == 7
    assert verdict.swap["frames_swapped"] == FRAMES and verdict.swap["label"] == "none"
    assert verdict.swap["settings"]["feather"] == config.feather and verdict.swap["settings"]["crf"] == config.crf
    assert verdict.consent["person"] == "Painter's model"
    assert verdict.swap["use"] == "a test"
    assert "model snapshot painter" in [item.name for item in verdict.ingredients]
    manifest = Manifest.load(config.output)
    assert manifest.complete and manifest.stage == "merge"
    assert set(manifest.inputs) == {"video", "faces", "model", "consent"}
    assert manifest.results["swapped"] == FRAMES and manifest.results["seconds"]["composite"] > 0


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"video": "anna.mp4", "video_sha256": "cd" * 32}, "anna.mp4"),
        ({"video": "", "video_sha256": ""}, "src faceset f"),
    ],
)
def test_the_src_material_is_what_the_run_began_with(place, config, told, name):
    """Whatever lies in the place of its faceset now."""
    Run.create(config.model, {"src": {"faces": str(place / "f"), "hash": "ef" * 32, **told}})
    merge(config, Silent(), Painter())
    found = {item.name: item.sha256 for item in verify(config.output).ingredients}
    assert found[name] == (told["video_sha256"] or "ef" * 32)


def test_a_preview_is_called_one_everywhere(place, config, monkeypatch):
    texts = []
    monkeypatch.setattr(
        "konterfei.stages._merge_render.draw_label", lambda image, style, text: texts.append(text) or image
    )
    config = dataclasses.replace(config, label="corner")
    result = merge(config, Silent(), Painter(is_preview=True))
    assert set(texts) == {"AI MODIFIED (PREVIEW)"} and len(texts) == FRAMES
    assert result.is_preview and any("preview" in line.lower() for line in result.summary())
    said = verify(config.output).swap
    assert said["is_preview"] is True and said["label_text"] == "AI MODIFIED (PREVIEW)"
    assert Manifest.load(config.output).results["is_preview"] is True
    texts.clear()
    merge(dataclasses.replace(config, output=place / "plain.mp4"), Silent(), Painter())
    assert set(texts) == {None}


def test_deleted_faces_are_left_as_they_are(place, config):
    names = Faceset.open(config.faces).names()
    for name in names[10:15]:
        (config.faces / name).unlink()
    result = merge(config, Silent(), Painter())
    assert result.swapped == FRAMES - 5
    assert result.not_swapped == {"no face in the faceset": 5}
    assert any("5 frames not swapped: no face in the faceset" in line for line in result.summary())
    plate, merged = decode(config.video)[0], decode(config.output)[0]
    change = np.abs(merged.astype(int) - plate).mean(axis=(1, 2, 3))
    assert change[10:15].max() < 0.5 * change[[*range(10), *range(15, FRAMES)]].min()
    assert verify(config.output).swap["frames_not_swapped"] == {"no face in the faceset": 5}


def test_reasons_are_told_apart(place, config):
    shutil.rmtree(config.faces)
    outside = [(i, face(i, x=-200)) for i in range(20, 24)]
    edge = [(i, face(i, x=3)) for i in range(30, 33)]
    make_faces(config.faces, config.video, range(10), more=[*outside, *edge])
    result = merge(config, Silent(), Painter())
    assert result.not_swapped == {"no face in the faceset": FRAMES - 17, "face outside the frame": 4}
    assert (result.swapped, result.at_edge) == (13, 3)


def test_two_faces_in_a_frame(place, config):
    plain = merge(config, Silent(), Painter())
    first = decode(config.output)[0]
    for path in (config.faces, config.output):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    Manifest.file_for(config.output).unlink()
    make_faces(config.faces, config.video, more=[(i, face(i, x=130, track=1)) for i in range(FRAMES)])
    result = merge(dataclasses.replace(config, color="none"), Silent(), Painter())
    assert result.swapped == plain.swapped and result.faces == 2 * FRAMES
    second = decode(config.output)[0]
    assert np.abs(second[5].astype(int) - first[5])[40:100, 115:145].mean() > 20


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_variable_rate_is_kept_frame_for_frame(place, config, suffix):
    plate = make_plate(place / "vfr.mp4", frames=20, vfr=True)
    faces = make_faces(place / "vfr_faces", plate, range(20), vfr=True)
    config = dataclasses.replace(config, video=plate, faces=faces, output=place / f"vfr_out{suffix}")
    merge(config, Silent(), Painter())
    assert decode(config.output)[1] == decode(plate)[1] == times(20, vfr=True)
    assert [p[2] for p in sound_packets(config.output)] == [p[2] for p in sound_packets(plate)]


def test_ten_bits_stay_ten_bits(place, config):
    from konterfei.io.video import probe

    plate = make_plate(place / "deep.mp4", frames=9, deep=True)
    assert probe(plate).bit_depth == 10
    faces = make_faces(place / "deep_faces", plate, range(9))
    config = dataclasses.replace(config, video=plate, faces=faces, label="corner")
    assert merge(config, Silent(), Painter()).swapped == 9
    assert probe(config.output).bit_depth == 10


def test_batches_are_always_full(place, config):
    """So what a face becomes does not depend on those beside it: the last frame's is given three times."""
    painter = Painter()
    merge(config, Silent(), painter)
    assert painter.batches == [3] * 14


@pytest.mark.parametrize("changes", [{"processes": 3}, {"part_frames": 11}, {"batch": 5}, {"part_frames": 3}])
def test_frames_do_not_depend_on_how_the_work_was_divided(place, config, changes):
    config = dataclasses.replace(config, output=place / "one" / "%03d.png", color_smoothing=0.2)
    merge(config, Silent(), Painter())
    other = dataclasses.replace(config, output=place / "more" / "%03d.png", **changes)
    result = merge(other, Silent(), Painter())
    assert (result.frames, result.swapped, result.lost) == (FRAMES, FRAMES, 0)
    for index in range(FRAMES):
        name = f"{index:03d}.png"
        assert (read_image(place / "one" / name) == read_image(place / "more" / name)).all()


def test_a_trial_has_the_frames_of_the_whole(place, config):
    """Also at its ends, where smoothing looks at frames that are not part of it."""
    whole = dataclasses.replace(config, output=place / "whole", color_smoothing=0.2)
    trial = dataclasses.replace(whole, output=place / "trial", range="12:25")
    merge(whole, Silent(), Painter())
    assert merge(trial, Silent(), Painter()).frames == 13
    for index in range(12, 25):
        name = f"{index:06d}.png"
        assert (read_image(whole.output / name) == read_image(trial.output / name)).all()


def test_a_trial_told_in_seconds_is_the_one_told_in_frames(config):
    config = dataclasses.replace(config, range="12:25")
    merge(config, Silent(), Painter())
    start, stop = (float(time) for time in (times(26)[12], times(26)[25]))
    recorder = Recorder()
    again = merge(dataclasses.replace(config, range=f"{start:.3f}s:{stop:.3f}s"), recorder, Painter())
    assert again.frames == 13 and any("Nothing to do" in note for note in recorder.notes)


def test_an_error_in_another_process_is_told_here(place, config):
    config = dataclasses.replace(config, processes=2)
    with pytest.raises(KonterfeiError, match=r"Frame \d+ cannot be merged: the model gives values that are no numbers"):
        merge(config, Silent(), Painter(broken_at=0))
    assert not config.output.exists()


def test_several_processes_stop_when_asked(place, config):
    class Stopper(Recorder):
        def advance(self, done, **figures):
            self.stop |= done >= 10

    config = dataclasses.replace(config, processes=2)
    with pytest.raises(Cancelled):
        merge(config, Stopper(), Painter(slow_s=0.05))
    assert not config.output.exists()
    assert merge(config, Silent(), Painter()).swapped == FRAMES


def test_kept_parts_are_made_anew_only_where_something_changed(place, config):
    config = dataclasses.replace(config, keep_parts=True, color_smoothing=0.0, steady=0.0)
    merge(config, Silent(), Painter())
    with av.open(str(config.parts_folder / "part_000000.mp4")) as part, av.open(str(config.output)) as result:
        assert "not signed" in part.metadata["comment"] and "comment" not in result.metadata
    before = decode(config.output)[0]
    names = Faceset.open(config.faces).names()
    (config.faces / names[16]).unlink()  # of frame 16, in the third part
    reporter, painter = Recorder(), Painter()
    result = merge(config, reporter, painter)
    assert not result.was_done and result.swapped == FRAMES - 1
    assert sum(painter.batches) <= 9  # six frames, and one on each side that is only looked at
    after = decode(config.output)[0]
    assert (np.delete(after, range(14, 21), axis=0) == np.delete(before, range(14, 21), axis=0)).all()
    assert np.abs(after[16].astype(int) - before[16]).max() > 20
    painter = Painter()
    merge(dataclasses.replace(config, feather=0.1), Silent(), painter)
    assert sum(painter.batches) >= FRAMES - 1


def test_a_trial_of_some_frames(place, config):
    config = dataclasses.replace(config, range="12:25")
    result = merge(config, Silent(), Painter())
    assert (result.frames, result.swapped) == (13, 13)
    merged, merged_times = decode(config.output)
    assert merged_times == times(13)
    assert np.abs(merged[0].astype(int) - decode(config.video)[0][12]).mean() < 12
    assert verify(config.output).untouched


def test_the_same_command_again_does_nothing(place, config):
    merge(config, Silent(), Painter())
    before, reporter, painter = config.output.stat().st_mtime_ns, Recorder(), Painter()
    result = merge(config, reporter, painter)
    assert result.was_done and result.swapped == FRAMES
    assert config.output.stat().st_mtime_ns == before and not painter.batches
    assert any("Nothing to do" in note for note in reporter.notes)
    assert left_behind(place) == {"out.mp4", "out.mp4.manifest.json"}


def test_other_settings_merge_again_and_say_so(place, config):
    merge(config, Silent(), Painter())
    reporter = Recorder()
    result = merge(dataclasses.replace(config, feather=0.1), reporter, Painter())
    assert not result.was_done
    assert any("feather is 0.1, was 0.04" in note for note in reporter.notes)
    assert Manifest.load(config.output).settings["feather"] == 0.1


def test_a_stop_keeps_what_is_finished(place, config):
    whole = dataclasses.replace(config, output=place / "whole.mp4")
    merge(whole, Silent(), Painter())

    class Stopper(Recorder):
        def advance(self, done, **figures):
            self.stop |= done == 25

    with pytest.raises(Cancelled):
        merge(config, Stopper(), Painter())
    assert left_behind(place) == {"whole.mp4", "whole.mp4.manifest.json", "out.mp4.parts"}
    reporter, painter = Recorder(), Painter()
    merge(config, reporter, painter)
    assert any("Going on: " in note for note in reporter.notes)
    assert sum(painter.batches) < FRAMES - 7
    assert (decode(config.output)[0] == decode(whole.output)[0]).all()
    assert not (place / "out.mp4.parts").exists()


def test_parts_of_other_settings_are_not_used(place, config):
    class Stopper(Recorder):
        def advance(self, done, **figures):
            self.stop |= done == 25

    with pytest.raises(Cancelled):
        merge(config, Stopper(), Painter())
    reporter, painter = Recorder(), Painter()
    merge(dataclasses.replace(config, erode=0.02), reporter, painter)
    assert any("erode is 0.02, was 0.0" in note for note in reporter.notes)
    assert sum(painter.batches) >= FRAMES


@pytest.mark.parametrize("harm", ["flip", "cut", "record", "remove"])
def test_a_damaged_part_is_made_again(place, config, harm):
    whole = dataclasses.replace(config, output=place / "whole.mp4")
    merge(whole, Silent(), Painter())

    class Stopper(Recorder):
        def advance(self, done, **figures):
            self.stop |= done == 33

    with pytest.raises(Cancelled):
        merge(config, Stopper(), Painter())
    part = sorted((place / "out.mp4.parts").glob("part_*.mp4"))[1]
    if harm == "flip":
        data = bytearray(part.read_bytes())
        data[len(data) // 2] ^= 255
        part.write_bytes(data)
    elif harm == "cut":
        part.write_bytes(part.read_bytes()[:-100])
    elif harm == "record":
        part.with_suffix(".json").write_text('{"number": 1, ')
    else:
        part.unlink()
    merge(config, Silent(), Painter())
    assert (decode(config.output)[0] == decode(whole.output)[0]).all()


def test_frames_of_a_damaged_plate_that_are_left_are_merged(place, config):
    plate = place / "cut.mkv"
    make_plate(plate, sound=False)
    plate.write_bytes(plate.read_bytes()[: int(plate.stat().st_size * 0.6)])
    faces = make_faces(place / "cut_faces", plate)
    config = dataclasses.replace(config, video=plate, faces=faces)
    result = merge(config, Silent(), Painter())
    assert 5 < result.frames < FRAMES and result.swapped == result.frames
    assert result.lost > 0 and any("could not be decoded" in line for line in result.summary())


def test_a_frame_that_cannot_be_merged_stops_the_job(place, config):
    with pytest.raises(KonterfeiError, match=r"Frame \d+ cannot be merged: the model gives values that are no numbers"):
        merge(config, Silent(), Painter(broken_at=20))
    assert not config.output.exists()
    merge(config, Silent(), Painter())  # mended, it goes on
    assert verify(config.output).untouched


def test_what_a_kill_left_while_signing_is_removed(place, config):
    for name in ("out.konterfei-tmp-1-ab.mp4", "out.mp4.manifest.konterfei-tmp-1-cd.json"):
        (place / f".{name}").write_bytes(b"torn")
    other = place / ".outer.konterfei-tmp-1-ab.mp4"  # of another output, perhaps being written
    other.write_bytes(b"whole")
    merge(config, Silent(), Painter())
    assert left_behind(place) == {"out.mp4", "out.mp4.manifest.json", other.name}


def test_nothing_swapped_is_an_error(place, config):
    with pytest.raises(NoFacesError, match="inside the mask") as caught:
        merge(config, Silent(), Painter(mask=0.0))
    assert caught.value.exit_code == 2
    assert left_behind(place) == set()


def test_the_manifest_is_plain_json(place, config):
    merge(config, Silent(), Painter())
    data = json.loads(Manifest.file_for(config.output).read_text())
    assert data["settings"]["mask"] == "visible" and data["inputs"]["video"]["sha256"]
