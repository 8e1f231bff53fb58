"""The card of a base: bases of known worth have the figures that they should, and groups that are worse are named."""

import json
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from crowd_material import Colours, Still, crowd
from drawn_faces import landmarks
from konterfei.errors import ConfigError, FacesetError
from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image
from konterfei.landmarkers import Landmarked, Window
from konterfei.models.bases import read_base, write_base
from konterfei.models.many import MANY
from konterfei.nets.dims import Dims
from konterfei.reporting import Silent

SIDE = 32
DIMS = Dims(resolution=SIDE, ae=6, encoder=4, decoder=4, mask=2, unit=True, double=True)
PEOPLE = 14
NAMES = (
    "file",
    "x",
    "y",
    "family",
    "use",
    "reason",
    "yaw",
    "tone",
    "ita",
    "age",
    "age_group",
    "glasses",
    "beard",
    "hat",
)


class Lids:
    """A landmarker that sees eyes as wide open as the picture is red."""

    usual_presence, limits = 0.5, "drawn faces"

    def landmarks(self, image, starts):
        points = landmarks(0, 2).astype(np.float64)
        for eye in (36, 42):
            middle, wide = points[eye : eye + 6].mean(axis=0), points[eye + 3, 0] - points[eye, 0]
            points[eye : eye + 6, 1] = middle[1]
            for upper, lower in ((1, 5), (2, 4)):
                half = 0.5 * wide * image[..., 0].mean() / 255
                points[eye + upper, 1] -= half
                points[eye + lower, 1] += half
        return [Landmarked(points.astype(np.float32), None, 1.0, Window(0, 0, 1, 0)) for _ in starts]


class Drawer:
    resolution = SIDE

    def __init__(self, how):
        self.how = how

    def draw_as(self, images, who):
        return self.how(images.astype(np.float32) / 255, who), np.ones(images.shape[:3], np.float32)


@pytest.fixture
def figures(script):
    return script("card_figures")


@pytest.fixture
def people(script):
    return script("held_out")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Facesets of those held out, of their variants (all red taken away), and of those learned from; the list."""
    folder = tmp_path_factory.mktemp("card")
    everybody = Faceset.open(crowd(folder / "everybody", range(2 * PEOPLE), 1))
    rows = []
    with (
        Faceset.create(folder / "held", everybody.header) as held,
        Faceset.create(folder / "variants", everybody.header) as variants,
        Faceset.create(folder / "train", everybody.header) as train,
    ):
        for number, record in enumerate(everybody.records()):
            image, name = everybody.image(record.name), f"family{number % 3}__{number}.jpg"
            use = "held" if number < PEOPLE else "train"
            at = replace(record, source=f"faces/{name}", frame_index=number, name="")
            (held if use == "held" else train).add(image, at)
            if use == "held":
                dark = np.stack([np.zeros_like(image[..., 0]), image[..., 1], image[..., 2]], axis=-1)
                variants.add(dark, replace(at, source=f"variants/{name}", frame_index=100 * number))
            x, y = (round(float(v)) for v in record.face.centre)
            tone = "dark" if number % 2 else "light"
            family = f"family{number % 3}" if use == "held" else "other"
            rows.append([name, x, y, family, use, "", 0, tone, 30, 40, "middle", "no", "no", "no"])
    lines = ["\t".join(map(str, row)) for row in [NAMES, *rows]]
    (folder / "list.txt").write_text("\n".join(lines) + "\n", "utf-8")
    torch.manual_seed(4)
    write_base(folder / "base.safetensors", MANY["df"](DIMS), FaceType.FULL, 77, {"preset": "quick"})
    return folder


@pytest.fixture
def base(folder):
    return read_base(folder / "base.safetensors")


@pytest.fixture
def listed(script, folder):
    return script("portraits").read_list(folder / "list.txt")


def eyes(figures, landmarker=None):
    return figures.Eyes(
        recognizers={"mobilefacenet": Colours(), "faceres": Colours()}, landmarker=landmarker or Still()
    )


def held(people, folder, listed, base, name="held"):
    return people.held_out(Faceset.open(folder / name), listed, base, Silent())


def measured(figures, people, folder, listed, base, how, landmarker=None):
    both = (held(people, folder, listed, base, name) for name in ("held", "variants"))
    return figures.measure(Drawer(how), *both, eyes(figures, landmarker), 1, Silent())


# --- figures


def test_who_gives_back_what_it_sees_has_no_error_and_follows_every_lid(figures, people, folder, listed, base):
    found = measured(figures, people, folder, listed, base, lambda images, who: images, Lids())
    assert len(found.values["error"]) == PEOPLE
    assert found.values["error"].max() < 1e-3 and found.values["ssim"].min() > 0.999
    assert found.values["second_leftover"].min() > 0.999 > found.values["second"].mean()
    assert found.values["distance"].max() == 0
    assert len(found.lids) == PEOPLE and (found.lids[:, 0] < 0).all(), "all variants close"
    for column in (1, 2):
        assert figures.slope(found.lids, column) == pytest.approx(1, abs=1e-3)
        assert figures.shut_share(found.lids, column) == 1


def test_who_draws_one_face_for_all_follows_no_lid_and_is_nobody(figures, people, folder, listed, base):
    found = measured(figures, people, folder, listed, base, lambda images, who: np.full_like(images, 0.5), Lids())
    assert abs(figures.slope(found.lids, 1)) < 0.05 and figures.shut_share(found.lids, 2) == 0
    assert found.values["error"].min() > 0.05 and np.nanmedian(found.values["sharpness"]) < 0.2
    known = found.values["lids"][np.isfinite(found.values["lids"])]
    assert len(known) == PEOPLE and np.abs(known).max() < 0.1


def test_identity_is_of_whom_is_drawn_and_leftover_of_whose_picture_it_is(figures, people, folder, listed, base):
    """One person alone is drawn rightly: their identity is high, and every other's is not."""
    shown = held(people, folder, listed, base).faces.who

    def how(images, who):
        drawn = np.empty_like(images)
        for i, one in enumerate(who[:, 0]):
            drawn[i] = 0.9 if np.allclose(one, shown[3], atol=1e-5) else images[i]
        return drawn

    found = measured(figures, people, folder, listed, base, how)
    bright = Colours().embed(np.full((SIDE, SIDE, 3), 230, np.uint8), [found.shown.points[3]])[0]
    expected = float(bright @ found.true["faceres"][3])
    assert found.values["second"][3] == pytest.approx(expected, abs=1e-3)


def test_everybody_is_drawn_once_in_a_round_and_as_nobody_twice(figures):
    rounds = figures.partners_of(9, 4, 1)
    assert rounds.shape == (4, 9)
    assert all(sorted(row) == list(range(9)) for row in rounds)
    assert all(len({person, *column}) == 5 for person, column in enumerate(rounds.T))
    assert figures.partners_of(3, 4, 1).shape == (2, 3)
    assert not np.array_equal(rounds, figures.partners_of(9, 4, 2))


def test_lids_that_go_half_of_the_way(figures):
    lids = np.array([[-0.2, -0.1, -0.01, 0], [-0.3, -0.15, 0.0, 1], [0.1, 0.05, 0.0, 2]])
    assert figures.slope(lids, 1) == pytest.approx(0.5)
    assert figures.shut_share(lids, 2) == 0
    assert np.isnan(figures.slope(lids[:0], 1)) and np.isnan(figures.shut_share(lids[2:], 1))


# --- how sure


def test_an_interval_holds_the_truth_about_as_often_as_it_says(figures):
    chance = np.random.default_rng(3)
    found = [figures.estimate(chance.normal(2, 1, 40), np.nanmean, 1) for _ in range(200)]
    assert 0.88 < np.mean([one.low < 2 < one.high for one in found]) < 0.99
    assert np.mean([one.high - one.low for one in found]) == pytest.approx(2 * 1.96 / 40**0.5, rel=0.1)


def test_who_could_not_be_measured_does_not_count(figures):
    assert figures.estimate(np.array([1.0, np.nan, 3.0]), np.nanmean, 1).count == 2
    nobody = figures.estimate(np.array([np.nan]), np.nanmean, 1)
    assert nobody.count == 0 and np.isnan(nobody.value)


def test_a_group_is_worse_only_beyond_chance_and_never_of_few(figures):
    chance = np.random.default_rng(5)
    same, behind = chance.normal(1, 0.2, 40), chance.normal(1.5, 0.2, 20)
    lower, higher = figures.FIGURES["error"], figures.FIGURES["ssim"]
    assert figures.is_worse(behind, same, lower, 1) and not figures.is_worse(behind, same, higher, 1)
    assert figures.is_worse(same, behind, higher, 1)
    wrong = [figures.is_worse(chance.normal(1, 0.2, 20), chance.normal(1, 0.2, 40), lower, 1) for _ in range(60)]
    assert sum(wrong) <= 3
    assert not figures.is_worse(behind[:5], same, lower, 1)


def test_groups_are_the_lists_and_families_that_nobody_was_trained_on(figures, people, folder, listed, base):
    families = people.families_never_seen(listed)
    assert families == {"family0", "family1", "family2"}
    some = held(people, folder, listed, base)
    by_name = {(group.trait, group.name): group for group in figures.groups_of(some, {"family1"})}
    assert by_name["tone", "dark"].members.tolist() == [bool(n % 2) for n in some.people]
    assert sorted(some.people) == list(range(PEOPLE))
    np.testing.assert_array_equal(by_name["tone", "dark"].others, by_name["tone", "light"].members)
    assert by_name["family", "family1"].members.sum() == len(range(1, PEOPLE, 3))
    assert {name for trait, name in by_name if trait == "family"} == {"family1", "of families that it learned from"}


# --- whom they resemble


def vectors(count, seed):
    found = np.random.default_rng(seed).normal(size=(count, 192))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def resembling(figures, people, share):
    """Leak of faces that have `share` of somebody learned in them."""
    who, learned = vectors(30, 1), vectors(200, 2)
    drawn = who + share * learned[:30] + 0.5 * vectors(30, 3)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    partners = figures.partners_of(30, 4, 1)
    found = SimpleNamespace(
        shown=SimpleNamespace(who=who), true={"a": who}, own={"a": drawn}, swapped={"a": np.stack([drawn] * 4)},
        partners=partners,
    )  # fmt: skip
    families = np.array([f"f{n % 5}" for n in range(30)])
    return figures.leak(found, people.Learned({"a": learned}, np.full(200, "")), families, 1)["a"]


def test_learned_people_who_shine_through_are_seen_and_others_not(figures, people):
    clean, mixed = resembling(figures, people, 0), resembling(figures, people, 0.6)
    assert clean["lean_own"].low < 0 < clean["lean_own"].high
    assert mixed["lean_own"].low > 0.02 and mixed["gap_own"].low > 0 and mixed["own"].value > clean["own"].value + 0.1
    assert clean["own_beyond"].value == 0 and clean["swapped_beyond"].value == 0
    assert resembling(figures, people, 3)["own_beyond"].value == 1


def test_the_highest_of_some_is_the_mean_over_all_choices(figures):
    values = np.array([0.1, 0.7, 0.3, 0.4])
    for count in (1, 2, 3, 4):
        expected = np.mean([max(some) for some in combinations(values, count)])
        assert figures.highest_of(values, count) == pytest.approx(expected)
    assert figures.highest_of(values, 9) == 0.7 and np.isnan(figures.highest_of(values, 0))


def test_who_was_learned_is_who_was_not_held_out(people, folder, base):
    opened = [Faceset.open(folder / name) for name in ("train", "held")]
    hidden = np.stack([r.face.embedding for r in opened[1].records()])
    found = people.learned_from(opened, hidden, {"mobilefacenet": Colours(), "faceres": Colours()}, Silent())
    assert len(found) == PEOPLE and found.who["faceres"].shape == (PEOPLE, 192)
    np.testing.assert_allclose(found.who["mobilefacenet"][0], opened[0].records()[0].face.embedding, atol=1e-5)
    sources = [record.source.removeprefix("faces/") for record in opened[0].records()]
    assert found.families.tolist() == [source.partition("__")[0] for source in sources]


# --- the whole card


@pytest.fixture
def make(script, figures, folder, base, tmp_path):
    def made(name="card.md", held=("held", "variants"), listed=folder / "list.txt"):
        opened = [[Faceset.open(folder / one) for one in some] for some in (held, ("train",))]
        output = tmp_path / name
        script("card").make_card(base, *opened, listed, output, eyes(figures, Lids()), 1, Silent())
        return output

    return made


def test_a_card_has_tables_figures_and_a_picture_the_same_at_each_run(script, make, base):
    first, again = make(), make("again.md")
    text, card = first.read_text("utf-8"), script("card").read_card(first.with_suffix(".json"))
    assert card["base"]["sha256"] == base.sha256 and card["people"] == PEOPLE and card["learned_from"] == PEOPLE
    assert card["groups"]["tone dark"]["error"]["n"] == PEOPLE // 2
    error = card["groups"]["all"]["error"]
    assert f"| error | {error['value']:.2f} ({error['low']:.2f}, {error['high']:.2f}) |" in text
    assert "| skin | light | 7 |" in text and "| HSE-FaceRes | drawn as another |" in text
    assert read_image(first.with_suffix(".jpg")).shape[2] == 3
    for suffix in (".md", ".json", ".jpg"):
        assert first.with_suffix(suffix).read_bytes() == again.with_suffix(suffix).read_bytes()


def test_without_variants_lids_are_not_measured(make):
    output = make(held=("held",))
    assert "Not measured." in output.read_text("utf-8")
    assert json.loads(output.with_suffix(".json").read_text("utf-8"))["lids"]["followed_own"] is None


def test_people_who_are_not_held_out_are_refused(make):
    with pytest.raises(FacesetError, match="nobody whom the list holds out"):
        make(held=("train",))


def test_variants_of_another_list_are_refused(make, folder, tmp_path):
    lines = (folder / "list.txt").read_text("utf-8").splitlines()
    other = tmp_path / "other.txt"
    other.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", "utf-8")
    with pytest.raises(FacesetError, match="another list"):
        make(listed=other)


def test_what_is_no_card_is_refused(script, tmp_path):
    path = tmp_path / "card.json"
    path.write_text("[]", "utf-8")
    with pytest.raises(ConfigError, match="is no card"):
        script("card").read_card(path)
