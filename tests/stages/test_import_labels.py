"""import labels, faceset export: masks and outlines to labelling programs and back."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_material import HOLE, MASKED, OUTLINED, SQUARE, disc, labelled

from konterfei.errors import ConfigError, DamagedFileError, FacesetError, NoFacesError
from konterfei.exchange.coco_rle import mask_of, runs_of
from konterfei.io.face_labels import FaceLabels, Polygon, decode_mask
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image, write_image
from konterfei.reporting import Recorder
from konterfei.stages.faceset_export import FacesetExportConfig, faceset_export
from konterfei.stages.import_labels import ImportLabelsConfig, import_labels


def export(faces, output, form):
    return faceset_export(FacesetExportConfig(faces=faces, output=output, format=form), Recorder())


def take(path, faces, **settings):
    return import_labels(ImportLabelsConfig(path=path, faceset=faces, **settings), Recorder())


@pytest.fixture
def faces(tmp_path):
    return labelled(tmp_path / "anna")


def bare(faces, folder):
    """The same crops without labels."""
    made = labelled(folder / "bare" / "anna")
    with Faceset.open(made) as faceset:
        for name in faceset.names():
            faceset.relabel(name, FaceLabels())
    assert Faceset.open(made).names() == Faceset.open(faces).names()
    return made


def write_coco(path, annotations, images=None, categories=("face", "exclude"), **more):
    images = images or [{"id": i, "file_name": f"00000{i}_0.jpg", "width": 96, "height": 96} for i in range(6)]
    known = [{"id": number, "name": name} for number, name in enumerate(categories, 1)]
    whole = [{"id": n, "category_id": 1, "image_id": 0, **one} for n, one in enumerate(annotations)]
    path.write_text(json.dumps({"images": images, "annotations": whole, "categories": known, **more}))
    return path


# --- pictures of masks


def test_masks_go_out_as_pictures_and_come_back(faces, tmp_path):
    made = export(faces, tmp_path / "masks", "masks")
    assert made.num_faces == 2 and len(made.left_out) == 4
    for name in ("000001_0", "000002_0"):
        out = read_image(tmp_path / "masks" / f"{name}.png")
        assert (out[..., 0] == Faceset.open(faces).labels(f"{name}.jpg").mask(96, 96)).all()
    there = bare(faces, tmp_path)
    assert take(tmp_path / "masks", there).num_labelled == 2
    for name in ("000001_0.jpg", "000002_0.jpg"):
        before, after = (Faceset.open(folder).labels(name).mask(96, 96) for folder in (faces, there))
        assert (before == after).all()
    assert "Nothing to do" in take(tmp_path / "masks", there).summary()[0]


def test_masks_of_any_kind_of_picture_are_taken(faces, tmp_path):
    there, place = bare(faces, tmp_path), tmp_path / "in"
    place.mkdir()
    cv2.imwrite(str(place / "000000_0.png"), disc(128))
    cv2.imwrite(str(place / "000001_0_mask.jpg"), disc(96), [cv2.IMWRITE_JPEG_QUALITY, 100])
    cv2.imwrite(str(place / "000002_0.png"), np.stack([disc()] * 3, -1))
    cv2.imwrite(str(place / "000003_0.tif"), disc().astype(np.uint16) * 257)
    made = take(place, there)
    assert made.num_labelled == 4 and not made.not_taken
    faceset = Faceset.open(there)
    assert faceset.labels("000000_0.jpg").mask_file == (place / "000000_0.png").read_bytes()
    for number in range(4):
        mask = faceset.labels(f"00000{number}_0.jpg").mask(96, 96)
        assert np.mean((mask > 127) != (disc(96) > 127)) < 0.02


def test_what_is_no_mask_is_listed(faces, tmp_path):
    there, place = bare(faces, tmp_path), tmp_path / "in"
    place.mkdir()
    cv2.imwrite(str(place / "000000_0.png"), disc())
    cv2.imwrite(str(place / "999999_0.png"), disc())
    cv2.imwrite(str(place / "000001_0.png"), disc()[:40])
    (place / "000002_0.png").write_bytes(b"\x89PNG broken")
    (place / "notes.txt").write_text("x")
    made = take(place, there)
    assert made.num_labelled == 1
    assert made.not_taken.keys() == {"999999_0.png", "000001_0.png", "000002_0.png"}


def test_labels_that_are_there_are_replaced_only_when_asked_for(faces, tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    cv2.imwrite(str(place / "000001_0.png"), disc())
    made = take(place, faces)
    assert made.num_labelled == 0 and "--replace" in made.not_taken["000001_0.jpg"]
    assert Faceset.open(faces).labels("000001_0.jpg") == OUTLINED
    assert take(place, faces, replace=True).num_labelled == 1
    after = Faceset.open(faces).labels("000001_0.jpg")
    assert not after.polygons and after.mask_file and after.foreign == OUTLINED.foreign


# --- COCO


def test_outlines_go_out_as_coco_and_come_back(faces, tmp_path):
    export(faces, tmp_path / "coco", "coco")
    data = json.loads((tmp_path / "coco" / "instances.json").read_text())
    assert [one["name"] for one in data["categories"]] == ["face", "exclude"]
    assert [one["file_name"] for one in data["images"]] == Faceset.open(faces).names()
    square, hole, runs = data["annotations"]
    assert square["segmentation"] == [(SQUARE + 0.5).reshape(-1).tolist()] and square["category_id"] == 1
    assert square["area"] == 50 * 55 and square["bbox"] == [20.5, 25.5, 50, 55]
    assert hole["category_id"] == 2 and runs["iscrowd"] == 1 and runs["segmentation"]["size"] == [96, 96]
    there = bare(faces, tmp_path)
    assert take(tmp_path / "coco" / "instances.json", there).num_labelled == 2
    faceset = Faceset.open(there)
    assert faceset.labels("000001_0.jpg").polygons == OUTLINED.polygons
    wanted = MASKED.mask(96, 96) > 127
    assert ((faceset.labels("000002_0.jpg").mask(96, 96) > 127) == wanted).all()


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.lists(st.tuples(*[st.floats(-20, 120, width=32)] * 2), min_size=3,
                                                  max_size=9)), min_size=1, max_size=5))  # fmt: skip
def test_any_outlines_come_back_as_they_are_drawn(tmp_path_factory, drawn):
    folder = _ONE.get("folder") or _ONE.setdefault("folder", labelled(tmp_path_factory.mktemp("any") / "anna", 3))
    labels = FaceLabels(polygons=tuple(Polygon(np.array(points), include) for include, points in drawn))
    out = tmp_path_factory.mktemp("out")
    with Faceset.open(folder) as faceset:
        faceset.relabel("000001_0.jpg", labels)
    export(folder, out / "coco", "coco")
    with Faceset.open(folder) as faceset:
        faceset.relabel("000001_0.jpg", FaceLabels())
    take(out / "coco" / "instances.json", folder)
    came = Faceset.open(folder).labels("000001_0.jpg").polygons
    assert [one.include for one in came] == [one.include for one in labels.polygons]
    for one, other in zip(came, labels.polygons, strict=True):
        assert one.points == pytest.approx(other.points, abs=1e-4)


_ONE: dict = {}


def test_in_other_programs_files_what_cuts_out_counts_over_all(faces, tmp_path):
    there = bare(faces, tmp_path)
    inner = {"category_id": 2, "segmentation": [(2 * (HOLE + 0.5)).reshape(-1).tolist()], "image_id": 9}
    outer = {"segmentation": [(2 * (SQUARE + 0.5)).reshape(-1).tolist()], "image_id": 9}
    images = [{"id": 9, "file_name": "crops/000000_0.png", "width": 192, "height": 192}]
    take(write_coco(tmp_path / "a.json", [inner, outer], images), there)
    labels = Faceset.open(there).labels("000000_0.jpg")
    assert [polygon.include for polygon in labels.polygons] == [True, False]
    assert labels.polygons[0].points == pytest.approx(SQUARE, abs=1e-4)
    mask = labels.mask(96, 96)
    assert mask[45, 45] == 0 and mask[30, 30] == 255


def test_a_single_category_is_the_face_and_strange_ones_are_listed(faces, tmp_path):
    there = bare(faces, tmp_path)
    one = {"segmentation": [(SQUARE + 0.5).reshape(-1).tolist()]}
    assert take(write_coco(tmp_path / "a.json", [one], categories=["person"]), there).num_labelled == 1
    file = write_coco(tmp_path / "b.json", [{**one, "image_id": 1}, {**one, "image_id": 2, "category_id": 2}],
                      categories=["face", "hat"])  # fmt: skip
    made = take(file, there)
    assert made.num_labelled == 1 and made.not_taken.keys() == {"category 'hat'", "annotation 1"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"segmentation": []}, "no outline"),
        ({"segmentation": [[1, 2, 3, 4]]}, "fewer than three"),
        ({"segmentation": [[1, 2, 3]]}, "reshape"),
        ({"segmentation": [["a", 1, 2, 3, 4, 5]]}, "convert"),
        ({"segmentation": [[1e400, 1, 2, 3, 4, 5]]}, "finite"),
        ({"segmentation": [[10**400, 1, 2, 3, 4, 5]]}, "too large"),
        ({"segmentation": {"size": [1e400, 96], "counts": [5]}}, "no size"),
        ({"segmentation": {"size": [96, 96], "counts": [5]}}, "cover 5 pixels"),
        ({"segmentation": {"size": [96, 96], "counts": "\x01"}}, "character"),
        ({"segmentation": {"size": [99999999, 96], "counts": [5]}}, "up to"),
        ({"image_id": 77}, "no such crop"),
        ({"image_id": None}, "names no picture"),
    ],
)
def test_damaged_annotations_are_listed_and_the_others_taken(faces, tmp_path, change, said):
    there = bare(faces, tmp_path)
    good = {"segmentation": [(SQUARE + 0.5).reshape(-1).tolist()]}
    file = write_coco(tmp_path / "a.json", [{**good, "image_id": 3}, {**good, **change}])
    made = take(file, there)
    assert made.num_labelled == 1 and said in made.not_taken["annotation 1"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"images": []}', '{"images": 1, "annotations": [], "categories": []}']
)
def test_what_is_no_coco_file_is_refused(faces, tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DamagedFileError):
        take(tmp_path / "a.json", faces)


def test_refusals_say_what_to_do(faces, tmp_path):
    with pytest.raises(ConfigError, match="Name a folder"):
        take(tmp_path / "nothing", faces)
    with pytest.raises(ConfigError, match="faceset itself"):
        take(faces, faces)
    with pytest.raises(NoFacesError, match="nothing in it"):
        take(write_coco(tmp_path / "a.json", []), faces)
    with pytest.raises(FacesetError):
        take(write_coco(tmp_path / "a.json", []), tmp_path)
    there = bare(faces, tmp_path)
    for form in ("masks", "coco"):
        with pytest.raises(NoFacesError, match="import labels"):
            export(there, tmp_path / form, form)


# --- run lengths


@given(st.integers(1, 9), st.integers(1, 9), st.randoms())
def test_run_lengths_come_back(high, wide, random):
    mask = np.array([[random.choice([0, 255]) for _ in range(wide)] for _ in range(high)], np.uint8)
    runs = runs_of(mask)
    assert sum(runs["counts"]) == mask.size
    assert (mask_of(runs) == mask).all()
    assert (mask_of({"size": runs["size"], "counts": packed(runs["counts"])}) == mask).all()


def packed(counts):
    """COCO's text, written anew from its description: differences from the fourth on, five bits a character."""
    text = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            group = value & 0x1F
            value >>= 5
            more = value != (-1 if group & 0x10 else 0)
            text.append(chr((group | (0x20 if more else 0)) + 48))
    return "".join(text)


def test_run_lengths_of_a_known_text():
    """The 4 x 4 mask with its middle set: columns are 0000 0110 0110 0000."""
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1:3] = 255
    assert runs_of(mask)["counts"] == [5, 2, 2, 2, 5]
    assert packed([5, 2, 2, 2, 5]) == "52203"
    assert (mask_of({"size": [4, 4], "counts": "52203"}) == mask).all()


def test_a_mask_with_outlines_of_another_program_is_one_mask(faces, tmp_path):
    there = bare(faces, tmp_path)
    hole = {"category_id": 2, "segmentation": [(HOLE + 0.5).reshape(-1).tolist()]}
    file = write_coco(tmp_path / "a.json", [{"segmentation": runs_of(disc(96))}, hole])
    take(file, there)
    mask = decode_mask(Faceset.open(there).labels("000000_0.jpg").mask_file)
    assert mask[45, 45] == 0 and mask[35, 35] == 255 and mask[2, 2] == 0


def test_an_empty_mask_is_a_mask(faces, tmp_path):
    """A crop that a hand covers wholly: nothing of it is face, and the hull does not come back."""
    there = bare(faces, tmp_path)
    write_image(tmp_path / "in" / "000000_0.png", np.zeros((96, 96), np.uint8))
    take(tmp_path / "in", there)
    assert not Faceset.open(there).labels("000000_0.jpg").mask(96, 96).any()
