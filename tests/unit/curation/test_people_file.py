import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from drawn_faces import ANNA, BERT
from konterfei.curation.looks import LOOKS_NAME, Looks
from konterfei.curation.people import NEW, People
from konterfei.curation.people_file import PEOPLE_NAME, hold, load, save, to_text
from konterfei.curation.sightings import look
from konterfei.errors import DamagedFileError, FacesetError, StoreError
from konterfei.io.faceset import Faceset
from konterfei.reporting import Silent
from people_material import clip, looks, seen


def some(folders=("/clips/a", "/clips/b", "/clips/c")):
    """People about whom everything was decided that can be."""
    faces = [(0, 1, n, 0) for n in range(6)] + [(1, 2, n, 1) for n in range(4)] + [(1, 1, 50 + n, 2) for n in range(3)]
    sightings = seen(faces + [(2, 3, n, 0) for n in range(2)], folders)
    people = People(0.55, 0.42)
    people.find(sightings, Silent())
    people.name("0", "Zoë")
    people.keep_apart("0", "1")
    people.split("0", sightings, None, Silent())
    people.merge(["1", "2"])
    people.move(people.faces_of(0)[:2], NEW)
    people.portray(sightings)
    return people


def test_what_is_saved_comes_back(tmp_path):
    people = some()
    save(people, tmp_path)
    again = load(tmp_path)
    assert to_text(again, tmp_path) == to_text(people, tmp_path)
    assert (again.members, again.clip_of, again.names) == (people.members, people.clip_of, people.names)
    assert again.decisions == people.decisions and again.next_number == people.next_number
    for number, (mean, weight) in people.portraits.items():
        assert np.abs(again.portraits[number][0] - mean).max() < 1e-4 and again.portraits[number][1] == weight
    assert load(tmp_path / "nothing") is None


def test_every_damage_is_told_with_a_remedy(tmp_path):
    save(some(), tmp_path)
    whole = json.loads((tmp_path / PEOPLE_NAME).read_text())
    texts = ["", "[]", "null", '"x"', "{", "{}", (tmp_path / PEOPLE_NAME).read_text()[:500], "[" * 5000]
    for change in (
        {"version": 2},
        {"format": "konterfei faceset"},
        {"threshold": "much"},
        {"people": 3},
        {"people": [{**whole["people"][0], "number": -1}]},
        {"people": [{**whole["people"][0], "name": 5}]},
        {"people": [{**whole["people"][0], "faces": {"9": ["aa"]}}]},
        {"people": [{**whole["people"][0], "embedding": ["x"]}]},
        {"people": [{**whole["people"][0], "embedding": [float("nan")]}]},
        {"people": [whole["people"][0], {**whole["people"][0], "number": 9}]},
        {"facesets": ["/a"]},
        {"facesets": [[1, 2]]},
        {"decisions": [{}]},
        {"decisions": [{**whole["decisions"][0], "moves": [[0, 1]]}]},
        {"next_number": True},
    ):
        texts.append(json.dumps({**whole, **change}))
    for key in whole:
        texts.append(json.dumps({name: value for name, value in whole.items() if name != key}))
    for text in texts:
        (tmp_path / PEOPLE_NAME).write_text(text)
        with pytest.raises(DamagedFileError, match=r"people\.json' is damaged .*people find"):
            load(tmp_path)
    (tmp_path / PEOPLE_NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DamagedFileError, match="is damaged"):
        load(tmp_path)


def test_a_kill_while_writing_leaves_the_old_state(tmp_path, monkeypatch):
    people = some()
    save(people, tmp_path)
    before = to_text(people, tmp_path)
    people.name("0", "other")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save(people, tmp_path)
    monkeypatch.undo()
    assert to_text(load(tmp_path), tmp_path) == before


def test_facesets_may_move_together_with_the_file_or_stay_behind(tmp_path):
    clip(tmp_path / "film" / "a", {1: ANNA})
    home = tmp_path / "film" / "people"
    home.mkdir()
    people = People(0.55, 0.42)
    people.find(look([Faceset.open(tmp_path / "film" / "a")], Looks(tmp_path, Network), Silent()), Silent())
    save(people, home)
    shutil.move(tmp_path / "film", tmp_path / "archive")
    assert load(tmp_path / "archive" / "people").clips == [tmp_path / "archive" / "a"]
    shutil.move(tmp_path / "archive" / "people", tmp_path / "deep")
    shutil.move(tmp_path / "archive", tmp_path / "film")
    assert load(tmp_path / "deep").clips == [tmp_path / "film" / "a"]


def test_one_at_a_time(tmp_path):
    with hold(tmp_path), pytest.raises(StoreError, match="Another process"):
        hold(tmp_path)


class Network:
    """Sees who it is by the colour of the middle of the crop."""

    calls = 0

    def embed(self, image, landmarks):
        Network.calls += 1
        middle = image[len(image) // 2, len(image) // 2].astype(int)
        return looks(1 if np.abs(middle - ANNA).sum() < 60 else 2, Network.calls)[None]


def test_faces_without_embeddings_are_measured_once(tmp_path):
    facesets = [Faceset.open(clip(tmp_path / name, {who: skin}, with_embedding=False)) for name, who, skin in
                (("a", 1, ANNA), ("b", 2, BERT))]  # fmt: skip
    Network.calls = 0
    looks_of = Looks(tmp_path, Network)
    sightings = look(facesets, looks_of, Silent())
    looks_of.save()
    assert Network.calls == 8
    people = People(0.55, 0.42)
    people.find(sightings, Silent())
    assert [len(people.faces_of(number)) for number in people.numbers] == [4, 4]
    again = look(facesets, Looks(tmp_path, Network), Silent())
    assert Network.calls == 8 and (again.vectors == sightings.vectors).all()
    (tmp_path / LOOKS_NAME).write_bytes(b"PK damaged")
    look(facesets, Looks(tmp_path, Network), Silent())
    assert Network.calls == 16


def test_embeddings_of_different_recognizers_are_refused(tmp_path):
    one = Faceset.open(clip(tmp_path / "a", {1: ANNA}))
    other = Faceset.open(clip(tmp_path / "b", {2: BERT}, with_embedding=False))

    class Short:
        def embed(self, image, landmarks):
            return looks(1, 1)[None, :32]

    with pytest.raises(FacesetError, match="another recognizer"):
        look([one, other], Looks(tmp_path, Short), Silent())


def test_a_face_in_two_facesets_counts_once_whatever_it_is_called(tmp_path):
    one = clip(tmp_path / "a", {1: ANNA})
    shutil.copytree(one, tmp_path / "b")
    for path in sorted((tmp_path / "b").glob("*.jpg")):
        path.rename(path.with_name(f"renamed_{path.name}"))
    found = look([Faceset.open(one), Faceset.open(tmp_path / "b")], Looks(tmp_path, Network), Silent())
    assert len(found) == 4 and set(found.clips) == {0}
    assert set(look([Faceset.open(tmp_path / "b")], Looks(tmp_path, Network), Silent()).digests) == set(found.digests)
    assert found.path(0) == Path(one) / found.names[0]
