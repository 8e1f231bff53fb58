"""trash: aside, listed, back, and deleted only when asked for twice."""

import json
import shutil
from dataclasses import replace

import pytest

from drawn_faces import BERT, faceset
from konterfei.errors import ConfigError, FacesetError, NoFacesError
from konterfei.geometry import FaceType
from konterfei.io.embedded import extract
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from konterfei.stages.trash import TrashConfig, trash


def run(folder, *names, **settings):
    return trash(TrashConfig(faceset=folder, names=names, **settings), Recorder())


@pytest.fixture
def faces(tmp_path):
    return faceset(tmp_path / "anna", count=12)


def left(folder):
    return [int(name[:6]) for name in Faceset.open(folder, allow_empty=True).names()]


def test_names_and_patterns_go_and_come_back(faces):
    before = Faceset.open(faces).content_hash()
    made = run(faces, "000003_0.jpg", "00000[67]*", why="blurred")
    assert (made.num_moved, made.batch) == (3, 1) and "--restore 1" in made.summary()[0]
    assert left(faces) == [0, 1, 2, 4, 5, 8, 9, 10, 11]
    assert run(faces, "00001?_0.jpg").num_moved == 2
    (head, first, second) = run(faces, list=True).summary()
    assert "5 crops" in head and "blurred" in first and "by hand" in second
    assert run(faces, "00001*", restore="names").num_moved == 2
    assert run(faces, restore="1").num_moved == 3
    assert Faceset.open(faces).content_hash() == before
    assert "empty" in run(faces, list=True).summary()[0]
    assert "Nothing to do" in run(faces, restore="all").summary()[0]


def test_what_a_person_deleted_from_a_copy_is_set_aside(faces, tmp_path):
    """Files are known by their content: the copy is numbered otherwise, as an exported order is."""
    copy = tmp_path / "ordered"
    copy.mkdir()
    for place, name in enumerate(reversed(Faceset.open(faces).names())):
        shutil.copy(faces / name, copy / f"{place:05d}.jpg")
    for place in (0, 5):  # frames 11 and 6
        (copy / f"{place:05d}.jpg").unlink()
    (copy / "mine.jpg").write_bytes(b"not a crop")
    assert run(faces, not_in=copy).num_moved == 2
    assert left(faces) == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert run(faces, list=True).summary()[1].strip().startswith("1") and "ordered" in run(faces, list=True).lines[1]
    assert "Nothing to do" in run(faces, not_in=copy).summary()[0]
    other = faceset(tmp_path / "bert", BERT)
    with pytest.raises(NoFacesError, match="none of the crops"):
        run(faces, not_in=other)
    with pytest.raises(FacesetError, match="no folder"):
        run(faces, not_in=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="itself"):
        run(faces, not_in=faces)
    assert len(left(faces)) == 10


def test_emptying_says_first_and_deletes_only_for_good(faces):
    run(faces, "00000*")
    said = run(faces, empty=True)
    assert said.num_moved == 0 and "10 crops" in said.summary()[0] and "--for-good" in said.summary()[0]
    assert len(list((faces / "trash").glob("*.jpg"))) == 10
    assert run(faces, empty=True, for_good=True).num_moved == 10
    assert not list((faces / "trash").iterdir())
    assert "Nothing to do" in run(faces, empty=True, for_good=True).summary()[0]
    assert left(faces) == [10, 11]


@pytest.mark.parametrize(
    ("names", "settings", "said"),
    [
        ((), {}, "Say which crops"),
        (("a",), {"list": True}, "takes no names"),
        ((), {"list": True, "empty": True}, "exclude"),
        ((), {"for_good": True, "list": True}, "goes with --empty"),
        ((), {"restore": "names"}, "needs names"),
        ((), {"restore": "last"}, "allowed: all, names, numbers"),
    ],
)
def test_what_makes_no_sense_is_refused(faces, names, settings, said):
    with pytest.raises(ConfigError, match=said):
        run(faces, *names, **settings)


def test_unknown_names_and_numbers_move_nothing(faces):
    with pytest.raises(NoFacesError, match="nobody"):
        run(faces, "000001_0.jpg", "nobody*")
    assert len(left(faces)) == 12
    run(faces, "000001_0.jpg")
    with pytest.raises(NoFacesError, match="number 7"):
        run(faces, restore="1,7")
    assert len(left(faces)) == 11


def test_crops_of_another_size_stay_in_the_trash_and_it_is_said_why(faces):
    run(faces, "000003_0.jpg", "000004_0.jpg")
    header = json.loads((faces / "faceset.json").read_text())
    strange = faceset(faces.parent / "larger", count=1, face_type=FaceType.FULL)
    shutil.copy(strange / "000000_0.jpg", faces / "trash" / "larger.jpg")
    result = trash(TrashConfig(faceset=faces, restore="all"), recorder := Recorder())
    assert result.num_moved == 2 and len(Faceset.open(faces)) == 12
    assert not Faceset.open(faces).damaged and (faces / "trash" / "larger.jpg").exists()
    assert f"{header['size']} px 'full', the faceset now holds {header['size']} px 'whole'" in recorder.warnings[-1]


def test_a_face_that_is_there_again_is_told(faces):
    run(faces, "000003_0.jpg")
    with Faceset.open(faces) as there:
        old = FaceRecord.decode(extract((faces / "trash" / "000003_0.jpg").read_bytes()).text)
        there.add(there.image("000004_0.jpg"), replace(old, sharpness=old.sharpness + 1))
    trash(TrashConfig(faceset=faces, restore="all"), recorder := Recorder())
    assert "1 of them show a face that the faceset has another crop of" in recorder.warnings[-1]


def test_an_empty_faceset_says_what_lies_in_its_trash(tmp_path):
    folder = faceset(tmp_path / "von Jörg", count=2)
    lines = run(folder, "0*").summary()
    assert f"konterfei trash '{folder}' --restore 1" in lines[0]
    with pytest.raises(FacesetError, match=r"holds no faces. 2 lie in its trash: konterfei trash '.*' --restore all"):
        Faceset.open(folder)
    assert "kB" in run(folder, list=True).summary()[0]
