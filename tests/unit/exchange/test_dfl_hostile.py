"""Files from strangers: damaged, foreign or made to do harm. Each is refused in words, and nothing ever happens."""

import os
import pickle
import struct
import subprocess
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konterfei.errors import DamagedFileError, KonterfeiError, StoreError
from konterfei.exchange import FACE_READERS, Material, NotTakenError
from konterfei.exchange.dfl import found_face
from konterfei.exchange.dfl_records import understand, values_for
from konterfei.exchange.dfl_values import same
from konterfei.geometry import FaceType
from konterfei.io.face_labels import FaceLabels
from konterfei.io.faceset import Faceset, FacesetHeader
from konterfei.io.legacy_pak import LegacyPak
from konterfei.io.legacy_pickle import parse_pickle
from legacy_reader_material import aligned, dumped, mask_bytes, write_jpg, write_pak

MARK = "it-was-here"


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "os.system": Calls(os.system, f"touch {MARK}"),
    "eval": Calls(eval, f"open('{MARK}', 'w')"),
    "popen": Calls(subprocess.Popen, ["touch", MARK]),
    "getattr": Calls(getattr, "text", "upper"),
    "open": Calls(open, MARK, "w"),
    "path": Path(MARK),
    "memory": Calls(bytearray, 10**12),
    "objects": np.array([Calls(os.system, f"touch {MARK}")], dtype=object),
}


def take(data, **material):
    return found_face(
        data, place="a.jpg", file="a.jpg", person=None, number=0, material=Material(**material), source="s", people={}
    )


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("key", ["landmarks", "seg_ie_polys", "anything"])
def test_hostile_pictures_are_listed_and_do_nothing(name, protocol, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jpeg, values = aligned(0)
    data = write_jpg(jpeg, {**values, key: [HOSTILE[name]]}, protocol)
    with pytest.raises(NotTakenError, match="its record cannot be used: it "):
        take(data)
    assert not list(tmp_path.iterdir())


def test_the_fixture_would_do_harm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(dumped({"landmarks": [HOSTILE["os.system"]]}))
    assert Path(MARK).exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_paks_do_nothing_and_give_their_pictures_all_the_same(name, tmp_path, monkeypatch):
    """The table asks for something: its names are lost. The pictures carry honest records of their own."""
    monkeypatch.chdir(tmp_path)
    files = [(f"{index}.jpg", write_jpg(*aligned(index))) for index in range(3)]
    pak = write_pak(tmp_path / "honest.pak", files)
    data = pak.read_bytes()
    (size,) = struct.unpack("<Q", data[8:16])
    table = dumped([{"filename": "0.jpg", "x": HOSTILE[name]}])
    rest = data[16 + size :]
    places = list(struct.unpack("<4Q", rest[:32]))
    places[-1] += len(table) - size
    hostile = tmp_path / "hostile.pak"
    hostile.write_bytes(data[:8] + struct.pack("<Q", len(table)) + table + struct.pack("<4Q", *places) + rest[32:])
    reader = FACE_READERS.load("dfl-pak")(hostile, Material())
    assert "cannot be read (it " in reader.remarks[0]
    assert list(reader.places()) == ["00000.jpg", "00001.jpg", "00002.jpg"]
    assert [reader.read(place).record.frame_index for place in reader.places()] == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["honest.pak", "hostile.pak"]


def test_hostile_meta_is_told_and_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(aligned(0)[0])
    (tmp_path / "meta.dat").write_bytes(dumped({"a.jpg": ((64, 64, 3), {"x": HOSTILE["os.system"]})}))
    reader = FACE_READERS.load("dfl")(tmp_path, Material())
    assert "is refused" in reader.remarks[0]
    with pytest.raises(NotTakenError, match="no record"):
        reader.read("a.jpg")
    assert not (tmp_path / MARK).exists()


# --- bombs


def laughs(depth=40):
    """Lists of two times the same list: 2 ** depth elements, were it ever walked."""
    value = [1.0, 2.0]
    for _ in range(depth):
        value = [value, value]
    return value


KEYS = ["face_type", "landmarks", "source_landmarks", "image_to_face_mat", "source_rect", "seg_ie_polys", "xseg_mask",
        "source_filename", "eyebrows_expand_mod", "other"]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "bomb",
    [
        laughs(),
        [laughs()] * 68,
        {"polys": [laughs(), {"type": laughs(), "pts": laughs()}, (1, laughs()), (laughs(), [[1, 2]])]},
        {"polys": [(1, [[1.0, 2.0]] * 9000)] * 900},
        10**400,
        float("nan"),
        "\ud800" * 50,
        "x" * 40_000,
        np.full((68, 2), np.inf),
        np.zeros((0, 0)),
        np.array(5, np.uint8),
        b"\xff" * 9,
    ],
    ids=lambda bomb: type(bomb).__name__,
)
def test_values_that_make_no_sense_are_refused_or_kept_but_never_walked(key, bomb, tmp_path):
    jpeg, values = aligned(0)
    try:
        found = take(write_jpg(jpeg, {**values, key: bomb}))
    except NotTakenError:
        return
    with Faceset.create(tmp_path / "f", FacesetHeader(face_type=found.record.face_type, size=64)) as made:
        name = made.add_jpeg(found.picture, found.record, found.labels)  # all of it can be written
    assert Faceset.open(tmp_path / "f").labels(name).encode() == found.labels.encode()
    assert len(found.labels.encode()) < 1 << 20


def test_deep_nests_are_no_recursion():
    data = b"\x80\x04" + b"(" * 0 + b"]" * 200_000 + b"a" * 199_999 + b"."
    assert isinstance(parse_pickle(data), list)
    jpeg, values = aligned(0)
    nest = b"]" * 20_000 + b"a" * 19_999
    payload = dumped(values)[:-1] + b"\x8c\x01x" + nest + b"s."
    data = jpeg[:2] + b"\xff\xef" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]
    assert take(data).lost == ("its field 'x' is of an unknown kind",)


def test_a_pak_that_claims_to_be_huge_takes_no_memory(tmp_path):
    path = tmp_path / "faceset.pak"
    with path.open("wb") as file:
        file.write(struct.pack("<QQ", 1, 7 << 30) + b"\x80\x04](\x8e" + struct.pack("<Q", 6 << 30))
        file.truncate(8 << 30)  # a hole: takes no disk
    tracemalloc.start()
    with pytest.raises((DamagedFileError, StoreError)):
        LegacyPak(path)
    assert tracemalloc.get_traced_memory()[1] < 300 << 20
    tracemalloc.stop()


def test_a_pak_larger_than_memory_is_read_picture_by_picture(tmp_path):
    """Eight gigabytes of hole between two pictures: neither opening nor reading takes more than a picture."""
    first, second = write_jpg(*aligned(0)), write_jpg(*aligned(1))
    path = write_pak(tmp_path / "faceset.pak", [("a.jpg", first), ("hole.jpg", first), ("b.jpg", second)])
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[8:16])
    begin = 16 + size + 32
    hole = 8 << 30
    places = [0, len(first), hole, begin + hole + len(second)]
    with path.open("wb") as file:
        file.write(data[: begin - 32] + struct.pack("<4Q", *places) + first)
        file.seek(begin + hole)
        file.write(second)
    tracemalloc.start()
    reader = FACE_READERS.load("dfl-pak")(path, Material())
    assert reader.read("a.jpg").record.frame_index == 0
    assert reader.read("b.jpg").record.frame_index == 1
    with pytest.raises(NotTakenError, match="it would have"):
        reader.read("hole.jpg")
    reader.close()
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "own",
    [
        7,
        {"values": 7, "absent": 7, "mask_shape": ["a", -1], "file": 7, "frame": 7, "person_name": ["x"]},
        {
            "values": {
                "landmarks": laughs(3),
                "x": {"kind": "value", "is": {"kind": "array", "dtype": "O", "is": "AAAA"}},
            }
        },
        {"values": {"y": {"kind": "value", "is": {"kind": "dict", "is": [[[1], 2]]}}}, "absent": [[]]},
        {"mask_shape": [2**40, 2**40]},
    ],
)
def test_words_of_deepfacelab_that_somebody_forged_do_no_more_than_nothing(own, tmp_path):
    """A faceset, too, may come from a stranger; what its crops keep for DeepFaceLab is JSON of any kind."""
    found = take(write_jpg(*aligned(0)))
    record, mask = found.record, mask_bytes(16).tobytes()
    honest = values_for(record, FaceLabels(mask_file=mask), "00001.png")
    forged = values_for(record, FaceLabels(mask_file=mask, foreign={"dfl": own}), "00001.png")
    assert all(same(forged[key], honest[key]) for key in honest)


# --- damage


_PICTURE, _VALUES = aligned(0, size=32, seg_ie_polys={"polys": [{"type": 1, "pts": np.ones((3, 2), np.float32)}]})
WITH_EVERYTHING = [write_jpg(_PICTURE, {**_VALUES, "xseg_mask": mask_bytes(16)}, protocol) for protocol in (2, 3, 4)]


@settings(max_examples=120)
@given(st.data())
def test_changed_bytes_never_do_more_than_fail(data):
    file = bytearray(data.draw(st.sampled_from(WITH_EVERYTHING)))
    for _ in range(data.draw(st.integers(1, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = take(bytes(file))
    except NotTakenError as error:
        assert 5 < len(str(error)) < 400
        return
    assert found.record.encode() and isinstance(found.labels.encode(), bytes)


def test_a_picture_cut_off_anywhere_is_refused():
    file = write_jpg(*aligned(0, size=32))
    for length in range(0, len(file), 7):
        with pytest.raises(NotTakenError):
            take(file[:length])


@settings(max_examples=40)
@given(st.data())
def test_changed_bytes_of_a_pak_never_do_more_than_fail(data):
    with tempfile.TemporaryDirectory() as folder:
        _change_bytes(data, Path(folder) / "mutated.pak")


def _change_bytes(data, path):
    files = [(f"{index}.jpg", write_jpg(*aligned(index, size=32))) for index in range(2)]
    write_pak(path, files)
    file = bytearray(path.read_bytes())
    head = 16 + struct.unpack("<Q", file[8:16])[0] + 24
    for _ in range(data.draw(st.integers(1, 3))):
        file[data.draw(st.integers(0, head - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(file[: data.draw(st.integers(1, len(file)))] if data.draw(st.booleans()) else file))
    try:
        reader = FACE_READERS.load("dfl-pak")(path, Material())
    except KonterfeiError as error:
        assert "mutated.pak" in str(error)
        return
    for place in reader.places():
        try:
            assert reader.read(place).record.size == 32
        except NotTakenError:
            continue
    reader.close()


# --- what is no face


def test_tolerated_forms():
    _, values = aligned(3, face_type=FaceType.FULL)
    whole = understand(values, 64)
    for changes, what in (
        ({"face_type": None}, "no face type: a full face"),
        ({"image_to_face_mat": None}, "no matrix"),
        ({"source_landmarks": None}, "no source landmarks"),
        ({"landmarks": None}, "no landmarks of the crop"),
        ({"source_rect": None}, "no box"),
        ({"face_type": "f"}, "the short name"),
        ({"landmarks": tuple(map(np.array, values["landmarks"]))}, "rows as arrays"),
    ):
        changed = {key: value for key, value in {**values, **changes}.items() if value is not None}
        told = understand(changed, 64)
        assert told.face_type is FaceType.FULL, what
        np.testing.assert_allclose(told.landmarks, whole.landmarks, atol=1e-3, err_msg=what)
        np.testing.assert_allclose(told.matrix, whole.matrix, atol=1e-3, err_msg=what)


def test_an_old_matrix_gives_way_to_the_landmarks():
    """A picture that was resized by a tool that forgot the matrix."""
    _, values = aligned(3)
    values["landmarks"] = (np.array(values["landmarks"]) * 2).tolist()
    told = understand(values, 128)
    np.testing.assert_allclose(told.matrix, np.array(values["image_to_face_mat"]) * 2, atol=1e-4)


def test_polygons_include_first():
    square = np.array([[1, 1], [5, 1], [5, 5]], np.float32)
    polys = [{"type": 0, "pts": square}, {"type": 1, "pts": square + 1}, {"type": 0, "pts": square + 2}]
    told = understand({**aligned(0)[1], "seg_ie_polys": {"polys": polys}}, 64)
    assert [(p.include, p.points[0, 0]) for p in told.polygons] == [(True, 2), (False, 1), (False, 3)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"face_type": "mark_only"}, "mark_only"),
        ({"face_type": "back_of_head"}, "'back_of_head', which is not known"),
        ({"face_type": 7}, "its face type is 'int'"),
        ({"source_landmarks": None, "image_to_face_mat": None}, "does not say where the face lies"),
        ({"landmarks": [[1, 2]], "source_landmarks": [[1, 2]]}, "does not say where the face lies"),
        (
            {"source_landmarks": [[5.0, 5.0]] * 68, "landmarks": None, "image_to_face_mat": None},
            "landmarks are no face",
        ),
    ],
)
def test_what_is_no_crop_is_told(changes, why):
    jpeg, values = aligned(0)
    values = {key: value for key, value in {**values, **changes}.items() if value is not None}
    with pytest.raises(NotTakenError, match=why):
        take(write_jpg(jpeg, values))


@pytest.mark.parametrize("face_type", [FaceType.FULL_NO_ALIGN, FaceType.HEAD_NO_ALIGN])
def test_faces_that_were_not_turned_upright_are_held(face_type):
    found = take(write_jpg(*aligned(0, face_type=face_type)))
    assert found.record.face_type is face_type
    assert found.record.crop_from_frame[0, 1] == pytest.approx(0, abs=1e-6)


def test_a_whole_frame_is_no_crop():
    import cv2

    frame = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    with pytest.raises(NotTakenError, match=r"mark_only\): its picture is 64 x 48"):
        take(write_jpg(frame, {**aligned(0)[1], "face_type": "mark_only"}))
    with pytest.raises(NotTakenError, match="no record of DeepFaceLab"):
        take(frame)
    with pytest.raises(NotTakenError, match="it is empty"):
        take(b"")
    with pytest.raises(NotTakenError, match="not a JPEG"):
        take(b"\x89PNG\r\n\x1a\n" + b"0" * 99)


def announced(jpeg, wide, high):
    """The same JPEG, whose head says that it has another size."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", high, wide) + jpeg[at + 9 :]


@pytest.mark.parametrize(("wide", "high"), [(65500, 65500), (16000, 16000), (1, 1)])
def test_a_picture_that_says_it_is_enormous_is_never_decoded(wide, high):
    jpeg, values = aligned(0)
    picture = announced(jpeg, wide, high)
    for data, meta in ((write_jpg(picture, values), None), (picture, ((64, 64, 3), values))):
        with pytest.raises(NotTakenError, match=f"{wide} x {high}"):
            found_face(
                data, place="", file="", person=None, number=0, material=Material(), source="", people={}, meta=meta
            )
