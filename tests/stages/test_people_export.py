"""people export and people outliers, on facesets of drawn people."""

import shutil

import numpy as np
import pytest

from drawn_faces import ANNA, BERT
from konterfei.curation.people_file import load
from konterfei.errors import Cancelled, ConfigError, FacesetError
from konterfei.io.face_labels import FaceLabels, Polygon
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder, Silent
from konterfei.stages.people import PeopleEditConfig, PeopleFindConfig, people_edit, people_find
from konterfei.stages.people_export import PeopleExportConfig, people_export
from konterfei.stages.people_outliers import PeopleOutliersConfig, people_outliers
from people_material import clip


@pytest.fixture
def film(tmp_path):
    """Two clips, in folders of one name: Anna and Bert, Anna."""
    clip(tmp_path / "one" / "faces", {1: ANNA, 2: BERT}, 6)
    clip(tmp_path / "two" / "faces", {1: ANNA}, 5)
    find(tmp_path)
    people_edit(PeopleEditConfig(folder=tmp_path / "people", name=("0=Anna",)), Silent())
    return tmp_path


def find(film):
    places = tuple(film / name for name in ("one", "two"))
    people_find(PeopleFindConfig(facesets=places, output=film / "people"), Silent())


def export(film, reporter=None, **settings):
    return people_export(
        PeopleExportConfig(folder=film / "people", output=film / "out", **settings), reporter or Silent()
    )


def test_a_faceset_for_each_person_pooled_from_all_clips(film):
    labels = FaceLabels(polygons=(Polygon(points=np.array([[1, 1], [9, 1], [5, 9]], np.float32), include=True),))
    with Faceset.open(film / "two" / "faces") as faceset:
        faceset.relabel(faceset.names()[0], labels)
    result = export(film)
    assert result.facesets == {film / "out" / "Anna": 11, film / "out" / "person-1": 6} and result.num_added == 17
    made = Faceset.open(film / "out" / "Anna")
    assert made.header.source == "" and {record.source for record in made.records()} == {"faces.mp4"}
    assert len(made.labelled()) == 1 and not made.damaged and not made.duplicates
    crops = list((film / "out" / "Anna").glob("*.jpg"))
    assert all(path.stat().st_nlink == 2 for path in crops)


def test_the_same_again_does_nothing_and_deleted_crops_stay_away(film):
    export(film)
    next((film / "out" / "Anna").glob("*.jpg")).unlink()
    reporter = Recorder()
    result = export(film, reporter)
    assert (result.facesets[film / "out" / "Anna"], result.num_added, result.num_left_out) == (10, 0, 1)
    assert any("Nothing to do" in note for note in reporter.notes)


def test_what_is_somebody_elses_by_now_goes_to_the_trash_and_comes_to_them(film):
    export(film)
    face = sorted((film / "two" / "faces").glob("*.jpg"))[0]
    people_edit(PeopleEditConfig(folder=film / "people", move=(f"{face}=1",)), Silent())
    result = export(film)
    assert result.facesets == {film / "out" / "Anna": 10, film / "out" / "person-1": 7}
    assert (result.num_added, result.num_set_aside) == (1, 1)
    people_edit(PeopleEditConfig(folder=film / "people", undo=True), Silent())
    assert export(film).facesets == {film / "out" / "Anna": 11, film / "out" / "person-1": 6}


def test_a_folder_follows_the_name_of_its_person(film):
    export(film, person=("1",))
    people_edit(PeopleEditConfig(folder=film / "people", name=("1=Bert",)), Silent())
    assert export(film, person=("Bert",)).facesets == {film / "out" / "Bert": 6}
    assert [path.name for path in (film / "out").iterdir()] == ["Bert"]


def test_what_was_exported_is_not_found_as_a_clip(film):
    export(film)
    for name in ("Anna", "person-1"):
        (film / "out" / name).rename(film / "one" / name)
    find(film)
    assert [folder.name for folder in load(film / "people").clips] == ["faces", "faces"]


def test_copies_where_links_are_not_wanted_or_cannot_be(film, monkeypatch):
    export(film, person=("Anna",), copy=True)
    assert all(path.stat().st_nlink == 1 for path in (film / "out" / "Anna").glob("*.jpg"))

    def refused(*_):
        raise OSError(18, "another disk")

    monkeypatch.setattr("os.link", refused)
    assert export(film, person=("1",)).facesets == {film / "out" / "person-1": 6}


def test_stopped_it_goes_on(film):
    reporter = Recorder()
    calls = iter(range(100))
    reporter.take_stop = lambda: next(calls) == 4
    with pytest.raises(Cancelled):
        export(film, reporter, person=("Anna",))
    there = len(list((film / "out" / "Anna").glob("*.jpg")))
    assert 0 < there < 11
    assert export(film, person=("Anna",)).num_added == 11 - there
    assert len(Faceset.open(film / "out" / "Anna")) == 11


def test_crops_of_different_kinds_are_refused_before_anything_is_written(film):
    shutil.rmtree(film / "two" / "faces")
    clip(film / "two" / "faces", {1: ANNA}, 5, size=64)
    find(film)
    with pytest.raises(FacesetError, match=r"Anna \(0\) are of different kinds.*64 px"):
        export(film)
    assert not (film / "out").exists()


def test_another_faceset_in_the_way_is_not_touched(film):
    clip(film / "out" / "Anna", {2: BERT}, 2)
    with pytest.raises(FacesetError, match="not an export"):
        export(film)
    assert len(Faceset.open(film / "out" / "Anna")) == 2


def test_an_export_of_other_people_is_not_touched(film):
    export(film)
    other = film / "other"
    clip(other / "one" / "faces", {7: BERT}, 2)
    people_find(PeopleFindConfig(facesets=(other / "one",), output=other / "people"), Silent())
    people_edit(PeopleEditConfig(folder=other / "people", name=("0=Anna",)), Silent())
    with pytest.raises(FacesetError, match="not an export"):
        people_export(PeopleExportConfig(folder=other / "people", output=film / "out"), Silent())
    assert len(Faceset.open(film / "out" / "Anna")) == 11


@pytest.mark.parametrize("text", ["", "[1]", '{"person": 0}', '{"person": "0", "faces": 3}'])
def test_where_it_is_not_known_what_was_exported_nothing_is_touched(film, text):
    export(film, person=("Anna",))
    (film / "out" / "Anna" / "exported.json").write_text(text)
    with pytest.raises(FacesetError, match="not an export"):
        export(film, person=("Anna",))
    assert len(Faceset.open(film / "out" / "Anna")) == 11


def test_people_with_few_faces_are_left_out(film):
    assert list(export(film, least=7).facesets) == [film / "out" / "Anna"]
    with pytest.raises(FacesetError, match=r"Nobody.*50 faces"):
        export(film, least=50)


def outliers(folder, **settings):
    return people_outliers(PeopleOutliersConfig(faceset=folder, **settings), Silent())


def test_strangers_come_first_and_can_be_set_aside_and_taken_back(tmp_path):
    folder = clip(tmp_path / "faces", {1: ANNA}, 8)
    for path in clip(tmp_path / "other", {2: BERT}, 3).glob("*.jpg"):
        path.rename(folder / f"b_{path.name}")
    result = outliers(folder)
    assert set(result.strangers) == {f"b_00000{n}_0.jpg" for n in range(3)} and result.unsure == ()
    assert set(list(result.faces)[:3]) == set(result.strangers) and len(result.faces) == 11
    assert list(result.faces.values())[3:] == sorted(list(result.faces.values())[3:])
    assert (folder / "outliers.html").read_text().count("<img") == 11
    assert len(Faceset.open(folder)) == 11 and "--set-aside" in result.summary()[-1]
    result = outliers(folder, set_aside=True)
    assert len(result.set_aside) == 3 and len(Faceset.open(folder)) == 8
    assert outliers(folder, set_aside=True).batch == 0
    with Faceset.open(folder) as faceset:
        assert len(faceset.take_back([result.batch])) == 3
    assert len(Faceset.open(folder)) == 11


def test_below_takes_single_faces_too(tmp_path):
    folder = clip(tmp_path / "faces", {1: ANNA}, 8)
    least, second = list(outliers(folder).faces.items())[:2]
    result = outliers(folder, set_aside=True, below=(least[1] + second[1]) / 2, output=tmp_path / "look.html")
    assert result.set_aside == (least[0],) and (tmp_path / "look.html").exists()
    with pytest.raises(ConfigError, match="--below"):
        outliers(folder, below=0.5)
