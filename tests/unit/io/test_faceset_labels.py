import json

import cv2
import numpy as np
import pytest
from faceset_fixtures import SIZE, fill, header, picture, record
from hypothesis import given, settings
from hypothesis import strategies as st

from konterfei.errors import DamagedFileError
from konterfei.io.embedded import EmbeddedError, embed, extract, strip
from konterfei.io.face_labels import FaceLabels, Polygon, decode_mask, encode_mask
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_index import INDEX_NAME

SQUARE = np.array([[10, 10], [50, 10], [50, 50], [10, 50]], np.float32)
HOLE = np.array([[20, 20], [30, 20], [30, 30], [20, 30]], np.float32)


def disc(side=96):
    return cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), side // 3, 255, -1)


LABELS = FaceLabels(
    polygons=(Polygon(SQUARE), Polygon(HOLE, include=False)),
    mask_file=encode_mask(disc()),
    foreign={"other": {"brow": 1.25, "name": "Ännä"}},
)


@pytest.fixture
def folder(tmp_path):
    with Faceset.create(tmp_path / "faces", header()) as faceset:
        fill(faceset, 3)
        faceset.add(picture(3), record(3), LABELS)
    return tmp_path / "faces"


def test_labels_come_back_exactly_and_move_with_the_file(folder, tmp_path):
    (folder / "000003_0.jpg").rename(folder / "x.jpg")
    faceset = Faceset.open(folder)
    assert faceset.labels("x.jpg") == LABELS
    assert faceset.labels("000001_0.jpg").is_empty
    assert faceset.labelled() == {"x.jpg"}
    (folder / INDEX_NAME).unlink()
    assert Faceset.open(folder).labelled() == {"x.jpg"}


def test_relabelling_keeps_picture_and_record(folder):
    with Faceset.open(folder) as faceset:
        before, was = (folder / "000001_0.jpg").read_bytes(), faceset.content_hash()
        faceset.relabel("000001_0.jpg", LABELS)
        assert faceset.labels("000001_0.jpg") == LABELS
        assert faceset.content_hash() != was
        assert strip((folder / "000001_0.jpg").read_bytes()) == strip(before) == faceset.jpeg("000001_0.jpg")
        assert [r.name for r in faceset.records()] == [f"00000{i}_0.jpg" for i in range(4)]
        faceset.relabel("000001_0.jpg", FaceLabels())
    assert (folder / "000001_0.jpg").read_bytes() == before
    assert Faceset.open(folder).content_hash() != ""
    reopened = Faceset.open(folder)
    assert len(reopened) == 4
    assert not reopened.duplicates


def test_polygons_win_over_the_mask_and_holes_are_cut():
    mask = LABELS.mask(SIZE, SIZE)
    assert mask is not None
    assert (mask[15, 15], mask[25, 25], mask[45, 45], mask[5, 5]) == (255, 0, 255, 0)
    double = LABELS.mask(2 * SIZE, SIZE)
    assert (double[31, 31], double[51, 51], double[91, 91], double[11, 11]) == (255, 0, 255, 0)
    applied = FaceLabels(mask_file=encode_mask(disc())).mask(48, SIZE)
    assert applied.shape == (48, 48)
    assert (applied[24, 24], applied[1, 1]) == (255, 0)
    assert FaceLabels(polygons=(Polygon(HOLE, include=False),)).mask(SIZE, SIZE) is None
    assert not FaceLabels(polygons=(Polygon(SQUARE[:2]),)).has_mask


def test_a_large_mask_goes_into_several_pieces(folder):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
    labels = FaceLabels(mask_file=encode_mask(noise))
    with Faceset.open(folder) as faceset:
        faceset.relabel("000000_0.jpg", labels)
    data = (folder / "000000_0.jpg").read_bytes()
    assert data.count(b"konterfei.labels\0") == 3
    assert Faceset.open(folder).labels("000000_0.jpg") == labels
    with pytest.raises(ValueError, match="do not fit into a crop"):
        embed(data, b"{}", bytes(20 << 20))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"polygons", b"polygonz"),
        lambda data: data.replace(b"konterfei.labels\0\x01", b"konterfei.labels\0\x02"),
        lambda data: data.replace(b"konterfei.labels\0\x01\x00\x00", b"konterfei.labels\0\x01\x00\x01"),
    ],
    ids=["changed", "other version", "piece missing"],
)
def test_damaged_labels_are_listed_not_guessed(folder, damage):
    path = folder / "000003_0.jpg"
    data = path.read_bytes()
    faceset = Faceset.open(folder)
    path.write_bytes(damage(data))
    with pytest.raises(DamagedFileError, match="labels"):
        faceset.labels(path.name)
    assert "labels" in Faceset.open(folder).damaged[path.name]


NONSENSE = [
    *(
        b"[]",
        b"{}",
        b'{"version": 9}',
        b'{"version": 1, "polygons": [{"include": 1}]}',
        b'{"version": 1, "polygons": 3}',
    ),
    json.dumps({"version": 1, "polygons": [{"include": True, "points": [[0, float("nan")]]}]}).encode(),
]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        FaceLabels.decode(len(text).to_bytes(4, "big") + text)


def test_a_mask_that_is_no_picture_says_so():
    with pytest.raises(ValueError, match="mask"):
        FaceLabels(mask_file=b"nothing").mask(8, 8)


numbers = st.floats(-1e6, 1e6, width=32)
polygons = st.builds(
    lambda points, include: Polygon(np.array(points, np.float32), include),
    st.lists(st.tuples(numbers, numbers), max_size=8),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(polygons, max_size=5), st.binary(max_size=70_000), st.dictionaries(st.text(), st.integers()))
def test_any_labels_survive(shapes, mask_file, foreign):
    labels = FaceLabels(polygons=tuple(shapes), mask_file=mask_file, foreign={"p": foreign} if foreign else {})
    assert FaceLabels.decode(labels.encode()) == labels
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    there = extract(embed(jpeg, b"{}", labels.encode()))
    assert there.labels == labels.encode()
    assert strip(embed(jpeg, b"{}", labels.encode())) == jpeg


def test_a_jpeg_is_kept_byte_for_byte(folder):
    jpeg = cv2.imencode(".jpg", picture(9)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 71])[1].tobytes()
    with Faceset.open(folder) as faceset:
        name = faceset.add_jpeg(jpeg, record(9))
        assert faceset.jpeg(name) == jpeg
        with pytest.raises(ValueError, match="32x32"):
            faceset.add_jpeg(cv2.imencode(".jpg", np.zeros((32, 32, 3), np.uint8))[1].tobytes(), record(10))
        with pytest.raises(EmbeddedError):
            faceset.add_jpeg(jpeg[:-40], record(10))
    assert len(Faceset.open(folder)) == 5


def bomb(side):
    """A PNG of some kilobytes that decodes to side * side bytes."""
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pressed = zlib.compressobj(9)
    rows = b"".join(pressed.compress(bytes(side + 1)) for _ in range(side)) + pressed.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [4097, 12000])
def test_a_mask_that_would_fill_the_memory_is_not_decoded(side, monkeypatch):
    monkeypatch.setattr("konterfei.io.face_labels.cv2.imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match=f"the mask is {side} x {side}; up to 4096"):
        decode_mask(bomb(side))


def test_points_beyond_every_number_are_labels_that_are_damaged():
    text = b'{"version": 1, "polygons": [{"include": true, "points": [[1' + b"0" * 400 + b", 1]]}]}"
    with pytest.raises(ValueError, match="wrong kind"):
        FaceLabels.decode(len(text).to_bytes(4, "big") + text)
