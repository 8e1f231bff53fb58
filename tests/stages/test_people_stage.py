"""people: find, edit, forget, on facesets of drawn people."""

import json
import re
import shutil

import pytest

from drawn_faces import ANNA, BERT
from konterfei.curation.people_file import PEOPLE_NAME
from konterfei.errors import Cancelled, ConfigError, DamagedFileError, FacesetError, StoreError, UnknownNameError
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder, Silent
from konterfei.stages.people import (
    PeopleEditConfig,
    PeopleFindConfig,
    PeopleForgetConfig,
    people_edit,
    people_find,
    people_forget,
)
from people_material import clip

CARLA = (90, 150, 110)


@pytest.fixture
def film(tmp_path):
    """Three clips: Anna and Bert, Anna, Carla and Bert."""
    clip(tmp_path / "clips" / "one", {1: ANNA, 2: BERT}, 6)
    clip(tmp_path / "clips" / "two", {1: ANNA}, 5)
    clip(tmp_path / "clips" / "three", {3: CARLA, 2: BERT}, 3)
    return tmp_path


def find(film, *names, reporter=None, **settings):
    places = [film / "clips" / name for name in names] or [film / "clips"]
    config = PeopleFindConfig(facesets=tuple(places), output=film / "people", **settings)
    return people_find(config, reporter or Silent())


def edit(film, reporter=None, **settings):
    return people_edit(PeopleEditConfig(folder=film / "people", **settings), reporter or Silent())


def test_who_is_who_over_all_clips_and_the_page_shows_it(film):
    result = find(film)
    assert result.people == {0: ("", 11), 1: ("", 9), 2: ("", 3)} and not result.was_done
    page = (film / "people" / "people.html").read_text()
    assert page.count('<img src="data:image') == (8 + 5) + (8 + 5) + 3
    assert "one.mp4 ('one'): 6 faces, 0:00.0-0:00.2; --person 0 there" in page.replace("&#x27;", "'")
    assert any("konterfei people export" in line for line in result.summary())


def test_the_same_again_does_nothing_and_clips_are_added(film):
    find(film, "one", "two")
    edit(film, name=("1=Bert",))
    reporter = Recorder()
    before = (film / "people" / PEOPLE_NAME).read_bytes()
    assert find(film, "one", "two", reporter=reporter).was_done and "Nothing to do" in reporter.notes[0]
    assert (film / "people" / PEOPLE_NAME).read_bytes() == before
    assert find(film, "three").people == {0: ("", 11), 1: ("Bert", 9), 2: ("", 3)}


def test_renamed_crops_stay_whose_they_are_and_deleted_ones_leave(film):
    find(film)
    edit(film, merge=("0,2",))
    crops = sorted((film / "clips" / "two").glob("*.jpg"))
    crops[0].unlink()
    crops[1].rename(crops[1].with_name("my favourite.jpg"))
    assert find(film, "two").people == {0: ("", 13), 1: ("", 9)}


def test_everything_at_once_or_nothing(film):
    find(film)
    face = next(path for path in sorted((film / "clips" / "one").glob("*.jpg")))
    before = (film / "people" / PEOPLE_NAME).read_bytes()
    with pytest.raises(UnknownNameError, match="no person named '9'"):
        edit(film, merge=("0,2",), name=("9=x",))
    assert (film / "people" / PEOPLE_NAME).read_bytes() == before
    reporter = Recorder()
    result = edit(film, reporter, merge=("0,2",), move=(f"{face}=1",), apart=("0,1",), name=("0=Anna", "1=Bert"))
    assert result.people == {0: ("Anna", 13), 1: ("Bert", 10)}
    assert [note.split()[-1] for note in reporter.notes] == ["one.", "1.", "same.", "Anna.", "Bert."]
    for _ in range(5):
        edit(film, undo=True)
    assert (film / "people" / PEOPLE_NAME).read_bytes() == before


def test_a_face_moves_alone_or_with_its_track(film):
    find(film)
    face = film / "clips" / "two" / "000002_0.jpg"
    assert edit(film, move=(f"{face}=new",)).people == {0: ("", 10), 1: ("", 9), 2: ("", 3), 3: ("", 1)}
    edit(film, undo=True)
    assert edit(film, move=(f"{face}=2",), track=True).people == {1: ("", 9), 2: ("", 8), 0: ("", 6)}


def test_a_person_is_split_and_the_parts_are_not_suggested(film):
    find(film)
    edit(film, merge=("0,1,2",))
    result = edit(film, split="0")
    assert sorted(count for _, count in result.people.values()) == [3, 9, 11]
    assert not any("--merge" in line for line in result.lines)
    edit(film, undo=True)
    assert len(edit(film, split="0", into=2).people) == 2


def test_a_faceset_out_of_reach_is_told_and_its_people_stay(film):
    find(film)
    shutil.move(film / "clips" / "three", film / "away")
    reporter = Recorder()
    assert find(film, "one", reporter=reporter).people == {0: ("", 11), 1: ("", 9), 2: ("", 3)}
    assert any("three" in warning and "kept" in warning for warning in reporter.warnings)
    assert "No face in the facesets that can be read now." in (film / "people" / "people.html").read_text()
    with pytest.raises(FacesetError, match="three' is no faceset"):
        find(film, "three")


def test_another_threshold_holds_for_new_faces_unless_all_is_found_anew(film):
    find(film)
    edit(film, name=("1=Bert",))
    reporter = Recorder()
    assert len(find(film, threshold=0.99, reporter=reporter).people) == 3 and "--anew" in reporter.notes[0]
    result = find(film, threshold=0.99, anew=True)
    assert result.people[1] == ("Bert", 9) and 0 not in result.people and len(result.people) > 3


def test_stopping_leaves_the_old_state(film):
    find(film, "one", "two")
    before = (film / "people" / PEOPLE_NAME).read_bytes()
    reporter = Recorder()
    reporter.stop = True
    with pytest.raises(Cancelled):
        find(film, reporter=reporter)
    assert (film / "people" / PEOPLE_NAME).read_bytes() == before
    assert find(film).people == {0: ("", 11), 1: ("", 9), 2: ("", 3)}


def test_a_kill_before_the_page_is_drawn_is_made_good(film, monkeypatch):
    from konterfei.stages import people as stage

    find(film, "one")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "draw", killed)
    with pytest.raises(KeyboardInterrupt):
        find(film)
    monkeypatch.undo()
    assert ">3 people<" not in (film / "people" / "people.html").read_text()
    assert find(film).was_done
    assert ">3 people<" in (film / "people" / "people.html").read_text()


def test_forgetting_one_and_everybody(film):
    find(film)
    edit(film, name=("0=Anna", "1=Bert"))
    result = people_forget(PeopleForgetConfig(folder=film / "people", person=("Anna",)), Silent())
    text = (film / "people" / PEOPLE_NAME).read_text()
    assert "Anna" not in text and "Bert" in text and result.people == {1: ("Bert", 9), 2: ("", 3)}
    assert any(str(film / "clips" / "two") in line for line in result.lines)
    assert not (film / "people" / "people.html").exists()
    assert find(film).people == {3: ("", 11), 1: ("Bert", 9), 2: ("", 3)}
    people_forget(PeopleForgetConfig(folder=film / "people"), Silent())
    assert [path.name for path in (film / "people").iterdir()] == [".people.lock"]
    assert len(Faceset.open(film / "clips" / "one")) == 12


def test_a_damaged_file_is_refused_and_can_be_forgotten(film):
    find(film)
    (film / "people" / PEOPLE_NAME).write_text("{")
    for command in (lambda: find(film), lambda: edit(film)):
        with pytest.raises(DamagedFileError, match="Restore it"):
            command()
    people_forget(PeopleForgetConfig(folder=film / "people"), Silent())
    assert len(find(film).people) == 3


def test_refusals_name_the_remedy(film):
    for folder in (film, film / "nowhere"):
        for command in (people_edit, people_forget):
            config = {people_edit: PeopleEditConfig, people_forget: PeopleForgetConfig}[command]
            with pytest.raises(StoreError, match="konterfei people find"):
                command(config(folder=folder), Silent())
    assert not (film / "nowhere").exists()
    with pytest.raises(FacesetError, match=r"holds none.*--person all"):
        find(film, "four")
    find(film, "one")
    with pytest.raises(ConfigError, match="no such file"):
        edit(film, move=("nothing.jpg=1",))
    stranger = next((film / "clips" / "two").glob("*.jpg"))
    with pytest.raises(ConfigError, match=re.escape(f"people find {film / 'clips' / 'two'}")):
        edit(film, move=(f"{stranger}=1",))


def test_faces_of_another_recognizer_are_refused_and_edited_as_they_are(film):
    header = film / "clips" / "one" / "faceset.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"settings": {"recognizer": "faceres"}}))
    with pytest.raises(FacesetError, match=r"by faceres, not by mobilefacenet.*--recognizer faceres"):
        find(film, "one")
    assert find(film, "one", recognizer="faceres").people == {0: ("", 6), 1: ("", 6)}
    assert edit(film, name=("1=Bert",)).people == {0: ("", 6), 1: ("Bert", 6)}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"into": 3}, "--split"),
        ({"split": "1", "into": 1}, "--into is 1"),
        ({"track": True}, "--move"),
        ({"undo": True, "split": "1"}, "by itself"),
        ({"move": ("a.jpg",)}, "--move is 'a.jpg'"),
        ({"name": ("=anna",)}, "--name is '=anna'"),
        ({"apart": ("3",)}, "--apart is '3'"),
    ],
)
def test_nonsense_is_refused_before_anything_is_read(tmp_path, settings, told):
    with pytest.raises(ConfigError, match=told):
        PeopleEditConfig(folder=tmp_path, **settings)


def test_settings_of_find_that_make_no_sense(tmp_path):
    with pytest.raises(ConfigError, match="--threshold"):
        PeopleFindConfig(facesets=(tmp_path,), output=tmp_path, threshold=1.5)
    with pytest.raises(ConfigError, match="at least one faceset"):
        PeopleFindConfig(facesets=(), output=tmp_path)
