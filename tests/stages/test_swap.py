"""What `swap` refuses before it begins, leaving nothing behind. The whole way is in tests/end_to_end."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from konterfei.cli import main
from konterfei.errors import ConfigError, NoFacesError
from konterfei.io.video import VideoWriter
from konterfei.provenance.consent import Consent
from konterfei.reporting import Recorder, Silent
from konterfei.stages.swap import SwapConfig, swap
from konterfei.weights import bases


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two dull videos and a consent record, where the command is run."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.mp4", "b.mp4")):
        picture = np.random.default_rng(seed).integers(0, 255, (64, 96, 3), dtype=np.uint8)
        with VideoWriter(tmp_path / name, 96, 64, preset="ultrafast") as writer:
            for index in range(5):
                writer.write(picture, Fraction(index, 25))
    Consent(person="Nobody", basis="synthetic", scope=("any",)).save(tmp_path / "anna.toml")
    Consent(person="Anna", basis="self", scope=("lakeside",)).save(tmp_path / "narrow.toml")
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "mine.mp4").write_bytes((tmp_path / "b.mp4").read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--src none.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml", "none.mp4"),
        ("--src text.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml", "text.mp4"),
        ("--src a.mp4 --dst empty.mp4 -o out.mp4 --consent anna.toml", "empty"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent none.toml", "konterfei consent new"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4", "konterfei consent new"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent narrow.toml", "--use"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent narrow.toml --use trailer", "does not cover"),
        ("--src a.mp4 --dst b.mp4 -o out.avi --consent anna.toml", "out.mp4"),
        ("--src a.mp4 --dst b.mp4 -o mine.mp4 --consent anna.toml", "not made by this merge"),
        ("--src a.mp4 --dst b.mp4 -o text.mp4/out.mp4 --consent anna.toml", "not a folder"),
        ("--src a.mp4 --dst b.mp4 -o b.mp4 --consent anna.toml", "same file"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml --train-minutes 0", "--train-minutes"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml --key k.pem", "--certificate"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml --preset quik", "quick"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml --base mine", "there is no file 'mine'"),
        ("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml --base mine.mp4", "is no base"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], line: str, said: str
):
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert main(["swap", *shlex.split(line)]) == 2
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_a_full_disk_is_noticed_before_the_work(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("konterfei.io.atomic.free_space", lambda path: 1000)
    assert main(["swap", *shlex.split("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml")]) == 2
    assert "Free some space" in capsys.readouterr().err


def test_videos_without_faces_say_where_was_looked(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["swap", *shlex.split("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml")]) == 2
    assert "a.mp4" in capsys.readouterr().err
    assert not (here / "out.mp4").exists()


def test_a_damaged_base_of_ours_is_noticed_before_the_work(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    record = bases.BaseRecord(
        file="base_quick.safetensors", sha256="00" * 32, size=1, version="", licence="", trained_on="", card="", note=""
    )
    monkeypatch.setitem(bases.BASES, "quick", record)
    (here / record.file).write_bytes(b"x")
    monkeypatch.setattr(bases, "FILES", here)
    bases.base_path.cache_clear()
    line = shlex.split("--src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml")
    assert main(["swap", *line]) == 1
    assert "The base 'quick'" in capsys.readouterr().err
    assert not (here / "out.konterfei").exists()


def config(**changes: object) -> SwapConfig:
    given = {"src": Path("a.mp4"), "dst": Path("b.mp4"), "output": Path("film/out.mp4"), "consent": Path("c.toml")}
    return SwapConfig(**{**given, **changes})  # type: ignore[arg-type]


def test_the_project_lies_beside_the_output_unless_named():
    assert config().layout.project == Path("film/out.konterfei")
    assert config(project=Path("p")).layout.src_faces == Path("p/identities/a/faces")
    assert config().layout.report == Path("film/out.report.jpg")


@pytest.mark.parametrize(
    "change", [{"preset": "standard"}, {"src_person": "1"}, {"dst_person": "x/anna.jpg"}, {"src": Path("c.mp4")}]
)
def test_what_makes_another_model_has_another_folder(change: dict[str, object]):
    assert config(**change).layout.run != config().layout.run


def test_folders_of_pictures_keep_their_whole_name(tmp_path: Path):
    (tmp_path / "take.2").mkdir()
    assert config(src=tmp_path / "take.2").layout.src_faces.parent.name == "take.2"


def test_names_of_videos_become_harmless_folder_names():
    layout: Callable[[str], Path] = lambda name: config(src=Path(name)).layout.src_faces.parent  # noqa: E731
    assert layout("Anna Muster (take 2).mp4").name == "Anna-Muster-take-2"
    assert layout("...mp4").name not in ("", ".", "..")


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Stages that do nothing and keep the config that they were given, by name."""
    given: dict[str, object] = {}
    results = {
        "extract": None,
        "train": SimpleNamespace(is_stopped=False, steps=9, is_preview=False),
        "merge": SimpleNamespace(summary=lambda: ["merged"]),
        "evaluate": SimpleNamespace(figures=lambda: ["measured"], page=Path("out.report.html")),
    }

    def install(name: str, result: object) -> None:
        def stage(config: object, reporter: object) -> object:
            given[name] = config
            return result

        monkeypatch.setattr(f"konterfei.stages.{name}.{name}", stage)

    for name, result in results.items():
        install(name, result)
    return given


def test_every_stage_is_given_what_the_swap_was(here: Path, stages: dict[str, SimpleNamespace]):
    given = config(
        output=here / "out.mp4",
        consent=Path("anna.toml"),
        force=True,
        label="caption",
        preset="tiny",
        fps="30",
        base="none",
    )
    result = swap(given, Silent())
    assert stages["merge"].force and stages["extract"].force
    assert (stages["merge"].label, stages["train"].preset) == ("caption", "tiny")
    assert stages["train"].base == "none"
    assert (stages["extract"].fps, stages["merge"].fps) == ("30", None), "the merge takes that of the faceset"
    assert result.report == given.layout.report and result.told == ("merged", "measured")
    assert (stages["evaluate"].renders, stages["evaluate"].project) == ((here / "out.mp4",), given.layout.project)
    assert any("out.report.html" in line for line in result.summary())


def test_a_video_that_cannot_be_measured_is_there_all_the_same(
    here: Path, stages: dict[str, SimpleNamespace], monkeypatch: pytest.MonkeyPatch
):
    def refuse(config: object, reporter: object) -> None:
        raise NoFacesError("No frame shows a face clearly enough.")

    monkeypatch.setattr("konterfei.stages.evaluate.evaluate", refuse)
    told = Recorder()
    result = swap(config(output=here / "out.mp4", consent=Path("anna.toml")), told)
    assert (result.report, result.page) == (None, None) and result.told == ("merged",)
    assert "clearly enough" in told.warnings[-1] and "complete" in told.warnings[-1]
    assert any("could not be measured" in line for line in result.summary())


def test_an_output_that_is_an_input_is_refused_in_python_too():
    with pytest.raises(ConfigError, match="--dst"):
        config(output=Path("b.mp4"))
