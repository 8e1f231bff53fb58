import json
import zlib
from fractions import Fraction

import numpy as np
import pytest
import simplejpeg
from faceset_fixtures import header, picture, record
from hypothesis import example, given, settings
from hypothesis import strategies as st

from konterfei.io.embedded import EmbeddedError, embed, extract
from konterfei.io.face_record import FaceRecord, FacesetHeader


def same(a, b):
    assert a.to_json() == b.to_json()
    assert a.face == b.face
    assert np.array_equal(a.crop_from_frame, b.crop_from_frame)
    assert a.crop_from_frame.dtype == b.crop_from_frame.dtype == np.float64
    assert (a.pts, a.pose, a.face_type, a.frame_size) == (b.pts, b.pose, b.face_type, b.frame_size)


@given(values=st.lists(st.floats(-1e7, 1e7, width=32), min_size=136, max_size=136))
@settings(max_examples=30, deadline=None)
def test_every_float32_comes_back_exactly(values):
    points = np.asarray(values, np.float32).reshape(68, 2)
    original = record(1, face=record(1).face.with_(landmarks=points), raw_landmarks=points)
    for again in (FaceRecord.decode(original.encode()), FaceRecord.unpack(*original.pack())):
        assert np.array_equal(again.face.landmarks, points)
        assert np.array_equal(again.raw_landmarks, points)


def test_a_record_comes_back_whole_by_both_ways():
    original = record(7, pts=Fraction(1001, 30000))
    same(original, FaceRecord.decode(original.encode()))
    same(original, FaceRecord.unpack(*original.pack()))


def test_the_person_comes_back_and_old_records_have_none():
    named = record(3, face=record(3).face.with_(person=2))
    same(named, FaceRecord.decode(named.encode()))
    same(named, FaceRecord.unpack(*named.pack()))
    assert "person" not in record(3).to_json()["face"] and FaceRecord.decode(record(3).encode()).face.person is None


def test_optional_fields_stay_absent():
    bare = record(3, raw_landmarks=None, face=record(3).face.with_(embedding=None, iris=None, track=None))
    for again in (FaceRecord.decode(bare.encode()), FaceRecord.unpack(*bare.pack())):
        assert again.raw_landmarks is None
        assert again.face.embedding is None
        assert again.face.iris is None
        assert again.face.track is None


def test_the_crop_of_a_record_maps_as_the_one_that_was_cut():
    crop = record(4).crop
    assert crop.size == 64
    assert np.allclose(crop.crop_from_frame @ crop.corners(), crop.crop_from_frame @ record(4).crop.corners())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "version 2"),
        ({"frame_index": None}, "wrong kind"),
        ({"crop_from_frame": [[1, 0], [0, 1]]}, "crop_from_frame"),
        ({"face_type": "torso"}, "torso"),
        ({"pts": "1/0"}, "wrong kind"),
        ({"pts": "1e999999999"}, "no fraction"),
        ({"face": {}}, "box"),
        ({"source": "\ud800"}, "surrogates"),
        ({"frame_index": 10**30}, "frame_index"),
        ({"frame_index": -1}, "frame_index"),
        ({"frame_size": [-1, 5]}, "frame_size"),
        ({"size": 65500}, "size"),
        ({"sharpness": float("nan")}, "sharpness"),
        ({"pose": {"pitch": 0, "yaw": float("inf"), "roll": 0}}, "yaw"),
        ({"crop_from_frame": [[1, 2, 0], [1, 2, 0]]}, "no map"),
        ({"crop_from_frame": [[1e30, 0, 0], [0, 1e30, 0]]}, "no map"),
        ({("face", "score"): float("nan")}, "score"),
        ({("face", "presence"): float("-inf")}, "presence"),
        ({("face", "track"): 10**30}, "track"),
        ({("face", "person"): -(10**30)}, "person"),
        ({("face", "embedding"): []}, "embedding"),
        ({("face", "box"): [0, 0, 1e30, 1]}, "box"),
    ],
)
def test_a_nonsense_record_is_refused_with_its_reason(change, reason):
    data = record(1).to_json()
    for key, value in change.items():
        if isinstance(key, tuple):
            data[key[0]][key[1]] = value
        else:
            data[key] = value
    with pytest.raises(ValueError, match=reason):
        FaceRecord.decode(json.dumps(data).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 60000])
def test_text_that_is_no_record_is_a_value_error(text):
    with pytest.raises(ValueError):
        FaceRecord.decode(text)


def test_numbers_that_are_not_finite_are_not_written():
    with pytest.raises(ValueError):
        record(1, sharpness=float("nan")).encode()


def test_headers_are_equal_as_json():
    there = FacesetHeader.from_json(json.loads(json.dumps(header().to_json())))
    assert header().differs_from(there) == ""
    assert header(source="/moved/anna.mp4").differs_from(there) == ""
    assert header(source="ben.mp4").differs_from(there)
    assert header(source_sha256="cd" * 32).differs_from(there)
    assert "size: there 64, wanted 96" in header(size=96).differs_from(there)


# --- the segment


def jpeg():
    return simplejpeg.encode_jpeg(picture(5), quality=95, colorspace="RGB", colorsubsampling="444")


def test_the_picture_is_untouched_by_its_record():
    data = embed(jpeg(), b'{"a": 1}')
    assert np.array_equal(simplejpeg.decode_jpeg(data), simplejpeg.decode_jpeg(jpeg()))
    assert data[:4] == b"\xff\xd8\xff\xe0"  # JFIF still comes first
    found = extract(data)
    assert (found.text, found.width, found.height) == (b'{"a": 1}', 64, 64)


def test_embedding_again_replaces():
    twice = embed(embed(jpeg(), b"one"), b"two")
    assert extract(twice).text == b"two"
    assert len(twice) == len(embed(jpeg(), b"two"))


def test_a_record_too_long_for_a_segment_is_refused():
    embed(jpeg(), b"x" * 65509)
    with pytest.raises(ValueError, match="does not fit"):
        embed(jpeg(), b"x" * 65510)


def test_metadata_that_a_file_manager_adds_does_no_harm():
    data = embed(jpeg(), b"{}")
    exif = b"Exif\0\0rating=5"
    tagged = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    assert extract(tagged).text == b"{}"


@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_a_file_cut_short_anywhere_is_never_whole(cut):
    data = embed(jpeg(), b"{}" * 500)
    with pytest.raises(EmbeddedError):
        extract(data[: int(len(data) * cut)])


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@example(where=0.004688990185526931, flip=1)  # JFIF's revision number: the decoder refuses it
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_is_found_or_harmless(where, flip):
    text = b'{"k": 1}' * 100
    data = bytearray(embed(jpeg(), text))
    data[int(len(data) * where)] ^= flip
    try:
        found = extract(bytes(data))
    except EmbeddedError:
        return
    assert found.text == text  # the flip hit JFIF's own fields, which nobody needs
    try:
        pixels = simplejpeg.decode_jpeg(bytes(data))
    except ValueError:  # what `Faceset.image` makes an error of that names the file
        return
    assert np.array_equal(pixels, simplejpeg.decode_jpeg(jpeg()))


def test_another_layout_version_is_named():
    data = bytearray(embed(jpeg(), b"{}"))
    data[data.index(b"konterfei.face\0") + 15] = 9
    with pytest.raises(EmbeddedError, match="layout version 9"):
        extract(bytes(data))


def test_the_checksum_is_the_one_documented():
    data = embed(jpeg(), b"{}")
    at = data.index(b"konterfei.face\0")
    assert int.from_bytes(data[at + 16 : at + 20], "big") == zlib.crc32(b"{}")
