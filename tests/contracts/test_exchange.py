"""Every format that faces come in or go out in."""

from fractions import Fraction

import pytest

from drawn_faces import ANNA, faceset, landmarks, picture
from konterfei.exchange import FACE_READERS, FACE_WRITERS, Material, NotTakenError, WriteSettings
from konterfei.exchange.film import look_through
from konterfei.io.face_labels import FaceLabels, Polygon
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.reporting import Recorder, Silent

WHOLE_FILES = {"faceswap"}
"""Formats that are one text: damage is told of the whole."""
LABELS = {"coco", "masks"}
"""Formats of labels: a crop without any is not in them."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return faceset(tmp_path_factory.mktemp("exchange") / "anna", count=3)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = faceset(tmp_path_factory.mktemp("exchange") / "anna", count=3)
    with Faceset.open(folder) as made:
        for name in made.names():
            made.relabel(name, FaceLabels(polygons=(Polygon([[10, 10], [60, 12], [40, 70]]),)))
    return folder


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """The frames that the faces were found in."""
    folder = tmp_path_factory.mktemp("exchange") / "frames"
    for index in range(3):
        write_image(folder / f"{index:04d}.png", picture(landmarks(index, 3), ANNA))
    return Material(film=look_through(folder, Fraction(25), Silent()))


@pytest.mark.parametrize("name", FACE_WRITERS)
def test_writers_write_the_same_again_and_tell_how_far_they_are(name, faces, labelled, tmp_path):
    faces = labelled if name in LABELS else faces
    writer, reporter = FACE_WRITERS.load(name), Recorder()
    made = writer(Faceset.open(faces), tmp_path / "out", WriteSettings(), reporter)
    assert (made.num_faces, made.left_out) == (3, {})
    assert reporter.tasks
    assert all(path.exists() for path in made.files)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before
    again = writer(Faceset.open(faces), tmp_path / "out", WriteSettings(), Silent())
    assert again == made
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", sorted(set(FACE_READERS) & set(FACE_WRITERS)))
def test_what_is_written_is_recognised_and_read(name, faces, material, tmp_path):
    here = Faceset.open(faces)
    FACE_WRITERS.load(name)(here, tmp_path / "out", WriteSettings(), Silent())
    recognising = [each for each in FACE_READERS if FACE_READERS.load(each).recognises(tmp_path / "out")]
    assert recognising[0] == name
    reader = FACE_READERS.load(name)(tmp_path / "out", material if FACE_READERS.load(name).cuts else Material())
    places = list(reader.places())
    assert len(places) == len(set(places)) == 3
    found = [reader.read(place) for place in places]
    assert [face.place for face in found] == places
    assert {face.record.frame_index for face in found} == {0, 1, 2}
    assert [face.record.encode() for face in found] == [reader.read(place).record.encode() for place in places]
    reader.close()


@pytest.mark.parametrize("name", FACE_READERS)
def test_readers_do_not_recognise_what_is_not_theirs(name, tmp_path):
    reader = FACE_READERS.load(name)
    (tmp_path / "film.mp4").write_bytes(b"0")
    assert not reader.recognises(tmp_path / "film.mp4")
    assert not reader.recognises(tmp_path / "nothing")


@pytest.mark.parametrize("name", sorted(set(FACE_READERS) & set(FACE_WRITERS) - WHOLE_FILES))
def test_damage_is_told_of_the_face_and_ends_nothing(name, faces, tmp_path):
    FACE_WRITERS.load(name)(Faceset.open(faces), tmp_path, WriteSettings(), Silent())
    (path,) = [path for path in sorted(tmp_path.iterdir()) if path.is_file()][-1:]
    path.write_bytes(path.read_bytes()[:-400])
    reader = FACE_READERS.load(name)(tmp_path, Material())
    places, refused = list(reader.places()), []
    for place in places:
        try:
            reader.read(place)
        except NotTakenError as error:
            refused.append((place, str(error)))
    assert [place for place, _ in refused] == [places[-1]]
    assert len(refused[0][1]) > 10
    reader.close()
