"""From DeepFaceLab and back, and the other way round: every value and every byte of the picture as it was."""

import os
import pickle
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawn_faces import embedding, faceset, landmarks, picture
from konterfei.exchange import FACE_READERS, FACE_WRITERS, Material, NotTakenError, WriteSettings
from konterfei.exchange.dfl_values import same
from konterfei.geometry import Crop, Face, FaceType
from konterfei.io.face_labels import FaceLabels, Polygon, encode_mask
from konterfei.io.face_record import FaceRecord, FacesetHeader
from konterfei.io.faceset import Faceset
from konterfei.io.legacy_faces import split
from konterfei.reporting import Silent
from legacy_reader_material import aligned, dumped, mask_bytes, read_jpg, read_pak, write_jpg, write_pak

BARE = WriteSettings(bare=True)


def written(faces, output, format="dfl", settings=None):
    """File name -> bytes of what a writer made."""
    made = FACE_WRITERS.load(format)(Faceset.open(faces), output, settings or WriteSettings(), Silent())
    return made, {path.relative_to(output).as_posix(): path.read_bytes() for path in output.rglob("*.jpg")}


def taken(path, output, format="dfl", film=None):
    """A faceset of all that a reader finds, without measuring anything."""
    reader = FACE_READERS.load(format)(path, Material(film=film))
    found = [reader.read(place) for place in reader.places()]
    first = found[0].record
    with Faceset.create(output, FacesetHeader(face_type=first.face_type, size=first.size)) as made:
        for face in found:
            made.add_jpeg(face.picture, face.record, face.labels)
    reader.close()
    return output


def same_values(one, other):
    """Equal as dicts: the order of keys is nothing, everything else is."""
    return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)


# --- there and back: what DeepFaceLab made


@st.composite
def dicts(draw, index):
    """Dicts of a face in the forms that DeepFaceLab's versions and tools have written."""
    kind = draw(st.sampled_from([FaceType.WHOLE]))
    jpeg, values = aligned(index, face_type=kind, quality=draw(st.sampled_from([50, 90, 100])))
    if draw(st.booleans()):  # after the resizer
        values["landmarks"] = np.array(values["landmarks"], draw(st.sampled_from(["f4", "f8"])))
    if draw(st.booleans()):
        values["source_rect"] = draw(
            st.sampled_from([np.array([1, 2, 30, 40], np.int64), [1, 2, 30, 40], np.array([1.5, 2.25, 30, 40], "f4")])
        )
    points = st.lists(st.tuples(st.floats(-9, 99, width=32), st.floats(-9, 99, width=32)), min_size=1, max_size=9)
    polygons = draw(st.lists(st.tuples(st.sampled_from([0, 1]), points), max_size=3))
    shape = draw(st.sampled_from(["dict", "list", "float64"]))
    if polygons and shape == "list":
        values["seg_ie_polys"] = [(kind, np.array(at, np.float32)) for kind, at in polygons]
    elif polygons:
        dtype = np.float64 if shape == "float64" else np.float32
        values["seg_ie_polys"] = {"polys": [{"type": kind, "pts": np.array(at, dtype)} for kind, at in polygons]}
    if draw(st.booleans()):
        mask = mask_bytes(draw(st.sampled_from([64, 256])))
        values["xseg_mask"] = mask.reshape(-1, 1) if draw(st.booleans()) else mask.reshape(-1)
    if draw(st.booleans()):
        values["eyebrows_expand_mod"] = draw(st.floats(0, 4))
    if draw(st.booleans()):
        values["fanseg_mask"] = np.arange(9, dtype=np.uint8)
        values["relighted"] = True
        values["ie_polys"] = {"points": [(1, 2.5), (3, None)]}
    if draw(st.integers(0, 3)) == 0:
        del values[draw(st.sampled_from(["source_filename", "source_rect", "image_to_face_mat", "landmarks"]))]
    if draw(st.booleans()):
        values["source_filename"] = draw(st.sampled_from(["00007.png", "anna_00012.jpg", "portrait.png", "00000.png"]))
    return jpeg, values


@settings(max_examples=25)
@given(st.data())
def test_what_came_from_there_goes_back_as_it_was(data):
    with tempfile.TemporaryDirectory() as place:
        aligned_folder, there = Path(place) / "aligned", {}
        aligned_folder.mkdir()
        for index in range(data.draw(st.integers(1, 3))):
            jpeg, values = data.draw(dicts(index))
            name = data.draw(st.sampled_from([f"{index + 1:05d}_0.jpg", f"{9 - index:05d}.jpg", f"x y {index}.jpg"]))
            there[name] = jpeg, values
            (aligned_folder / name).write_bytes(write_jpg(jpeg, values, data.draw(st.sampled_from([2, 3, 4]))))
        faces = taken(aligned_folder, Path(place) / "faces")
        made, back = written(faces, Path(place) / "back", settings=BARE)
        assert made.left_out == {}
        assert back.keys() == there.keys()
        for name, (jpeg, values) in there.items():
            got, shape = read_jpg(back[name])
            assert same_values(got, values), name
            assert shape == (64, 64, 3)
            assert split(back[name])[0] == jpeg


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_is_read(protocol, tmp_path):
    jpeg, values = aligned(2)
    values = {key: value for key, value in values.items() if protocol < 5 or not isinstance(value, np.ndarray)}
    (tmp_path / "a.jpg").write_bytes(write_jpg(jpeg, values, protocol))
    reader = FACE_READERS.load("dfl")(tmp_path, Material())
    assert reader.read("a.jpg").record.frame_index == 2


def test_names_of_numpy_2_are_read_too(tmp_path):
    jpeg, values = aligned(2)
    payload = pickle.dumps(values, 4)
    data = jpeg[:20] + b"\xff\xef" + (len(payload) + 2).to_bytes(2, "big") + payload + jpeg[20:]
    assert read_jpg(data)[0].keys() == values.keys()
    (tmp_path / "a.jpg").write_bytes(data)
    assert FACE_READERS.load("dfl")(tmp_path, Material()).read("a.jpg").record.size == 64


def test_packed_and_unpacked_it_is_the_same(tmp_path):
    files = []
    for index in range(4):
        jpeg, values = aligned(index, xseg_mask=mask_bytes())
        files.append((f"{index:05d}.jpg", write_jpg(jpeg, values)))
    pak = write_pak(tmp_path / "faceset.pak", files, people=["anna", "bert", "bert", "bert"])
    faces = taken(tmp_path, tmp_path / "faces", "dfl-pak")
    assert [record.face.person for record in Faceset.open(faces).records()] == [1, 0, 0, 0]
    written(faces, tmp_path / "back", "dfl-pak", BARE)
    (before, old), (after, new) = read_pak(pak), read_pak(tmp_path / "back" / "faceset.pak")
    assert [split(data)[0] for data in new] == [split(data)[0] for data in old]
    for a, b in zip(after, before, strict=True):
        assert a.keys() == b.keys()
        assert all(same(a[key], b[key]) for key in a if key != "landmarks")
        assert a["landmarks"] == b["landmarks"]
    _, loose = written(faces, tmp_path / "loose", "dfl", BARE)
    assert set(loose) == {"anna/00000.jpg", *(f"bert/0000{n}.jpg" for n in (1, 2, 3))}


@pytest.mark.parametrize("missing", ["landmarks", "source_landmarks", "image_to_face_mat", "source_rect", "face_type"])
def test_a_pak_of_faces_that_came_without_something_can_be_read(missing, tmp_path):
    (tmp_path / "aligned").mkdir()
    jpeg, values = aligned(0, face_type=FaceType.FULL)
    wanted = values["landmarks"]
    del values[missing]
    (tmp_path / "aligned" / "a.jpg").write_bytes(write_jpg(jpeg, values))
    faces = taken(tmp_path / "aligned", tmp_path / "faces")
    written(faces, tmp_path / "out", "dfl-pak")
    ((config,), (data,)) = read_pak(tmp_path / "out" / "faceset.pak")
    np.testing.assert_allclose(config["landmarks"], wanted, atol=1e-2)
    assert missing not in read_jpg(data)[0]
    assert config["face_type"] == 2


# --- here and back: what konterfei made


polygon_lists = st.lists(
    st.builds(
        lambda points, include: Polygon(np.array(points, np.float32), include),
        st.lists(st.tuples(st.floats(-50, 150, width=32), st.floats(-50, 150, width=32)), min_size=1, max_size=20),
        st.booleans(),
    ),
    max_size=4,
).map(lambda polygons: tuple(sorted(polygons, key=lambda polygon: not polygon.include)))


@settings(max_examples=20)
@given(
    polygon_lists,
    st.booleans(),
    st.sampled_from(["dfl", "dfl-pak"]),
    st.sampled_from(["anna.mp4", "clip 2.mov", "", "ä.mkv"]),
    st.floats(-0.4, 0.4),
    st.sampled_from(list(FaceType)),
)
def test_what_is_ours_comes_back_as_it_was(polygons, has_mask, format, source, roll, face_type):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "faces"
        with Faceset.create(folder, FacesetHeader(face_type=face_type, size=64, source=source)) as made:
            for index in range(2):
                points = landmarks(index) + np.float32(10 * roll)
                crop = Crop.fit(points, face_type, 64)
                record = FaceRecord(
                    source=source or f"film {index}.mp4",
                    frame_index=index * 1001,
                    pts=Fraction(index * 1001, 24000),
                    face=Face(
                        box=np.array([1.25, 2.5, 99.1, 88.2]) + index,
                        landmarks=points,
                        embedding=embedding((9, 8, 7)),
                        iris=points[[36, 45]],
                        score=0.75,
                        track=index,
                        person=0,
                    ),
                    raw_landmarks=points + np.float32(0.5),
                    pose=(0.1, roll, 0.3),
                    sharpness=0.625,
                    face_type=face_type,
                    size=64,
                    crop_from_frame=crop.crop_from_frame.matrix,
                    frame_size=(320, 240),
                )
                labels = FaceLabels(
                    polygons=polygons,
                    mask_file=mask_bytes(64).tobytes() if has_mask else b"",
                    foreign={"other": {"a": [1, None]}} if has_mask else {},
                )
                made.add(crop.cut(picture(points, (200, 150, 120))), record, labels)
        output = Path(place) / "there"
        written(folder, output, format)
        back = Faceset.open(taken(output, Path(place) / "back", format))
        here = Faceset.open(folder)
        assert len(back) == len(here) == 2
        for one, other in zip(here.records(), back.records(), strict=True):
            assert one.encode() == other.encode()
            assert here.jpeg(one.name) == back.jpeg(other.name)
            mine, theirs = here.labels(one.name), back.labels(other.name)
            assert (mine.polygons, mine.mask_file) == (theirs.polygons, theirs.mask_file)
            assert mine.foreign == theirs.foreign


def test_without_our_record_what_deepfacelab_holds_comes_back(tmp_path):
    folder = faceset(tmp_path / "anna")
    _, files = written(folder, tmp_path / "there", settings=BARE)
    assert all(b"konterfei" not in data for data in files.values())
    here, back = Faceset.open(folder), Faceset.open(taken(tmp_path / "there", tmp_path / "back"))
    for one, other in zip(here.records(), back.records(), strict=True):
        np.testing.assert_array_equal(one.face.landmarks, other.face.landmarks)
        np.testing.assert_array_equal(one.crop_from_frame, other.crop_from_frame)
        assert np.abs(one.face.box - other.face.box).max() <= 0.5
        assert (one.frame_index, one.face_type, one.size) == (other.frame_index, other.face_type, other.size)
        assert here.jpeg(one.name) == back.jpeg(other.name)


# --- what was changed in between counts


@pytest.fixture
def came(tmp_path):
    """A faceset of one face that came from DeepFaceLab with everything in forms of its own."""
    jpeg, values = aligned(
        0,
        landmarks=np.array(aligned(0)[1]["landmarks"]),
        seg_ie_polys=[(1, np.array([[1, 2], [3, 40], [50, 6]], np.float64))],
        xseg_mask=mask_bytes().reshape(-1),
        eyebrows_expand_mod=2.0,
    )
    (tmp_path / "aligned").mkdir()
    (tmp_path / "aligned" / "00001_0.jpg").write_bytes(write_jpg(jpeg, values))
    return Faceset.open(taken(tmp_path / "aligned", tmp_path / "faces")), values


def test_polygons_drawn_here_go_out(came, tmp_path):
    faces, values = came
    (name,) = faces.names()
    new = (Polygon(np.array([[5, 5], [6, 50], [70, 7]])), Polygon(np.array([[5, 5], [6, 6], [7, 7]]), include=False))
    faces.relabel(name, replace(faces.labels(name), polygons=new, mask_file=b""))
    faces.close()
    _, files = written(faces.folder, tmp_path / "out", settings=BARE)
    got, _ = read_jpg(files["00001_0.jpg"])
    assert [each["type"] for each in got["seg_ie_polys"]["polys"]] == [1, 0]
    np.testing.assert_array_equal(got["seg_ie_polys"]["polys"][0]["pts"], new[0].points)
    assert got["seg_ie_polys"]["polys"][0]["pts"].dtype == np.float32
    assert "xseg_mask" not in got
    assert got["eyebrows_expand_mod"] == 2.0
    assert same(got["landmarks"], values["landmarks"])


def test_polygons_drawn_there_come_in(tmp_path):
    """Our own record in the picture says who it is; DeepFaceLab's says what was drawn since."""
    folder = faceset(tmp_path / "anna", count=1)
    _, files = written(folder, tmp_path / "there")
    ((name, data),) = files.items()
    values, _ = read_jpg(data)
    values["seg_ie_polys"] = {"polys": [{"type": 1, "pts": np.array([[1, 2], [3, 4], [9, 5]], np.float32)}]}
    (tmp_path / "there" / name).write_bytes(write_jpg(split(data)[0], values))
    here, back = Faceset.open(folder), Faceset.open(taken(tmp_path / "there", tmp_path / "back"))
    assert here.records()[0].encode() == back.records()[0].encode()
    (polygon,) = back.labels(back.names()[0]).polygons
    np.testing.assert_array_equal(polygon.points, [[1, 2], [3, 4], [9, 5]])


def test_a_face_resized_there_is_what_it_is_now(tmp_path):
    """The record that we left in the picture says another size and place: it does not count any more."""
    folder = faceset(tmp_path / "anna", count=1)
    _, files = written(folder, tmp_path / "there")
    ((name, data),) = files.items()
    values, _ = read_jpg(data)
    double = np.diag([2.0, 2.0]) @ values["image_to_face_mat"]
    values |= {"image_to_face_mat": double, "landmarks": np.array(values["landmarks"]) * 2}
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    jpeg = cv2.imencode(".jpg", cv2.resize(image, (192, 192)))[1].tobytes()
    (tmp_path / "there" / name).write_bytes(write_jpg(jpeg, values))
    (record,) = Faceset.open(taken(tmp_path / "there", tmp_path / "back")).records()
    assert record.size == 192
    np.testing.assert_array_equal(record.crop_from_frame, double)


# --- what DeepFaceLab's reader needs


def test_segments_lie_as_deepfacelab_lays_them(tmp_path):
    from legacy_reader_material import segments

    _, files = written(faceset(tmp_path / "anna", count=1), tmp_path / "there")
    ((_, data),) = files.items()
    markers = [marker for marker, _ in segments(data)]
    applications = [marker for marker in markers if 0xE0 <= marker <= 0xEF]
    assert applications[0] == 0xE0 and applications[-1] == 0xEF
    assert markers[: len(applications) + 1] == [0xD8, *applications]
    assert 0xDD not in markers and markers[-1] == 0xD9


def test_an_app15_of_another_program_does_not_hide_the_record(tmp_path):
    source = Faceset.open(faceset(tmp_path / "anna", count=1))
    (record,) = source.records()
    jpeg = source.jpeg(record.name)
    with Faceset.create(tmp_path / "faces", source.header) as made:
        made.add_jpeg(jpeg[:2] + b"\xff\xef\x00\x08Q00095" + jpeg[2:], record)
    _, files = written(tmp_path / "faces", tmp_path / "there")
    assert read_jpg(next(iter(files.values())))[0]["face_type"] == "whole_face"


def test_restart_markers_are_encoded_away(tmp_path):
    folder = tmp_path / "faces"
    source = Faceset.open(faceset(tmp_path / "anna", count=1))
    (record,) = source.records()
    image = source.image(record.name)
    jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()
    assert b"\xff\xdd" in jpeg
    with Faceset.create(folder, source.header) as made:
        made.add_jpeg(jpeg, record)
    result, files = written(folder, tmp_path / "there")
    assert "restart markers" in result.left_out[record.name]
    ((_, data),) = files.items()
    assert read_jpg(data)[1] == (96, 96, 3)
    assert np.abs(cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1].astype(int) - image).mean() < 4


def relabelled(folder, labels):
    with Faceset.open(folder) as faces:
        for name in faces.names():
            faces.relabel(name, labels)
    return folder


def test_a_large_mask_becomes_a_jpeg_of_50000_bytes(tmp_path):
    mask = np.random.RandomState(0).randint(0, 256, (300, 300), np.uint8)
    folder = relabelled(faceset(tmp_path / "anna", count=1), FaceLabels(mask_file=encode_mask(mask)))
    result, files = written(folder, tmp_path / "there")
    assert "50,000 bytes" in next(iter(result.left_out.values()))
    values, _ = read_jpg(next(iter(files.values())))
    file = values["xseg_mask"].tobytes()
    assert file.startswith(b"\xff\xd8") and 30_000 < len(file) <= 50_000
    got = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    assert got.shape == mask.shape and np.corrcoef(got.ravel(), mask.ravel())[0, 1] > 0.5


def test_polygons_that_do_not_fit_are_left_out_and_told(tmp_path):
    many = tuple(Polygon(np.random.RandomState(n).rand(1000, 2) * 90) for n in range(10))
    folder = relabelled(faceset(tmp_path / "anna", count=1), FaceLabels(polygons=many))
    result, files = written(folder, tmp_path / "there")
    assert result.num_faces == 1
    assert "its polygons do not fit" in next(iter(result.left_out.values()))
    values, _ = read_jpg(next(iter(files.values())))
    assert "seg_ie_polys" not in values and len(values["landmarks"]) == 68


def test_names_of_frames(tmp_path):
    with Faceset.open(faceset(tmp_path / "anna", count=2)) as faces:
        assert set(written(faces.folder, tmp_path / "alone")[1]) == {"00001_0.jpg", "00002_0.jpg"}
        with Faceset.create(tmp_path / "both", replace(faces.header, source="")) as both:
            for number, record in enumerate(faces.records()):
                both.add(faces.image(record.name), replace(record, source=f"clip {number}.mp4", frame_index=0))
    assert set(written(tmp_path / "both", tmp_path / "pooled")[1]) == {"clip_0_00001_0.jpg", "clip_1_00001_0.jpg"}


def test_original_names_are_recovered(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for index, name in enumerate(["00002.jpg", "00001.jpg", "00000.jpg"]):
        (folder / name).write_bytes(write_jpg(*aligned(index)))
    faces = taken(folder, tmp_path / "faces")
    assert set(written(faces, tmp_path / "kept")[1]) == {"00000.jpg", "00001.jpg", "00002.jpg"}
    _, files = written(faces, tmp_path / "source", settings=WriteSettings(names="source"))
    assert set(files) == {"00001_0.jpg", "00002_0.jpg", "00003_0.jpg"}
    assert split(files["00001_0.jpg"])[0][-500:] == split((folder / "00002.jpg").read_bytes())[0][-500:]


def test_two_faces_of_one_frame_get_two_names(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for number, skin in enumerate([(225, 170, 140), (120, 90, 170)]):
        jpeg, values = aligned(0, skin=skin, source_rect=np.array([number, 0, 9, 9]))
        (folder / f"a{number}.jpg").write_bytes(write_jpg(jpeg, values))
    faces = taken(folder, tmp_path / "faces")
    _, files = written(faces, tmp_path / "source", settings=WriteSettings(names="source"))
    assert set(files) == {"00001_0.jpg", "00001_1.jpg"}


def test_a_name_from_outside_never_leaves_the_folder(tmp_path):
    (tmp_path / "aligned").mkdir()
    jpeg, values = aligned(0, source_filename="../../00004.png")
    pak = write_pak(tmp_path / "faceset.pak", [("../../../evil.jpg", write_jpg(jpeg, values))], people=["../up"])
    faces = taken(pak, tmp_path / "faces", "dfl-pak")
    written(faces, tmp_path / "out" / "deep" / "er", "dfl")
    inside = {
        path.relative_to(tmp_path / "out" / "deep" / "er").as_posix() for path in (tmp_path / "out").rglob("*.jpg")
    }
    assert inside == {"up/evil.jpg"}


def test_meta_dat_there_and_back(tmp_path):
    folder = faceset(tmp_path / "anna", count=3)
    made = FACE_WRITERS.load("dfl-meta")(Faceset.open(folder), tmp_path / "meta", WriteSettings(), Silent())
    entries = pickle.loads((tmp_path / "meta" / "meta.dat").read_bytes())
    assert made.num_faces == len(entries) == 3
    shape, values = entries["00001_0.jpg"]
    assert shape == (96, 96, 3) and values["face_type"] == "whole_face"
    edited = tmp_path / "edited"
    edited.mkdir()
    for name in entries:  # made larger by a program that knows nothing of records
        image = cv2.imdecode(np.frombuffer(written(folder, tmp_path / "w")[1][name], np.uint8), 1)
        cv2.imwrite(os.fspath(edited / name), cv2.resize(image, (384, 384), interpolation=cv2.INTER_CUBIC))
    reader = FACE_READERS.load("dfl")(edited, Material())
    with pytest.raises(NotTakenError, match="no record"):
        reader.read("00001_0.jpg")
    (edited / "meta.dat").write_bytes(dumped(entries))
    found = FACE_READERS.load("dfl")(edited, Material()).read("00001_0.jpg")
    assert found.record.size == 96
    record = Faceset.open(folder).records()[0]
    np.testing.assert_array_equal(found.record.face.landmarks, record.face.landmarks)
    image = cv2.imdecode(np.frombuffer(found.picture, np.uint8), 1)[..., ::-1]
    assert np.abs(image.astype(int) - Faceset.open(folder).image(record.name)).mean() < 3
