"""The page of an evaluation: all is on it, it is sound, and it says what the figures say."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from evaluated_material import PEOPLE, evaluated, rows_of, seen
from konterfei.curation.verdict import Level
from konterfei.metrics import METRICS, Fault, confidence
from konterfei.metrics.evaluation import measure, unswapped
from konterfei.reporting import Silent
from konterfei.stages import _evaluate_page_charts as charts
from konterfei.stages._evaluate_networks import networks_of
from konterfei.stages._evaluate_page import page_of
from konterfei.stages._evaluate_page_verdict import LIMITS, number, seen_faults, verdicts
from konterfei.stages._evaluate_writing import _plain
from konterfei.weights.bases import BASES, BaseRecord

VOID = {"meta", "img", "br", "line", "rect", "path", "circle", "input", "!doctype"}
HOSTILE = "<script>alert('1')</script>\"&.mp4"


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order; every id is there once."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.tags, self.words, self.ids, self.links = [], [], [], [], [], []
        self.feed(text)
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))
        assert {link[1:] for link in self.links} <= set(self.ids)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "img":
            self.images.append(found)
        if tag == "a":
            self.links.append(found["href"])
        if tag == "label":
            assert found["for"] in self.ids
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def one():
    return evaluated(name="good.mp4", strength=0.3)


@pytest.fixture(scope="module")
def two(one):
    return [one, evaluated(name="bad.mp4", strength=1.2, seed=9, plate=one.plate)]


@pytest.fixture(scope="module")
def single_page(one):
    return Page(page_of([one], Silent()))


@pytest.fixture(scope="module")
def double_page(two):
    return Page(page_of(two, Silent()))


@pytest.fixture(autouse=True, scope="module")
def few_draws():
    """Intervals are not what is tested here."""
    patch = pytest.MonkeyPatch()
    patch.setattr(confidence, "RESAMPLES", 60)
    yield
    patch.undo()


def sound(text):
    """Nothing that runs, nothing from outside, a policy that forbids both."""
    assert "<script" not in text
    assert not re.search(r"\son\w+=", text)
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,|#)", text)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    return Page(text)


def test_every_metric_is_there_with_its_whole_definition(single_page, one):
    for name in METRICS:
        assert name.replace("_", " ") in single_page.text
        for block in one.definition(name).split("\n\n"):
            assert "".join(block.replace("`", "").split()) in "".join(single_page.text.split())
        for part in one.measurements[name].parts:
            assert part.replace("_", " ") in single_page.text


def test_figures_stand_with_their_intervals(single_page, one):
    found, interval = one.measurements["identity"], one.intervals["identity"]
    value, *rest = number(found.value, interval, "").split(" ", 1)
    assert value in single_page.text
    assert rest[0] in single_page.text
    assert rest[0].startswith("(0.")


def test_how_it_was_measured_is_there(single_page, one):
    assert one.about["inputs"]["video"]["sha256"] in single_page.text
    assert "Two of `all` the frames were left out." in single_page.text
    assert "resamples" in single_page.text
    for network in networks_of(one.about):
        assert network["sha256"] in single_page.text
        assert network["licence"] in single_page.text
        assert "".join(network["limits"].replace("`", "").split()) in "".join(single_page.text.split())


def test_the_pages_are_sound(one, two):
    for shown in ([one], two):
        sound(page_of(shown, Silent()))


def test_pictures_say_what_they_are(single_page, double_page):
    for page in (single_page, double_page):
        assert len(page.images) > 20
        assert all(image["alt"] and image["src"].startswith("data:image/jpeg;base64,") for image in page.images)
    assert any("bad.mp4, frame" in image["alt"] for image in double_page.images)
    assert any(image["alt"].startswith("plate, frame") for image in double_page.images)


def test_a_wipe_can_be_done_by_hand_and_by_buttons(single_page):
    assert single_page.tags.count("input") >= 3
    assert "drag the corner" in single_page.text
    assert "choose one picture with the buttons" in single_page.text


def test_hostile_names_are_shown_as_they_are(one):
    words = {**one.measurements, HOSTILE: one.measurements["identity"]}
    faults = {HOSTILE: Fault(np.full(60, 5.0), 1.0)}
    words["jitter"] = replace(one.measurements["jitter"], faults=faults)
    hostile = replace(
        one,
        name=HOSTILE,
        about={"inputs": {"src": {"name": HOSTILE}, "plate": {"path": HOSTILE}}, "settings": {HOSTILE: HOSTILE}},
        measurements=words,
        definitions={HOSTILE: HOSTILE},
    )
    page = sound(page_of([hostile], Silent()))
    assert page.text.count("<script>alert") > 5
    assert sound(page_of([one, replace(hostile, plate=one.plate, measurements=one.measurements)], Silent()))


def test_equal_measurements_give_equal_pages(one):
    assert page_of([one], Silent()) == page_of([replace(one)], Silent())


def test_it_is_small_however_long_the_video_is(one):
    plate, random = seen(4000), np.random.default_rng(1)
    found = {
        name: replace(
            found,
            per_frame=random.normal(size=4000),
            faults={"odd": Fault(random.normal(size=4000), 1.0)},
            of_rows=None,
        )
        for name, found in one.measurements.items()
    }
    long = replace(one, plate=plate, result=plate, measurements=found, shots=np.zeros(4000, np.int64))
    text = page_of([long], Silent())
    sound(text)
    assert len(text) < 4_000_000
    path = max(re.findall(r' d="(M[^"]*)"', text), key=len)
    assert 10_000 < len(path) < 40_000


# --- what is said


def test_the_bad_one_is_called_worse_and_the_good_one_not(double_page):
    told = double_page.text[: double_page.text.index("In brackets the range")]
    worse = told[told.index("bad.mp4 is worse than good.mp4 in") :]
    assert "identity by" in worse
    assert "jitter by" in worse
    assert "is better than" not in told


def test_equal_results_do_not_differ(one):
    page = Page(page_of([one, replace(one, name="same.mp4")], Silent()))
    told = page.text[: page.text.index("In brackets the range")]
    assert "is worse than" not in told
    assert "is better than" not in told
    assert "No difference can be told in" in told


def test_figures_that_differ_though_none_is_nearer_to_perfect_are_said_to(one):
    values = 0.1 * np.random.default_rng(1).normal(size=60)
    found = [replace(one.measurements["jitter"], value=float(v.mean()), per_frame=v) for v in (values - 1, values - 2)]
    results = [replace(one, name=f"{k}.mp4", measurements={"jitter": m}) for k, m in enumerate(found)]
    page = Page(page_of(results, Silent()))
    assert "They differ, but neither is nearer to perfect, in jitter" in page.text
    assert "neither is better" in page.text
    assert "No difference" not in page.text


def test_a_difference_that_nobody_sees_is_called_little_without_limits_too(one):
    bad = one.measurements["landmark_distance"].faults["eyes off"].bad
    assert "landmark_distance" not in LIMITS
    values = 5 + 0.1 * np.random.default_rng(1).normal(size=60)
    for step, is_little in ((bad / 20, True), (bad / 5, False)):
        found = [
            replace(one.measurements["landmark_distance"], value=float(v.mean()), per_frame=v)
            for v in (values, values + step)
        ]
        results = [replace(one, name=f"{k}.mp4", measurements={"landmark_distance": m}) for k, m in enumerate(found)]
        assert ("which is little" in Page(page_of(results, Silent())).text) is is_little


def test_a_swap_that_shows_dst_is_told_before_all_praise(one):
    plate, result = seen(60), seen(60, 0.05, 5)
    still = replace(result, embeddings=plate.embeddings)
    same = evaluated(plate=plate, result=still, measurements=dict(measure(plate, still, PEOPLE)))
    assert "Nothing was swapped; otherwise" in Page(page_of([same], Silent())).text
    compared = page_of([same, replace(one, plate=same.plate)], Silent())
    assert compared.index("the result shows the face of the plate") < compared.index("each figure's verdict")
    redrawn = replace(same.measurements["mask_stability"], parts={"area_ratio": 0.8})
    assert "redrawn" in unswapped({**same.measurements, "mask_stability": redrawn})
    assert "face of the plate" in unswapped({"identity": same.measurements["identity"]})
    assert unswapped(one.measurements) == ""
    twins = replace(PEOPLE, src=PEOPLE.dst)
    assert unswapped(dict(measure(plate, still, twins))) == "", "whose face it is cannot be told then"
    assert unswapped({}) == ""


def test_the_same_complaint_of_two_recognizers_names_the_second(one):
    found = one.measurements["identity"]
    amount = np.full(60, 2.0)
    both = replace(found, faults={"unlike src": Fault(amount, 1.0)})
    words = [told[0] for told in seen_faults(replace(one, measurements={"identity": both, "second_opinion": both}))]
    assert words == ["unlike src", "unlike src by second opinion"]


def test_what_lacks_comes_first_and_every_limit_names_its_source(two):
    found = verdicts(two[1])
    order = [Level.LACKING, Level.USABLE, Level.GOOD, None]
    places = [order.index(one.level) for one in found]
    assert places == sorted(places)
    assert {one.name for one in found} == set(two[1].measurements)
    assert all(one.source for one in found if one.level is not None)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_perfect_figure_is_good_and_a_bad_one_lacking(one, name):
    found = replace(one.measurements[name], faults={})
    bad = {"higher": 0.01, "lower": 50.0, "near": 0.05}[found.better]
    assert name in METRICS
    for value, level in ((found.perfect, Level.GOOD), (bad, Level.LACKING)):
        (told,) = verdicts(replace(one, measurements={name: replace(found, value=value)}))
        assert told.level is level
    network = LIMITS[name].network
    if network is not None:  # another network has another scale
        other = {"settings": {network[0]: {"name": "another"}}}
        assert verdicts(replace(one, about=other, measurements={name: found}))[0].level is None


def test_a_metric_without_limits_is_judged_by_how_often_its_fault_is_seen(one):
    def level(share):
        amount = np.where(np.arange(60) < 60 * share, 2.0, 0.0)
        found = replace(one.measurements["identity"], faults={"odd": Fault(amount, 1.0)})
        return verdicts(replace(one, measurements={"own": found}, definitions={"own": "Own."}))[0].level

    assert [level(share) for share in (0.0, 0.1, 0.5)] == [Level.GOOD, Level.USABLE, Level.LACKING]


def test_a_good_mean_does_not_hide_what_is_plainly_seen_in_half_of_the_frames(one):
    amount = np.where(np.arange(60) < 30, 2.0, 0.0)
    found = replace(one.measurements["background"], value=0.1, faults={"background changed": Fault(amount, 1.0)})
    (told,) = verdicts(replace(one, measurements={"background": found}))
    assert told.level is Level.USABLE
    assert "50%" in told.why


def test_a_sure_but_tiny_difference_is_called_little(one):
    values = 0.6 + 0.1 * np.random.default_rng(1).normal(size=60)
    found = [
        replace(one.measurements["identity"], value=float(v.mean()), per_frame=v) for v in (values, values + 0.005)
    ]
    results = [replace(one, name=f"{k}.mp4", measurements={"identity": m}) for k, m in enumerate(found)]
    assert "which is little" in Page(page_of(results, Silent())).text


def test_a_figure_near_its_limit_is_called_unsure(one):
    limit = LIMITS["identity"].good
    values = limit + 0.05 * np.random.default_rng(1).normal(size=60)
    found = replace(one.measurements["identity"], value=float(values.mean()), per_frame=values)
    (told,) = verdicts(replace(one, measurements={"identity": found}))
    assert told.doubt == "the interval reaches over a limit"
    (sure,) = verdicts(replace(one, measurements={"identity": replace(found, value=0.9, per_frame=values + 0.25)}))
    assert sure.doubt == ""


def test_few_frames_make_no_certain_verdict():
    told = [one for one in verdicts(evaluated(rows=[0, 1, 2])) if one.level is not None]
    assert {one.name for one in told} >= {"identity", "landmark_distance"}
    assert {one.doubt for one in told} == {"too few frames to tell chance"}


def test_no_second_recognizer_is_called_none(one):
    page = Page(page_of([replace(one, about={"settings": {"witness": None, "range": None}})], Silent()))
    assert "settings, witness none" in page.text
    assert "settings, range as usual" in page.text


# --- odd cases


def test_nothing_measurable_is_said_and_drawn_nowhere(one):
    blank = {
        name: replace(
            found,
            value=float("nan"),
            per_frame=np.full(60, np.nan),
            parts={part: float("nan") for part in found.parts},
            faults={words: Fault(np.full(60, np.nan), fault.bad) for words, fault in found.faults.items()},
        )
        for name, found in one.measurements.items()
    }
    page = sound(page_of([replace(one, measurements=blank)], Silent()))
    assert page.text.count("not measurable") >= len(blank)
    assert "Nothing is wrong in any frame" in page.text


@pytest.mark.parametrize("rows", [[0], [0, 1], [0, 30]])
def test_a_few_frames_alone(rows):
    sound(page_of([evaluated(rows=rows)], Silent()))


def test_pictures_without_a_clock(one):
    page = sound(page_of([replace(one, fps=None)], Silent()))
    assert " s ·" not in page.text


def test_the_truth_is_shown_where_it_is_known(one):
    page = Page(page_of([replace(one, truth=seen(60, 0.0))], Silent()))
    assert sum(image["alt"].startswith("truth, frame") for image in page.images) >= 10


def test_other_people_come_one_after_another(one):
    other = evaluated(frames=50, name="good.mp4, anna")
    page = sound(page_of([one, other], Silent()))
    assert page.text.count("Limits of these figures") == 2
    assert "is worse than" not in page.text


# --- curves


def drawn(one, values):
    found = replace(one.measurements["identity"], per_frame=values)
    shown = charts.over_time([replace(one, measurements={"identity": found})], "identity")
    return re.findall(r'class="k0" d="([^"]*)"', shown)[0]


def test_a_curve_breaks_where_frames_were_left_out_and_at_cuts(one):
    whole = replace(one, shots=np.zeros(60, np.int64))
    assert drawn(whole, np.ones(60)).count("M") == 1
    assert drawn(one, np.ones(60)).count("M") == 2  # one cut
    with_gap = np.where(np.arange(60) == 20, np.nan, 1.0)
    assert drawn(whole, with_gap).count("M") == 2
    rows = np.flatnonzero(np.arange(60) % 6 < 3)
    grouped = replace(whole, plate=rows_of(whole.plate, rows), shots=np.zeros(len(rows), np.int64))
    assert drawn(grouped, np.ones(len(rows))).count("M") == 10


def test_a_frame_alone_is_a_dot(one):
    found = replace(one.measurements["jitter"], per_frame=np.where(np.arange(60) % 3 == 1, 1.0, np.nan))
    shown = charts.over_time([replace(one, measurements={"jitter": found})], "jitter")
    assert re.findall(r'class="dots k0" d="([^"]*)"', shown)[0].count("h0") == 20
    assert re.findall(r'class="k0" d="([^"]*)"', shown) == [""]


def test_a_long_curve_keeps_its_peaks(one):
    plate = seen(5000)
    values = np.zeros(5000)
    values[[1234, 4321]] = 1.0, -1.0
    long = replace(one, plate=plate, shots=np.zeros(5000, np.int64))
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", drawn(long, values))]
    assert len(heights) <= 1201
    assert max(heights) - min(heights) > 85


# --- networks


def test_networks_are_told_with_their_history():
    settings = {
        "every_nth": None,
        "detector": {"name": "yunet", "sha256": "ab"},
        "recognizer": {"name": "mobilefacenet"},
        "landmarker": {"name": "an outside one"},
    }
    found = {one["role"]: one for one in networks_of({"settings": settings})}
    assert set(found) == {"detector", "recognizer", "landmarker"}
    assert found["detector"]["sha256"] == "ab"
    assert len(found["recognizer"]["sha256"]) == 64
    for told in (found["detector"], found["recognizer"]):
        assert {"licence", "trained_on", "origin"} <= set(told)
    assert found["landmarker"]["name"] == "an outside one"
    assert set(dict(measure(seen(4), seen(4), PEOPLE))) == set(METRICS)


@pytest.fixture
def begun(one):
    """A result whose model began with a base."""
    base = {"name": "pre", "path": "/pre/base", "sha256": "ef" * 32, "steps": 70, "trained_on": "drawn people"}
    model = {"path": "run", "sha256": "01" * 32, "base": base}
    return replace(one, name="begun.mp4", about={**one.about, "inputs": {**one.about["inputs"], "model": model}})


def test_the_base_that_a_model_began_with_is_told_with_what_it_learned_from(begun, monkeypatch):
    *_, base = networks_of(begun.about)
    assert (base["role"], base["name"], base["trained_on"], base["steps"]) == ("base", "pre", "drawn people", "70")
    assert "licence" not in base, "nobody knows under which a base of one's own is"
    record = BaseRecord(
        file="x", sha256="ef" * 32, size=1, version="2026-01-01", licence="Apache-2.0", trained_on="drawn people",
        card="tiny", note="Draws nobody well.",
    )  # fmt: skip
    monkeypatch.setitem(BASES, "tiny", record)
    *_, base = networks_of(begun.about)
    assert (base["licence"], base["note"], base["card"]) == ("Apache-2.0", "Draws nobody well.", "docs/bases.md, tiny")


def test_the_page_and_the_figures_name_it_once(begun, one):
    other = replace(begun, name="other.mp4")
    text = Page(page_of([one, begun, other], Silent())).text
    assert text.count("base: pre") == 1
    assert "drawn people" in text
    assert [network["role"] for network in _plain(begun, [begun])["networks"]][-1] == "base"


def test_the_figures_beside_the_page_name_the_networks_and_what_differs_from_the_first(two):
    first, other = (_plain(one, two[:1]) for one in two)
    assert {"recognizer", "witness"} == {network["role"] for network in first["networks"]}
    assert "differences" not in first
    assert other["differences"]["from"] == "good.mp4"
    assert other["differences"]["metrics"]["identity"]["is_better"] is False
