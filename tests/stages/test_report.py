"""The report of a faceset, alone and for a shot: what it says, that it holds, that it is a sound page."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from drawn_faces import BERT
from konterfei.errors import ConfigError, FacesetError
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from konterfei.stages import _page_album
from konterfei.stages.report import ReportConfig, report
from posed_faces import Posed, faceset

SOURCE = [Posed(yaw=-20 + n, mouth=4 * (n % 4), shift=(n, 0)) for n in range(40)]
SHOT = [replace(SOURCE[n], mouth=0) for n in range(20)] + [Posed(yaw=50) for _ in range(15)]
VOID = {"meta", "img", "br", "line", "rect", "!doctype"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.tags, self.words = [], [], set(), []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("report")
    faces = [*SOURCE, *SOURCE[30:33]]
    faces[5], faces[9] = replace(faces[5], skin=BERT), replace(faces[9], blur=3.0)
    return {"src": faceset(place / "anna <b>&'", faces), "dst": faceset(place / "shot", SHOT)}


def made(tmp_path, folders, **changes):
    config = ReportConfig(**{"faceset": folders["src"], "output": tmp_path / "r.html", **changes})
    result = report(config, Recorder())
    return result, Page(result.page.read_text("utf-8")), json.loads(result.figures.read_text("utf-8"))


def test_what_is_wrong_is_on_the_page_and_in_the_figures(tmp_path, folders):
    result, page, figures = made(tmp_path, folders)
    found = {name: [face["name"] for face in item["faces"]] for name, item in figures["suspicious"].items()}
    assert found["other_person"] == ["000005_0.jpg"] and found["blurred"] == ["000009_0.jpg"]
    words = " ".join(page.words)
    assert "another person: 1" in words and "blurred: 1" in words and "000005_0.jpg" in words
    assert figures["duplicates"]["faces"] == 3
    assert sum(map(sum, figures["poses"]["counts"])) == 42  # all but the other person
    assert figures["verdict"]["level"] == result.level
    assert any("another person: 1" in line for line in result.summary())


def test_the_page_is_sound(tmp_path, folders):
    result, page, _ = made(tmp_path, folders, for_=folders["dst"])
    text = result.page.read_text("utf-8")
    assert page.images and all(image["alt"] and image["src"].startswith("data:image/jpeg") for image in page.images)
    assert "script" not in page.tags and "http" not in text.replace("http-equiv", "")
    assert "anna <b>" not in text and "anna &lt;b&gt;&amp;" in text
    assert "prefers-color-scheme: dark" in text
    assert {"h1", "h2", "table", "svg"} <= page.tags


def test_equal_facesets_give_equal_pages(tmp_path, folders):
    first, _, _ = made(tmp_path, folders, for_=folders["dst"], output=tmp_path / "a.html")
    again, _, _ = made(tmp_path, folders, for_=folders["dst"], output=tmp_path / "b.html")
    assert first.page.read_bytes() == again.page.read_bytes()
    assert first.figures.read_bytes() == again.figures.read_bytes()


def test_what_the_shot_has_and_src_lacks_is_said_with_its_frames(tmp_path, folders):
    _, page, figures = made(tmp_path, folders, for_=folders["dst"])
    (gap,) = figures["shot"]["lacking"]
    assert (gap["kind"], gap["faces"], gap["from_frame"], gap["to_frame"]) == ("pose", 15, 20, 34)
    assert gap["from_seconds"] == 0.8 and gap["nearest"] == "000039_0.jpg"
    assert figures["shot"]["coverage"]["all"] == pytest.approx(20 / 35, abs=1e-4)
    assert "50 degrees to the left" in gap["told"] and "31 degrees away" in gap["told"]
    assert gap["told"] in " ".join(page.words)
    names = [item["name"] for item in figures["verdict"]["criteria"]]
    assert "coverage" in names and "yaw_span" not in names


def test_the_figures_have_the_documented_keys(tmp_path, folders):
    _, _, figures = made(tmp_path, folders, for_=folders["dst"])
    assert (figures["format"], figures["version"]) == ("konterfei faceset report", 1)
    assert set(figures) == {
        *("format", "version", "konterfei", "faceset", "verdict", "poses", "axes", "suspicious", "duplicates", "shot")
    }
    assert figures["faceset"]["content"] == Faceset.open(folders["src"]).content_hash()
    assert figures["axes"]["mouth_open"]["quantiles"]["50%"] > 0.05


def test_a_page_that_is_full_goes_on_in_grey(tmp_path, folders, monkeypatch):
    full, everything, _ = made(tmp_path, folders)
    monkeypatch.setattr(_page_album, "MOST_BYTES", 1)
    small, page, _ = made(tmp_path, folders, output=tmp_path / "small.html")
    assert small.page.stat().st_size < full.page.stat().st_size
    assert len(page.images) == len(everything.images) and len({image["src"] for image in page.images}) == 2


def test_nonsense_is_refused(tmp_path, folders):
    with pytest.raises(ConfigError, match="--output"):
        ReportConfig(faceset=folders["src"], output=tmp_path / "r.pdf")
    with pytest.raises(ConfigError, match="--for is the faceset itself"):
        ReportConfig(faceset=folders["src"], for_=folders["src"])
    with pytest.raises(FacesetError):
        report(ReportConfig(faceset=tmp_path / "none", output=tmp_path / "r.html"), Recorder())
    assert not (tmp_path / "r.html").exists()
