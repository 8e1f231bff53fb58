"""Who is who over real clips."""

import pytest

from konterfei.curation.people_file import load
from konterfei.reporting import Silent
from konterfei.stages.extract import ExtractConfig, extract
from konterfei.stages.people import PeopleFindConfig, people_find

WHO = {
    "pyfeat_single_face.mp4": "one",
    "pyfeat_noface_face.mov": "one",
    "asl_want.mkv": "two",
    "asl_hungry.mkv": "two",
    "asl_thanks.mkv": "three",
}
"""Clip -> the person in it. The last two are alike: same room, same light, small faces."""


@pytest.mark.media
def test_a_person_is_one_over_clips_and_others_are_others(media, tmp_path):
    for name in WHO:
        config = ExtractConfig(
            video=media(name), output=tmp_path / "faces" / name, person="all", every_nth=12, size=64, threads=1
        )
        extract(config, Silent())
    result = people_find(PeopleFindConfig(facesets=(tmp_path / "faces",), output=tmp_path / "people"), Silent())
    people = load(tmp_path / "people")
    found = {
        number: {WHO[people.clips[people.clip_of[digest]].name] for digest in people.faces_of(number)}
        for number in result.people
    }
    assert sorted(map(sorted, found.values())) == [["one"], ["three"], ["two"]]
