"""evaluate by nothing but the name of a render: what its manifest tells, several renders, people, a project."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from blob_networks import SIZE, draw, face
from evaluate_material import DST, FRAMES, SRC, motion, write_faces, write_manifest, write_run, write_video

from konterfei.detectors import DETECTORS
from konterfei.errors import Cancelled, ConfigError, OutputError
from konterfei.geometry import Crop, FaceType
from konterfei.io.exr_frames import write_frame
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image, write_image
from konterfei.io.manifest import Manifest
from konterfei.io.video import ColorTags, VideoReader, VideoWriter
from konterfei.landmarkers import LANDMARKERS
from konterfei.provenance.label import draw_label, label_region
from konterfei.recognizers import RECOGNIZERS
from konterfei.registry import Entry
from konterfei.reporting import Recorder
from konterfei.stages._evaluate_finding import find
from konterfei.stages._evaluate_settings import reports_for
from konterfei.stages.evaluate import EvaluateConfig, evaluate

BETWEEN = (155, 125, 160)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A project with a render of a plate outside of it; another render lies beside the project."""
    folder = tmp_path_factory.mktemp("film")
    project = folder / "film"
    plate = write_video(folder / "plate.mp4", DST)
    anna = write_video(folder / "anna.mp4", SRC)
    write_faces(project / "shots" / "sc1" / "faces", plate, DST)
    write_faces(project / "identities" / "anna" / "faces", anna, SRC)
    run = write_run(project / "models" / "anna-sc1", project / "identities" / "anna" / "faces")
    (project / "renders").mkdir()
    for place, color in ((project / "renders" / "good.mp4", SRC), (folder / "half.mp4", BETWEEN)):
        write_manifest(write_video(place, color), plate, project / "shots" / "sc1" / "faces", {"model": run})
    return folder


def install(monkeypatch, **networks):
    for table in (DETECTORS, LANDMARKERS, RECOGNIZERS):
        for name, kind in networks.items():
            monkeypatch.setitem(table._own, name, Entry(f"blob_networks:{kind}", "discs"))


@pytest.fixture(autouse=True)
def blank_sheets(monkeypatch):
    """The picture of a report takes longer than all else; `test_evaluate.py` has it drawn."""
    monkeypatch.setattr("konterfei.metrics.sheet.draw", lambda *figures: np.full((80, 96, 3), 255, np.uint8))


@pytest.fixture
def place(film, tmp_path, monkeypatch):
    """A copy of the `film`, moved: nothing is where its manifests say but what is found near it."""
    install(monkeypatch, blob="Blob", hue="Hue")
    shutil.copytree(film, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("**/*.json"):
        path.write_text(path.read_text().replace(str(film), str(tmp_path / "elsewhere")))
    return tmp_path


def config(*renders, **changes):
    networks = dict.fromkeys(("detector", "landmarker", "recognizer"), "blob")
    return EvaluateConfig(renders=renders, **{**networks, "witness": "none", **changes})


def good(place):
    return place / "film" / "renders" / "good.mp4"


def test_the_render_alone_is_enough_even_when_all_was_moved(place):
    told = Recorder()
    found = evaluate(config(good(place)), told)
    assert found.num_frames == FRAMES
    assert found.measurements["identity"].value > 0.99
    assert not told.warnings
    assert any(f"{FRAMES} of {FRAMES} frames" in note for note in told.notes)
    assert any("elsewhere" in note and "is taken to be" in note for note in told.notes), "a run of that name"
    data = json.loads(found.report.read_text())
    assert data["inputs"]["plate"]["path"] == str(place / "plate.mp4")
    assert data["inputs"]["src"]["path"] == str(place / "film" / "identities" / "anna" / "faces")
    assert data["inputs"]["model"]["sha256"] == "ab" * 32
    assert data["samples"]["src_embeddings"] == FRAMES
    assert any("not held out" in note for note in data["notes"])
    assert {path.name for path in found.page.parent.iterdir()} == {
        "good.mp4", "good.mp4.manifest.json", "good.report.html", "good.report.jpg", "good.report.json"
    }  # fmt: skip
    assert found.page.read_text().startswith("<!doctype html>")


def test_the_base_that_the_model_began_with_is_told(place):
    path = Manifest.file_for(good(place))
    data = json.loads(path.read_text())
    base = {"name": "mine", "path": "mine/base", "sha256": "ef" * 32, "steps": 70, "trained_on": "drawn people"}
    data["inputs"]["model"]["base"] = base
    path.write_text(json.dumps(data))
    found = evaluate(config(good(place)), Recorder())
    told = json.loads(found.report.read_text())
    assert told["inputs"]["model"]["base"] == base
    assert [network["name"] for network in told["networks"] if network["role"] == "base"] == ["mine"]
    assert "drawn people" in found.page.read_text()


def test_where_it_was_counts_for_more_than_what_lies_near(tmp_path):
    for name in ("a/x/faces", "b/x/faces"):
        (tmp_path / name).mkdir(parents=True)
    recorded = tmp_path / "a" / "x" / "faces"
    assert find(str(recorded), [tmp_path / "b"], lambda path: True) == recorded
    recorded.rmdir()
    assert find(str(recorded), [tmp_path / "b"], lambda path: True) == tmp_path / "b" / "x" / "faces"
    assert find(str(recorded), [tmp_path / "b"], lambda path: False) is None


def test_what_is_not_found_is_named_with_its_flag(place):
    render = good(place)
    (place / "plate.mp4").rename(place / "renamed.mp4")
    (place / "film" / "plate.mp4").mkdir()  # no pictures in it, and not what is looked for
    with pytest.raises(ConfigError, match=r"made from '.*plate\.mp4', which is neither there nor near it.*--plate"):
        evaluate(config(render), Recorder())
    assert evaluate(config(render, plate=place / "renamed.mp4"), Recorder()).num_frames == FRAMES
    (place / "renamed.mp4").rename(place / "plate.mp4")
    (place / "film" / "models").rename(place / "film" / "gone")
    with pytest.raises(ConfigError, match=r"model of .* is neither where it was .*--src"):
        evaluate(config(render), Recorder())
    src = place / "film" / "identities" / "anna" / "faces"
    found = evaluate(config(render, src=src), Recorder())
    assert "not known whether" in " ".join(json.loads(found.report.read_text())["notes"])
    (place / "film" / "shots").rename(place / "film" / "lost")
    with pytest.raises(ConfigError, match=r"faces that .* was merged with are neither .*--faces"):
        evaluate(config(render, src=src), Recorder())
    Manifest.file_for(render).unlink()
    with pytest.raises(ConfigError, match=r"no manifest of a merge beside .*--faces.*--src"):
        evaluate(config(render), Recorder())
    with pytest.raises(ConfigError, match="Name what to measure"):
        config()


def test_inputs_that_have_changed_since_the_merge_are_told_or_refused(place):
    render = good(place)
    dst = place / "film" / "shots" / "sc1" / "faces"
    src = place / "film" / "identities" / "anna" / "faces"
    for path in (Manifest.file_for(render), place / "film" / "models" / "anna-sc1" / "config.json"):
        path.write_text(path.read_text().replace(str(place / "elsewhere"), str(place)))
    for faces in (dst, src):
        next(iter(faces.glob("*.jpg"))).unlink()
    told = Recorder()
    assert evaluate(config(render), told).num_frames == FRAMES - 1
    assert any(f"faces in '{dst}' have changed since" in line for line in told.warnings)
    assert any(f"src faces in '{src}' have changed since" in line for line in told.warnings)
    write_video(render, BETWEEN)
    told = Recorder()
    evaluate(config(render), told)
    assert any("was changed since it was merged" in line for line in told.warnings)
    strange = write_faces(place / "strange", write_video(place / "strange.mp4", SRC), SRC)
    with pytest.raises(ConfigError, match=r"is not the video that the faces in '.*strange' come from"):
        evaluate(config(render, faces=strange), Recorder())
    write_video(place / "plate.mp4", SRC)
    with pytest.raises(ConfigError, match=r"is not what .*good\.mp4' was made from.*its content differs"):
        evaluate(config(render), Recorder())


def test_two_renders_are_compared_in_one_walk(place):
    renders = good(place), place / "half.mp4"
    told = Recorder()
    found = evaluate(config(*renders), told)
    assert [each.name for each in found.found] == ["good.mp4", "half.mp4"]
    better, worse = (each.measurements["identity"].value for each in found.found)
    assert better > worse + 0.05
    assert told.tasks.count("looking at plate and result") == 1
    assert found.page == place / "film" / "renders" / "good-vs-half.report.html"
    assert [each.report.name for each in found.found] == [
        "good-vs-half.report.good.json",
        "good-vs-half.report.half.json",
    ]
    assert "half.mp4" in found.page.read_text() and "good.mp4" in found.page.read_text()
    assert evaluate(config(*renders), Recorder()).was_done
    assert [each.measurements["identity"].value for each in evaluate(config(*renders), Recorder()).found] == [
        pytest.approx(better, abs=1e-5), pytest.approx(worse, abs=1e-5)
    ]  # fmt: skip
    alone = evaluate(config(renders[1]), Recorder())
    assert not alone.was_done, "it has no page of its own yet"
    assert alone.measurements["identity"].value == pytest.approx(worse)
    assert evaluate(config(*renders), Recorder()).was_done, "what is measured alone leaves the comparison as it is"
    few = evaluate(config(*renders, range="0:4"), Recorder())
    assert few.found[1].num_frames == 4
    assert evaluate(config(renders[1]), Recorder()).was_done, "a comparison leaves what was measured alone as it is"


def test_renders_are_compared_in_the_frames_that_both_have(place):
    made = Manifest.load(good(place))
    write_video(place / "half.mp4", BETWEEN, lambda index: motion(index + 4), frames=FRAMES - 4)
    made.settings["range"] = "4:"
    made.save(place / "half.mp4")
    found = evaluate(config(good(place), place / "half.mp4"), Recorder())
    assert [each.num_frames for each in found.found] == [FRAMES - 4] * 2
    assert all(each.measurements["landmark_distance"].value < 2 for each in found.found), "they are the same frames"
    assert json.loads(found.report.read_text())["frame_indices"] == list(range(4, FRAMES))
    few = evaluate(config(good(place), place / "half.mp4", range="0s:0.3s"), Recorder())
    assert json.loads(few.report.read_text())["frame_indices"] == [4, 5, 6, 7]
    with pytest.raises(ConfigError, match="no frame of --range"):
        evaluate(config(good(place), place / "half.mp4", range="0:4"), Recorder())


def test_renders_of_different_plates_are_refused(place):
    other = write_video(place / "other.mp4", BETWEEN)
    faces = write_faces(place / "other_faces", other, BETWEEN)
    run = place / "film" / "models" / "anna-sc1"
    second = write_manifest(write_video(place / "second.mp4", SRC), other, faces, {"model": run})
    with pytest.raises(ConfigError, match=r"plate\.mp4'.*second\.mp4' from '.*other\.mp4'.*one by one"):
        evaluate(config(good(place), second), Recorder())
    with pytest.raises(ConfigError, match="named twice"):
        evaluate(config(second, second), Recorder())


def test_a_project_has_all_its_renders_measured_one_by_one(place):
    told = Recorder()
    project = place / "film"
    for path in place.glob("**/*.manifest.json"):
        path.write_text(path.read_text().replace(str(place / "elsewhere"), str(place)))
    found = evaluate(config(project=project), told)
    assert {each.render for each in found.found} == {good(place), place / "half.mp4"}
    assert {page.name for page in found.pages} == {"good.report.html", "half.report.html"}
    assert evaluate(config(Path("good"), project=project), Recorder()).was_done
    assert evaluate(config(project=project), Recorder()).was_done
    with pytest.raises(ConfigError, match=r"no render 'best' .*It has: good\.mp4, half\.mp4"):
        evaluate(config(Path("best"), project=project), Recorder())
    with pytest.raises(ConfigError, match="no folder"):
        evaluate(config(project=place / "nowhere"), Recorder())
    with pytest.raises(ConfigError, match="no render with a manifest"):
        evaluate(config(project=project / "models"), Recorder())
    good(place).write_bytes(b"torn")
    told = Recorder()
    found = evaluate(config(project=project), told)
    assert (len(found.found), found.exit_code) == (1, 1)
    assert any("good.mp4' was not measured" in line for line in told.warnings)
    with pytest.raises(ConfigError, match="--output"):
        config(project=project, output=Path("report.html"))


LEFT, RIGHT = (40, 60), (120, 60)
COLORS = {"left": (90, 220, 120), "right": DST}
NEW = {"left": SRC, "right": (200, 200, 60)}


def two(path, colors, frames=FRAMES, until=FRAMES):
    """A film of two people; the one at the right leaves at frame `until`."""
    with VideoWriter(path, *SIZE, crf=4, preset="ultrafast", fps_hint=25) as writer:
        for index in range(frames):
            mouth, centre = motion(index)[2], motion(index)[0][1] / 10
            image = draw((LEFT[0], 54 + centre), 26, colors["left"], mouth)
            if index < until:
                image = np.maximum(image, draw((RIGHT[0], 54 + centre), 30, colors["right"], mouth))
            writer.write(image, Fraction(index, 25))
    return path


def faces_of_two(folder, plate, until, is_told=True):
    """Their faceset: person 0 at the left, person 1 at the right (or nobody knows who is who)."""
    write_faces(folder, plate, DST)
    faceset = Faceset.open(folder)
    pattern = faceset.records()[0]
    for record in faceset.records():
        (folder / record.name).unlink()
    faceset.refresh()
    with faceset:
        for index in range(FRAMES):
            centre = 54 + motion(index)[0][1] / 10
            for number, (x, radius, name) in enumerate(((LEFT[0], 26, "left"), (RIGHT[0], 30, "right"))):
                if number == 0 or index < until:
                    found = face((x, centre), radius, COLORS[name], motion(index)[2])
                    crop = Crop.fit(found.landmarks, FaceType.WHOLE, 64)
                    found = found.with_(track=number, person=number if is_told else None)
                    changes = {"frame_index": index, "face": found, "crop_from_frame": crop.crop_from_frame.matrix}
                    image = VideoReader(plate, index, index + 1)
                    faceset.add(crop.cut(next(iter(image)).image), replace(pattern, **changes, name=""))
    return folder


@pytest.fixture
def pair(place, monkeypatch):
    """A render in which the face at the left is anna's, and the one at the right, who leaves early, is bea's."""
    install(monkeypatch, blob="Blobs")
    until = FRAMES - 5
    plate = two(place / "pair_plate.mp4", COLORS, until=until)
    faces = faces_of_two(place / "pair_faces", plate, until)
    bea = write_faces(place / "bea_faces", write_video(place / "bea.mp4", NEW["right"]), NEW["right"])
    models = {"model": place / "film" / "models" / "anna-sc1", "model of person 1": write_run(place / "bea_run", bea)}
    return write_manifest(two(place / "pair.mp4", NEW, until=until), plate, faces, models)


def test_each_person_is_measured_alone_against_their_own_src(pair):
    found = evaluate(config(pair), Recorder())
    assert [each.name for each in found.found] == ["pair.mp4, person 0", "pair.mp4, person 1"]
    assert [each.num_frames for each in found.found] == [FRAMES, FRAMES - 5], "who is not there does not count"
    assert all(each.measurements["identity"].value > 0.98 for each in found.found)
    assert all(each.measurements["identity"].parts["margin"] > 0.2 for each in found.found)
    people = json.loads(found.report.read_text())["people"]
    assert [Path(each["inputs"]["src"]["path"]).name for each in people] == ["faces", "bea_faces"]
    assert [each["inputs"]["model"]["path"].endswith("bea_run") for each in people] == [False, True]
    assert read_image(found.picture).shape[0] > 1.5 * read_image(found.picture).shape[1], "one sheet below the other"
    assert all(name in found.page.read_text() for name in ("person 0", "person 1"))
    assert evaluate(config(pair), Recorder()).was_done
    one = evaluate(config(pair, person="1"), Recorder())
    assert not one.was_done
    assert [each.name for each in one.found] == ["pair.mp4, person 1"]
    with pytest.raises(ConfigError, match=r"--person is 3; .* those who were swapped are 0, 1"):
        evaluate(config(pair, person="3"), Recorder())
    with pytest.raises(ConfigError, match=r"--person is 'anna'"):
        config(pair, person="anna")


def test_of_several_renders_only_those_count_who_were_swapped_in_all(pair):
    place = pair.parent
    faces = shutil.copytree(place / "pair_faces", place / "right_faces")  # extracted for one of them alone
    for record in Faceset.open(faces).records():
        if record.face.person == 0:
            (faces / record.name).unlink()
    colors = {"left": COLORS["left"], "right": (160, 170, 110)}
    only = two(place / "only.mp4", colors, until=FRAMES - 5)
    write_manifest(only, place / "pair_plate.mp4", faces, {"model": place / "bea_run"})
    told = Recorder()
    found = evaluate(config(pair, only), told)
    assert [each.name for each in found.found] == ["pair.mp4, person 1", "only.mp4"]
    assert [each.num_frames for each in found.found] == [FRAMES - 5] * 2
    better, worse = (each.measurements["identity"].value for each in found.found)
    assert better > worse
    assert any("person 0: not swapped in all of these renders" in note for note in told.notes)
    made = Manifest.load(pair)
    made.results["cast"] = [{"model": "model", "person": 0, "tracks": [0]}]
    made.save(pair)
    shutil.rmtree(faces)
    shutil.copytree(place / "pair_faces", faces)
    made = Manifest.load(only)
    made.results["cast"] = [{"model": "model", "person": 1, "tracks": [1]}]
    made.save(only)
    with pytest.raises(ConfigError, match="Nobody was swapped in all"):
        evaluate(config(pair, only), Recorder())


def test_one_src_for_two_people_is_refused(pair):
    with pytest.raises(ConfigError, match=r"2 models drew .*--person"):
        evaluate(config(pair, src=pair.parent / "bea_faces"), Recorder())


def test_who_was_left_as_they_are_is_not_measured(pair):
    made = Manifest.load(pair)
    del made.inputs["model of person 1"]
    made.results["cast"] = [{"model": "model", "person": 0, "tracks": [0]}]
    made.save(pair)
    found = evaluate(config(pair), Recorder())
    assert [each.name for each in found.found] == ["pair.mp4"]
    assert found.num_frames == FRAMES
    made.results["cast"] = [{"model": "model", "person": 1, "tracks": [1]}]
    made.save(pair)
    assert evaluate(config(pair), Recorder()).num_frames == FRAMES - 5


def test_the_label_is_no_background(place):
    made = Manifest.load(good(place))
    made.settings["label"], made.results["is_preview"] = "corner", True
    labelled = place / "labelled.mp4"
    with VideoWriter(labelled, *SIZE, crf=4, preset="ultrafast", fps_hint=25) as writer:
        for frame in VideoReader(good(place)):
            writer.write(draw_label(frame.image, "corner", "AI MODIFIED (PREVIEW)"), frame.pts)
    made.save(labelled)
    told = evaluate(config(labelled), Recorder()).measurements["background"]
    made.results["is_preview"] = False  # another wording, which covers less
    made.save(labelled)
    shorter = evaluate(config(labelled), Recorder()).measurements["background"]
    made.settings["label"] = "none"
    made.save(labelled)
    untold = evaluate(config(labelled), Recorder()).measurements["background"]
    assert told.value < 0.5 < shorter.value < untold.value


def test_frames_in_which_a_label_covers_the_face_are_left_out(place):
    made = Manifest.load(good(place))
    made.settings["label"] = "caption"  # the drawn face reaches down to it when it nods
    made.save(good(place))
    rows, _ = label_region(*SIZE, "caption")
    low = [record.frame_index for record in Faceset.open(place / "film/shots/sc1/faces").records()
           if record.face.landmarks[:, 1].max() > rows.start + 6]  # fmt: skip
    assert 0 < len(low) < FRAMES, "or this test says nothing"
    told = Recorder()
    found = evaluate(config(good(place)), told)
    data = json.loads(found.report.read_text())
    assert not {*low} & {*data["frame_indices"]}
    count = data["samples"]["frames_covered_by_label"]
    assert (found.num_frames, count >= len(low)) == (FRAMES - count, True)
    assert any(f"{count} are left out, in which a visible label covers the face" in note for note in told.notes)
    assert not told.warnings
    lowest = evaluate(config(good(place), range=f"{low[0]}:{low[0] + 1}"), told)
    assert lowest.num_frames == 1
    assert any("--label none" in line for line in told.warnings)


def test_the_other_face_is_no_background(pair):
    whole = evaluate(config(pair, person="0"), Recorder()).measurements["background"]
    assert whole.value < 2, "both faces have changed all over"
    made = Manifest.load(pair)
    made.results["cast"] = [{"model": "model", "person": 0, "tracks": [0]}]
    made.save(pair)
    other = evaluate(config(pair), Recorder()).measurements["background"]
    assert other.value > whole.value + 5, "the other face was not swapped, so it should not have changed"


def test_without_a_manifest_the_one_who_is_there_most_often_is_measured(pair):
    Manifest.file_for(pair).unlink()
    src = pair.parent / "film" / "identities" / "anna" / "faces"
    told = Recorder()
    given = {"faces": pair.parent / "pair_faces", "src": src}
    found = evaluate(config(pair, **given), told)
    assert found.num_frames == FRAMES
    assert any("has 2 people" in note and "person 0 is measured" in note for note in told.notes)
    assert evaluate(config(pair, **given, person="1"), Recorder()).num_frames == FRAMES - 5


def test_a_second_recognizer_sees_a_sample_of_the_faces(place):
    told = Recorder()
    found = evaluate(config(good(place), witness="hue"), told)
    assert found.measurements["second_opinion"].value > 0.99
    assert "showing faces to the second recognizer" in told.tasks
    data = json.loads(found.report.read_text())
    assert data["settings"]["witness"] == {"name": "hue"}
    assert data["samples"]["src_witnessed"] == data["samples"]["dst_witnessed"] == FRAMES
    without = evaluate(config(good(place)), Recorder())
    assert np.isnan(without.measurements["second_opinion"].value)
    with pytest.raises(ConfigError, match="another network than --recognizer"):
        config(good(place), witness="blob")


def test_an_output_of_any_kind_names_all_three(tmp_path):
    one, other = Path("a/out.mp4"), Path("b/out.mp4")
    for name in ("r.html", "r.jpg", "r.json"):
        reports = reports_for([one], Path(name))
        assert reports.files == (Path("r.html"), Path("r.json"), Path("r.jpg"))
    assert reports_for([one], Path("r.png")).pictures == (Path("r.png"),)
    both = reports_for([one, other], Path("r.html"))
    assert both.names == ("a-out.mp4", "b-out.mp4")
    assert both.figures == (Path("r.a-out.json"), Path("r.b-out.json"))
    many = reports_for([Path(f"v{n}.mp4") for n in range(5)], None)
    assert many.page == Path("v0-vs-4-others.report.html")
    assert len(set(many.files)) == 11


def test_reports_do_not_go_among_the_frames_of_a_render(place):
    out = place / "pictures"
    out.mkdir()
    for frame in VideoReader(good(place)):
        write_image(out / f"{frame.index:06d}.png", frame.image)
    made = Manifest.load(good(place))
    made.save(out)
    assert evaluate(config(out), Recorder()).picture == place / "pictures.report.jpg"
    with pytest.raises(OutputError, match="it would be a frame"):
        evaluate(config(out, output=out / "report.html"), Recorder())


def test_pictures_of_light_are_measured(place):
    folders = place / "light", place / "merged_light"
    for folder, color in zip(folders, (DST, SRC), strict=True):
        folder.mkdir()
        for index in range(FRAMES):
            centre, radius, mouth = motion(index)
            write_frame(folder / f"shot.{index:04d}.exr", draw(centre, radius, color, mouth), ColorTags())
    faces = write_faces(place / "light_faces", folders[0], DST)
    given = {"faces": faces, "src": place / "film" / "identities" / "anna" / "faces"}
    found = evaluate(config(folders[1] / "shot.%04d.exr", **given), Recorder())
    assert found.num_frames == FRAMES
    assert found.measurements["identity"].value > 0.98
    assert found.picture == place / "merged_light.report.jpg"


def test_frames_shown_for_different_times_keep_in_step(place):
    def uneven(path, color):
        with VideoWriter(path, *SIZE, crf=4, preset="ultrafast", fps_hint=25, time_base=Fraction(1, 1000)) as writer:
            for index in range(FRAMES):
                centre, radius, mouth = motion(index)
                writer.write(draw(centre, radius, color, mouth), Fraction(index * 40 + 200 * (index // 5), 1000))
        return path

    plate = uneven(place / "uneven.mp4", DST)
    faces = write_faces(place / "uneven_faces", plate, DST)
    models = {"model": place / "film" / "models" / "anna-sc1"}
    render = write_manifest(uneven(place / "swapped.mp4", SRC), plate, faces, models)
    found = evaluate(config(render), Recorder())
    assert (found.num_frames, found.measurements["landmark_distance"].value < 2) == (FRAMES, True)


def test_many_faces_are_cut_smaller_and_too_many_refused(monkeypatch, place):
    from konterfei.stages import _evaluate_looking as looking

    usual = json.loads(evaluate(config(good(place)), Recorder()).report.read_text())["settings"]["crop_side"]
    taken = 2 * FRAMES * 10 * usual * usual
    monkeypatch.setattr(looking, "MOST_BYTES", taken // 2)
    monkeypatch.setattr(looking, "SMALLEST", 32)
    found = evaluate(config(good(place)), Recorder())
    assert json.loads(found.report.read_text())["settings"]["crop_side"] < usual
    monkeypatch.setattr(looking, "MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="--every-nth"):
        evaluate(config(good(place)), Recorder())


def test_a_stop_leaves_what_was_there(place):
    first = evaluate(config(good(place)), Recorder())
    before = {path: path.read_bytes() for path in (first.page, first.report, first.picture)}

    class Stopping(Recorder):
        def start(self, task, total, unit="frames"):
            super().start(task, total, unit)
            self.stop = task == "measuring"

    with pytest.raises(Cancelled):
        evaluate(config(good(place), range="0:9"), Stopping())
    assert {path: path.read_bytes() for path in before} == before
    assert not list(good(place).parent.glob(".*"))
    assert evaluate(config(good(place)), Recorder()).was_done


def test_a_page_of_other_figures_is_not_taken_for_these(place):
    first = evaluate(config(good(place)), Recorder())
    page = first.page.read_text()
    evaluate(config(good(place), range="0:9"), Recorder())
    first.page.write_text(page)
    assert not evaluate(config(good(place), range="0:9"), Recorder()).was_done
    first.page.unlink()
    assert not evaluate(config(good(place), range="0:9"), Recorder()).was_done
