"""Signing and verifying, with everything that may happen to a file in between."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest
from c2pa import Builder, C2paSignerInfo, Context, Reader, Signer
from PIL import Image

from konterfei.errors import Cancelled, OutputError, ProvenanceError, UnreadableMediaError
from konterfei.io.atomic import sha256
from konterfei.provenance import credentials, layout
from konterfei.provenance.certificate import Identity, own_roots, signing_identity
from konterfei.provenance.consent import Consent
from konterfei.provenance.credentials import (
    PICTURES,
    SOURCE_TYPE,
    VIDEOS,
    Claim,
    FaceClaim,
    Material,
    ensure_signable,
    sign,
    verify,
)
from konterfei.provenance.verification import OFFLINE, State, _judge, _statement
from konterfei.reporting import Recorder


@pytest.fixture
def copy(signed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(signed, tmp_path / "out.mp4"))


def store(path: Path) -> dict:
    """What any reader of Content Credentials sees."""
    with (
        Context.from_dict({"verify": dict(OFFLINE)}) as context,
        path.open("rb") as file,
        Reader(None, file, None, context) as reader,
    ):
        return json.loads(reader.json())


def box_at(path: Path, offset: int) -> layout.Box:
    with path.open("rb") as file:
        return next(box for box in layout.boxes(file) if box.offset <= offset < box.offset + box.size)


def flip(path: Path, offset: int, bit: int = 4) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ (1 << bit)]))


def sign_as_other_tool(source: Path, output: Path, identity: Identity, parent: Path | None = None) -> Path:
    """Content Credentials without our assertions, as another program would write them."""
    first = (
        {"action": "c2pa.opened", "parameters": {"ingredientIds": ["p"]}}
        if parent
        else {
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
        }
    )
    manifest = {
        "claim_generator_info": [{"name": "Othertool", "version": "7"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [first]}}],
    }
    settings = {"verify": dict(OFFLINE), "builder": {"thumbnail": {"enabled": False}}}
    info = C2paSignerInfo(identity.algorithm, identity.chain.encode(), identity.key.encode(), None)
    with Context.from_dict(settings) as context, Builder(manifest, context=context) as builder:
        if parent:
            with parent.open("rb") as file:
                told = {"title": parent.name, "relationship": "parentOf", "label": "p"}
                builder.add_ingredient(told, "video/mp4", file)
        with source.open("rb") as read, output.open("w+b") as written:
            builder.sign(Signer.from_info(info), "video/mp4", read, written)
    return output


def test_what_any_reader_sees(signed: Path, plate: Path, claim: Claim) -> None:
    seen = store(signed)
    assert seen["validation_state"] == "Valid"
    active = seen["manifests"][seen["active_manifest"]]
    assert active["claim_generator_info"][0]["name"] == "konterfei"
    data = {item["label"]: item["data"] for item in active["assertions"]}
    opened, edited = data["c2pa.actions.v2"]["actions"]
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"] == SOURCE_TYPE
    assert edited["softwareAgent"]["name"] == "konterfei" and edited["when"].endswith("Z")
    titles = [(item["title"], item["relationship"]) for item in active["ingredients"]]
    assert titles == [("plate.mp4", "parentOf"), ("anna.mkv", "inputTo"), ("run", "inputTo")]
    assert [item["metadata"]["org.konterfei.sha256"] for item in active["ingredients"]] == [
        sha256(plate),
        claim.sources[0].sha256,
        "ab" * 32,
    ]
    assert len(opened["parameters"]["ingredients"]) == 1 and len(edited["parameters"]["ingredients"]) == 2
    assert data["org.konterfei.consent"] == {
        "person": "Anna Muster",
        "basis": "self",
        "scope": ["lakeside", "tests *"],
        "expires": "",
        "record_sha256": claim.consent.sha256,
    }
    swap = data["org.konterfei.swap"]
    assert (swap["model"], swap["steps"], swap["preset"], swap["label"]) == ("liae", 600, "quick", "corner")
    assert (swap["frames_swapped"], swap["frames_not_swapped"]) == (8, {"no face in the faceset": 2})
    assert swap["is_preview"] is True and swap["label_text"] == "AI MODIFIED"
    assert swap["settings"] == {"color": "rct", "erode": 0.02, "sharpen": None, "hull": True}
    assert not [item for item in active["assertions"] if "thumbnail" in item["label"]]
    assert str(plate.parent) not in json.dumps(seen), "folders of this machine are nobody's business"


def test_verify_tells_it_all(signed: Path) -> None:
    found = verify(signed)
    assert (found.state, found.marked, found.untouched, found.exit_code) == (State.UNTOUCHED, True, True, 0)
    assert found.problems == () and found.actions == ("c2pa.opened", "c2pa.edited")
    assert found.is_self_made and found.vouched_by == "this computer"
    assert found.made_by.startswith("konterfei ")
    text = "\n".join(found.summary())
    for word in (
        "marked, and not altered",
        "8 of 10 frames (not: 2 no face in the faceset)",
        "liae, preset quick, 600 steps; PREVIEW",
        "plate.mp4",
        "anna.mkv",
        "Anna Muster, basis self, for lakeside",
        "corner",
        "Self-made by konterfei, identity not verified",
    ):
        assert word in text, word


def test_the_picture_and_the_sound_are_those_that_were_signed(signed: Path, plate: Path) -> None:
    def packets(path: Path) -> list[tuple]:
        with av.open(str(path)) as container:
            return [(p.stream.index, p.pts, p.dts, bytes(p)) for p in container.demux() if p.size]

    assert packets(signed) == packets(plate)


@pytest.mark.parametrize("suffix", sorted(VIDEOS))
@pytest.mark.parametrize("faststart", [False, True])
def test_every_type_of_output(
    suffix: str, faststart: bool, clip: Callable[..., Path], claim: Claim, identity: Identity, tmp_path: Path
) -> None:
    source = clip(f"a{suffix.replace('m4v', 'mp4')}", faststart=faststart)
    output = tmp_path / f"deep/er/out{suffix.upper()}"
    before = sha256(source)
    assert sign(source, output, claim, identity).untouched
    assert verify(output).untouched
    assert sha256(source) == before
    assert [path.name for path in output.parent.iterdir()] == [output.name]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("out.avi", "'.avi'"),
        ("out.mpg", "'.mpg'"),
        ("out.png", "one picture"),
        ("frames/%06d.dpx", "'.dpx'"),
        ("out.exr", "'.exr'"),
        ("out.mxf", "'.mxf'"),
    ],
)
def test_what_cannot_be_marked_is_refused_early(
    name: str, word: str, plate: Path, claim: Claim, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=word) as caught:
        ensure_signable(tmp_path / name)
    assert caught.value.exit_code == 2 and ("%" in name or ".mp4" in str(caught.value))
    if Path(name).suffix not in PICTURES:
        with pytest.raises(OutputError):
            sign(plate, tmp_path / name, claim)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", sorted(PICTURES))
def test_a_picture_is_signed_and_any_change_to_it_is_found(
    suffix: str, claim: Claim, identity: Identity, tmp_path: Path
) -> None:
    chance = random.Random(2)
    source, output = tmp_path / f"a{suffix}", tmp_path / f"out{suffix}"
    Image.effect_noise((64, 48), 80).convert("RGB").save(source)
    assert sign(source, output, replace(claim, frame=17), identity).untouched
    found = verify(output)
    assert found.untouched and found.swap["frame"] == 17
    assert list(Image.open(output).getdata()) == list(Image.open(source).getdata()), "the pixels are the same"
    size = output.stat().st_size
    told = found.summary()
    for offset in chance.sample(range(size), 200):
        flip(output, offset, bit := chance.randrange(8))
        try:
            now = verify(output)
        except UnreadableMediaError:
            now = None
        assert now is None or now.exit_code or now.summary() == told, f"byte {offset}, bit {bit}"
        flip(output, offset, bit)
    with output.open("ab") as file:
        file.write(b"more")
    assert verify(output).state is State.ALTERED


@pytest.mark.parametrize("suffix", sorted(PICTURES))
def test_a_picture_with_damaged_credentials_is_altered(
    suffix: str, claim: Claim, identity: Identity, tmp_path: Path
) -> None:
    source, output = tmp_path / f"a{suffix}", tmp_path / f"out{suffix}"
    Image.effect_noise((64, 48), 80).convert("RGB").save(source)
    sign(source, output, claim, identity)
    flip(output, output.read_bytes().index(b"jumdc2pa") + 60)
    found = verify(output)
    assert found.state is State.ALTERED and found.problems
    assert verify(source).state is State.UNMARKED


def test_a_flipped_byte_anywhere_outside_the_credentials_is_found(copy: Path) -> None:
    """All of a file's boxes, byte by byte for the small ones; of the credentials' own box see the next test."""
    chance = random.Random(1)
    with copy.open("rb") as file:
        boxes = [box for box in layout.boxes(file) if not box.is_credentials]
    for box in boxes:
        every = range(box.offset, box.offset + box.size)
        for offset in every if box.size <= 64 else chance.sample(every, 150):
            flip(copy, offset, bit := chance.randrange(8))
            try:
                found = verify(copy).exit_code
            except UnreadableMediaError:
                found = 2
            assert found != 0, f"byte {offset}, bit {bit}, box {box.kind!r}"
            flip(copy, offset, bit)
    assert verify(copy).untouched


def test_a_flipped_byte_in_the_credentials_is_found_or_says_nothing(copy: Path) -> None:
    """Bytes that the format leaves unsigned are labels of boxes and the padding of the signature: whatever is changed
    there, what `verify` tells is the same."""
    with copy.open("rb") as file:
        box = next(box for box in layout.boxes(file) if box.is_credentials)
    before = verify(copy)
    chance, missed = random.Random(2), 0
    offsets = chance.sample(range(box.offset, box.offset + box.size), 400)
    for offset in offsets:
        flip(copy, offset)
        found = verify(copy)
        if found.exit_code == 0:
            missed += 1
            assert found == before, offset
        flip(copy, offset)
    assert missed < 0.3 * len(offsets), "the padding"


def test_the_header_that_c2pa_leaves_out_is_watched_by_us(copy: Path) -> None:
    flip(copy, 10)  # in ftyp
    assert store(copy)["validation_state"] == "Valid", "else our own check would be needless"
    found = verify(copy)
    assert found.state is State.ALTERED and "header or filler" in found.problems[0]


@pytest.mark.parametrize("kind", [b"free", b"skip", b"mfra", b"mdat", b"uuid"])
def test_something_added_is_found(kind: bytes, copy: Path) -> None:
    with copy.open("ab") as file:
        file.write(struct.pack(">I4s", 40, kind) + b"x" * 32)
    assert verify(copy).state is State.ALTERED


def test_remuxing_loses_the_mark_and_is_said_so(signed: Path, tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv"):
        copied = tmp_path / f"copy{suffix}"
        with av.open(str(signed)) as source, av.open(str(copied), "w") as target:
            streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)
        found = verify(copied)
        assert (found.state, found.exit_code, found.marked) == (State.UNMARKED, 1, False)
        assert "UNMARKED" in found.summary()[0]
    assert "cannot carry" in found.problems[0]


@pytest.mark.parametrize("share", [0.999, 0.9, 0.6, 0.3])
def test_a_truncated_file(share: float, copy: Path) -> None:
    size = copy.stat().st_size
    with copy.open("r+b") as file:
        file.truncate(int(size * share))
    found = verify(copy)
    assert found.state is State.ALTERED and found.exit_code == 1 and found.marked
    assert any("cut off" in problem for problem in found.problems)
    assert "ALTERED" in found.summary()[0]


def test_files_that_are_no_videos(tmp_path: Path) -> None:
    for name, content in (("a.txt", b"hello" * 100), ("a.mp4", b"\0" * 5000), ("b.mp4", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UnreadableMediaError) as caught:
            verify(path)
        assert str(path) in str(caught.value) and caught.value.exit_code == 2
    for path in (tmp_path, tmp_path / "gone.mp4"):
        with pytest.raises(UnreadableMediaError, match=path.name):
            verify(path)


def test_a_plain_video_is_unmarked(plate: Path) -> None:
    found = verify(plate)
    assert (found.state, found.exit_code, found.problems) == (State.UNMARKED, 1, ())


def test_credentials_of_another_tool_are_not_ours(plate: Path, identity: Identity, tmp_path: Path) -> None:
    other = sign_as_other_tool(plate, tmp_path / "other.mp4", identity)
    found = verify(other)
    assert (found.state, found.exit_code, found.marked) == (State.FOREIGN, 1, False)
    assert found.made_by == "Othertool 7" and not found.has_swap_in_history
    assert "Othertool 7" in found.summary()[0]
    flip(other, other.stat().st_size - 20)
    assert (verify(other).state, verify(other).marked) == (State.ALTERED, False)


def test_another_tool_that_kept_our_mark_in_its_history(
    plate: Path, signed: Path, identity: Identity, tmp_path: Path
) -> None:
    found = verify(sign_as_other_tool(plate, tmp_path / "graded.mp4", identity, parent=signed))
    assert found.state is State.FOREIGN and found.has_swap_in_history
    assert "history" in "\n".join(found.summary())


def test_a_plates_own_credentials_are_kept(plate: Path, claim: Claim, identity: Identity, tmp_path: Path) -> None:
    camera = sign_as_other_tool(plate, tmp_path / "camera.mp4", identity)
    output = tmp_path / "out.mp4"
    sign(plate, output, replace(claim, plate=Material.of(camera)), identity)
    found = verify(output)
    assert found.untouched and found.ingredients[0].has_credentials and not found.ingredients[0].problems
    assert len(store(output)["manifests"]) == 2
    flip(camera, camera.stat().st_size - 20)
    sign(plate, output, replace(claim, plate=Material.of(camera)), identity)
    found = verify(output)
    assert found.untouched, "the result itself is as it was signed"
    assert "not those that were signed" in found.ingredients[0].problems[0]
    assert "did not fit it" in "\n".join(found.summary())


@pytest.mark.parametrize("name", ["notes.mp4", "notes.png", "notes.mpg"])
def test_materials_that_are_not_what_their_name_says(
    name: str, plate: Path, claim: Claim, identity: Identity, tmp_path: Path
) -> None:
    material = tmp_path / name
    material.write_bytes(b"not a picture, not a video")
    output = tmp_path / "out.mp4"
    sign(plate, output, replace(claim, plate=Material.of(material), sources=()), identity)
    assert verify(output).ingredients[0].sha256 == sha256(material)


def test_pictures_as_material_are_hashed_by_their_names_and_content(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"1")
    (tmp_path / "2.jpg").write_bytes(b"2")
    first = Material.of(tmp_path)
    listing = "".join(f"{name} {sha256(tmp_path / name)}\n" for name in ("1.jpg", "2.jpg"))
    assert (first.sha256, first.path) == (hashlib.sha256(listing.encode()).hexdigest(), None)
    (tmp_path / ".index.sqlite").write_bytes(b"cache")
    assert Material.of(tmp_path) == first == replace(Material.of(tmp_path / "%d.jpg"), name=tmp_path.name)
    (tmp_path / "1.jpg").rename(tmp_path / "3.jpg")
    assert Material.of(tmp_path).sha256 != first.sha256


def test_a_strangers_self_made_certificate_is_valid_and_vouched_for_by_nobody(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = own_roots()
    monkeypatch.setenv("KONTERFEI_CONFIG", str(tmp_path / "elsewhere"))
    found = verify(signed)
    assert (found.untouched, found.vouched_by, found.is_self_made) == (True, "", True)
    assert "nobody vouches" in "\n".join(found.summary())
    assert verify(signed, trust=root).vouched_by == "the given roots"
    assert not (tmp_path / "elsewhere").exists(), "verifying makes no certificate"
    signing_identity()
    assert verify(signed).vouched_by == "", "another user's own root vouches for nobody else"
    for path in (tmp_path / "elsewhere").rglob("root.pem"):
        path.write_text("damaged")
    assert verify(signed).untouched


def nothing_left(folder: Path, *expected: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)


def test_a_failing_signer_leaves_nothing(plate: Path, claim: Claim, identity: Identity, tmp_path: Path) -> None:
    broken = replace(identity, chain=identity.chain.replace("MII", "MIJ", 1))
    with pytest.raises(ProvenanceError, match="could not be signed"):
        sign(plate, tmp_path / "out.mp4", claim, broken)
    nothing_left(tmp_path)


def test_an_unsigned_file_that_is_no_video_leaves_nothing(claim: Claim, identity: Identity, tmp_path: Path) -> None:
    unsigned = tmp_path / "unsigned.mp4"
    unsigned.write_bytes(b"no video at all" * 100)
    with pytest.raises(ProvenanceError):
        sign(unsigned, tmp_path / "out.mp4", claim, identity)
    nothing_left(tmp_path, "unsigned.mp4")


def test_a_failed_check_leaves_the_older_result_alone(
    plate: Path, claim: Claim, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"older")

    def spoiled(path: Path, **_: object) -> object:
        flip(path, path.stat().st_size - 5)
        return verify(path)

    monkeypatch.setattr(credentials, "verify", spoiled)
    with pytest.raises(ProvenanceError, match="check failed: The video's data"):
        sign(plate, output, claim, identity)
    nothing_left(tmp_path, "out.mp4")
    assert output.read_bytes() == b"older"


def test_a_full_disk_is_an_output_error(
    plate: Path, claim: Claim, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, moved: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("konterfei.provenance.streams.Watched._said", full)
    with pytest.raises(OutputError, match="no space"):
        sign(plate, tmp_path / "out.mp4", claim, identity)
    nothing_left(tmp_path)


def test_a_person_can_stop_it(plate: Path, claim: Claim, identity: Identity, signed: Path, tmp_path: Path) -> None:
    reporter = Recorder()
    reporter.stop = True
    with pytest.raises(Cancelled):
        sign(plate, tmp_path / "out.mp4", claim, identity, reporter)
    nothing_left(tmp_path)
    reporter.stop = True
    with pytest.raises(Cancelled):
        verify(signed, reporter=reporter)


def test_a_second_ctrl_c_while_signing_does_not_end_the_process(
    plate: Path, claim: Claim, identity: Identity, tmp_path: Path
) -> None:
    class Impatient(Recorder):
        def advance(self, done: int, **figures: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sign(plate, tmp_path / "out.mp4", claim, identity, Impatient())
    nothing_left(tmp_path)


def test_progress_is_told_in_bytes(plate: Path, claim: Claim, identity: Identity, tmp_path: Path) -> None:
    class Counter(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.shares: list[float] = []

        def start(self, task: str, total: int | None, unit: str = "frames") -> None:
            super().start(f"{task} {unit}", total)
            self.total = total or 0

        def advance(self, done: int, **figures: float | str) -> None:
            self.shares.append(done / self.total)

    counter = Counter()
    sign(plate, tmp_path / "out.mp4", claim, identity, counter)
    assert counter.tasks == ["signing bytes", "checking every byte bytes"]
    assert counter.shares[-1] == 1 and max(counter.shares) == 1 and counter.shares.count(1) >= 2


def test_the_plate_is_never_written_over(plate: Path, claim: Claim, clip: Callable[..., Path]) -> None:
    before = sha256(plate)
    with pytest.raises(OutputError, match="the plate itself"):
        sign(clip("new.mp4"), plate, claim)
    assert sha256(plate) == before


def test_a_picture_without_credentials_is_unmarked(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(picture)
    assert verify(picture).state is State.UNMARKED


@pytest.mark.parametrize(
    "swap",
    [
        "text",
        7,
        {},
        {"model": "x"},
        {"frames_not_swapped": {"a": "b"}},
        {"frames_not_swapped": [1]},
        {"steps": None},
        {"use": ["a"]},
    ],
)
def test_a_forged_statement_in_another_form_is_no_mark(
    swap: object, plate: Path, claim: Claim, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = credentials._swap(plate, claim)
    told = {**whole, **swap} if isinstance(swap, dict) and swap else swap
    if told == {**whole, "model": "x"}:
        told = {"model": "x"}
    monkeypatch.setattr(credentials, "_swap", lambda *_: told)
    checked = []
    monkeypatch.setattr(credentials, "verify", lambda path, **_: checked.append(verify(path)) or checked[0])
    with pytest.raises(ProvenanceError):
        sign(plate, tmp_path / "out.mp4", claim, identity)
    assert checked[0].exit_code == 1 and "not in the form" in "\n".join(checked[0].summary())


def test_texts_from_the_file_cannot_command_the_terminal(
    plate: Path, claim: Claim, identity: Identity, tmp_path: Path
) -> None:
    nasty = replace(claim, model="\x1b[2J\nout.mp4: marked", plate=replace(claim.plate, name="a\x07" + "b" * 999))
    found = sign(plate, tmp_path / "out.mp4", nasty, identity)
    for line in found.summary():
        assert line.isprintable() and len(line) < 250


@pytest.mark.parametrize(
    ("state", "codes", "is_altered", "words"),
    [
        ("Valid", ["signingCredential.untrusted"], False, ""),
        ("Invalid", ["signingCredential.expired"], False, "no time stamp"),
        ("Invalid", ["signingCredential.untrusted", "assertion.bmffHash.mismatch"], True, "not those that were signed"),
        ("Invalid", ["some.future.code"], True, "some.future.code"),
        ("Invalid", [], True, "without a reason"),
    ],
)
def test_what_is_about_the_signer_and_what_about_the_bytes(
    state: str, codes: list[str], is_altered: bool, words: str
) -> None:
    failures = [{"code": code} for code in codes]
    for results in (
        {"activeManifest": {"failure": failures}},
        {"ingredientDeltas": [{"validationDeltas": {"failure": failures}}]},
    ):
        problems, failed = _judge(state, results)
        assert failed is is_altered
        assert words in " ".join(problems) and bool(problems) is bool(words)


def test_every_person_who_lent_a_face_is_named_once(plate: Path, claim: Claim, tmp_path: Path) -> None:
    (tmp_path / "bea.toml").write_text('version = 1\nperson = "Bea"\nbasis = "self"\nscope = ["any"]\n')
    bea = Consent.load(tmp_path / "bea.toml")
    others = tuple(
        FaceClaim(who=who, consent=consent, model="df", steps=3, preset="quick")
        for who, consent in (("person 1", bea), ("track 4", bea), ("track 5", claim.consent))
    )
    sign(plate, tmp_path / "out.mp4", replace(claim, others=others))
    told = verify(tmp_path / "out.mp4")
    assert [one["person"] for one in told.consents] == ["Anna Muster", "Bea"]
    assert told.consents[1]["record_sha256"] == bea.sha256
    assert [(one["who"], one["person"]) for one in told.swap["others"]] == [
        ("person 1", "Bea"), ("track 4", "Bea"), ("track 5", "Anna Muster"),
    ]  # fmt: skip
    text = "\n".join(told.summary())
    assert "df, preset quick, 3 steps, for track 5 as Anna Muster" in text and text.count("Bea, basis self") == 1


@pytest.mark.parametrize("others", ["Bea", [3], [{"person": "Bea"}], [{"person": 3, "basis": "", "scope": []}]])
def test_what_is_said_of_further_people_has_to_be_in_our_form(signed: Path, others: object) -> None:
    seen = store(signed)
    data = {item["label"]: item["data"] for item in seen["manifests"][seen["active_manifest"]]["assertions"]}
    assert _statement(data, "org.konterfei.consent")
    data["org.konterfei.consent"]["others"] = others
    assert _statement(data, "org.konterfei.consent") == {}
