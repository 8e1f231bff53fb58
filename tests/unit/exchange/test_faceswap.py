"""faceswap's alignments: written and read back; the forms of other versions; damage."""

import json
from fractions import Fraction

import numpy as np
import pytest

from drawn_faces import ANNA, faceset, landmarks, picture
from konterfei.errors import ConfigError, DamagedFileError
from konterfei.exchange import Material, NotTakenError, WriteSettings
from konterfei.exchange.faceswap import FaceswapAlignments, write_alignments
from konterfei.exchange.film import look_through
from konterfei.geometry import FaceType
from konterfei.io.face_labels import FaceLabels
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.io.video import VideoWriter
from konterfei.reporting import Recorder, Silent
from konterfei.stages.import_faces import ImportFacesConfig, import_faces

COUNT = 5


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """The frames that the faces were found in, as a video."""
    path = tmp_path_factory.mktemp("plate") / "anna.mp4"
    with VideoWriter(path, 320, 240, crf=4, preset="veryfast", fps_hint=25, time_base=Fraction(1, 25)) as writer:
        for index in range(COUNT):
            writer.write(picture(landmarks(index, COUNT), ANNA), Fraction(index, 25))
    return path


@pytest.fixture
def faces(tmp_path):
    return faceset(tmp_path / "anna", count=COUNT)


def face(index, **changes):
    points = landmarks(index, COUNT)
    left, top = points.min(0)
    wide, high = np.ptp(points, axis=0)
    box = {"x": int(left), "y": int(top), "w": int(wide), "h": int(high)}
    return {**box, "landmarks_xy": points.tolist(), "mask": {}, "identity": {}, **changes}


def read(path, plate, **material):
    film = look_through(plate, Fraction(25), Silent())
    reader = FaceswapAlignments(path, Material(film=film, **material))
    found, refused = {}, {}
    for place in reader.places():
        try:
            found[place] = reader.read(place)
        except NotTakenError as error:
            refused[place] = str(error)
    reader.close()
    return found, refused


def saved(path, data):
    path.write_text(json.dumps(data))
    return path


def test_there_and_back(faces, plate, tmp_path):
    made = write_alignments(Faceset.open(faces), tmp_path / "out", WriteSettings(), Recorder())
    assert made.num_faces == COUNT and not made.left_out
    data = json.loads((tmp_path / "out" / "alignments.json").read_text())
    assert data["__meta__"] == {"version": 2.4}
    assert list(data["__data__"]) == [f"anna_{index + 1:06d}.mp4" for index in range(COUNT)]
    found, refused = read(tmp_path / "out" / "alignments.json", plate, face_type=FaceType.WHOLE, size=96)
    assert not refused
    for before, after in zip(Faceset.open(faces).records(), found.values(), strict=True):
        assert after.record.frame_index == before.frame_index and after.record.pts == before.pts
        assert np.array_equal(after.record.face.landmarks, before.face.landmarks)
        assert after.record.face.box == pytest.approx(before.face.box, abs=1.0)  # whole pixels there
        assert after.record.crop == before.crop
        shown = Faceset.open(faces).image(before.name).astype(int)
        assert np.abs(after.picture - shown).mean() < 3


@pytest.mark.parametrize("form", ["new", "flat", "faces", "old name", "exchange"])
def test_every_form_is_read(plate, tmp_path, form):
    one = face(2)
    if form == "old name":
        one["landmarksXY"] = one.pop("landmarks_xy")
    if form == "exchange":
        x, y, w, h = (one[name] for name in "xywh")
        one = {"detected": [x, y, x + w, y + h], "landmarks_2d": one["landmarks_xy"]}
    entry = {"faces": [one], "video_meta": {}} if form in ("new", "faces") else [one]
    frames = {"anna_000003.png": entry}
    data = {"__meta__": {"version": 2.3}, "__data__": frames} if form == "new" else frames
    path = saved(tmp_path / "a.json", data)
    assert FaceswapAlignments.recognises(path)
    found, refused = read(path, plate)
    (only,) = found.values()
    assert not refused and only.record.frame_index == 2 and only.record.pts == Fraction(2, 25)
    assert only.record.size == 256 and only.record.frame_size == (320, 240)
    assert only.record.face.landmarks == pytest.approx(landmarks(2, COUNT), abs=1e-4)
    assert only.record.face.box[2] == pytest.approx(face(2)["x"] + face(2)["w"])


def test_what_konterfei_has_no_place_for_is_given_back(plate, tmp_path):
    identity = {"vggface2": [0.5, 0.25]}
    path = saved(tmp_path / "a.json", {"anna_000001.png": [face(0, identity=identity, thumb=[1, 2])]})
    config = ImportFacesConfig(path=path, output=tmp_path / "faces", frames=plate, recognize=False, size=96)
    assert import_faces(config, Recorder()).num_faces == 1
    there = Faceset.open(tmp_path / "faces")
    assert there.header.size == 96 and there.header.source == str(plate)
    write_alignments(there, tmp_path / "out", WriteSettings(), Silent())
    data = json.loads((tmp_path / "out" / "alignments.json").read_text())
    (again,) = data["__data__"]["anna_000001.mp4"]["faces"]
    assert again["identity"] == identity and again["thumb"] == [1, 2] and again["x"] == face(0)["x"]


def test_pictures_are_known_by_their_names(tmp_path):
    place = tmp_path / "shot"
    for index in range(3):
        write_image(place / f"take_{index + 7:04d}.png", picture(landmarks(index, COUNT), ANNA))
    found, refused = read(saved(tmp_path / "a.json", {"take_0008.png": [face(1)], "gone.png": [face(2)]}), place)
    (only,) = found.values()
    assert only.record.frame_index == 1 and "not in the film" in refused["gone.png#0"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"landmarks_xy": face(0)["landmarks_xy"][:51]}, "68 points"),
        ({"landmarks_xy": None}, "68 points"),
        ({"landmarks_xy": [["a", 1]] * 68}, "damaged"),
        ({"landmarks_xy": [[float("nan"), 1]] * 68}, "68 points"),
        ({"landmarks_xy": [[3, 3]] * 68}, "no face"),
        ({"landmarks_xy": [[10**400, 1]] * 68}, "damaged"),
        ({"x": "left"}, "damaged"),
        ({"x": 10**400}, "damaged"),
    ],
)
def test_damaged_faces_are_refused_and_the_others_read(plate, tmp_path, changes, said):
    path = saved(tmp_path / "a.json", {"anna_000001.png": [face(0, **changes), face(0)], "anna_000099.png": [face(1)]})
    found, refused = read(path, plate)
    assert list(found) == ["anna_000001.png#1"]
    assert said in refused["anna_000001.png#0"] and "no frame 99" in refused["anna_000099.png#0"]


def test_a_number_of_thousands_of_digits_is_no_frame(plate, tmp_path):
    path = saved(tmp_path / "a.json", {f"anna_{'9' * 5000}.png": [face(0)], "anna_000001.png": [face(0)]})
    found, refused = read(path, plate)
    assert list(found) == ["anna_000001.png#0"] and len(refused) == 1


def test_faces_are_read_in_the_order_of_frames_and_again(plate, tmp_path):
    path = saved(tmp_path / "a.json", {f"anna_00000{n}.png": [face(n - 1), face(n - 1)] for n in (3, 1, 2)})
    film = look_through(plate, Fraction(25), Silent())
    reader = FaceswapAlignments(path, Material(film=film))
    places = reader.places()
    assert [place[5:11] for place in places] == ["000001", "000001", "000002", "000002", "000003", "000003"]
    first = [reader.read(place).record.encode() for place in places]
    assert [reader.read(place).record.encode() for place in reversed(places)] == first[::-1]
    reader.close()


@pytest.mark.parametrize("text", ["", "[]", "3", '{"a": 3}', '{"__data__": []}', '{"a": [{"b": 1}]}', "\x00"])
def test_what_is_no_alignments_file_is_refused(plate, tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert not FaceswapAlignments.recognises(tmp_path / "a.json")
    with pytest.raises(DamagedFileError):
        read(tmp_path / "a.json", plate)


def test_without_the_film_there_are_no_crops(tmp_path):
    path = saved(tmp_path / "a.json", {"anna_000001.png": [face(0)]})
    with pytest.raises(ConfigError, match="--frames"):
        import_faces(ImportFacesConfig(path=path, output=tmp_path / "faces"), Recorder())
    assert not (tmp_path / "faces").exists()


def test_masks_are_told_to_be_left_out(faces, tmp_path):
    with Faceset.open(faces) as here:
        here.relabel("000001_0.jpg", FaceLabels(mask_file=b"x"))
    made = write_alignments(Faceset.open(faces), tmp_path / "out", WriteSettings(), Silent())
    assert made.num_faces == COUNT and list(made.left_out) == ["000001_0.jpg"]
