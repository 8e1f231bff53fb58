from __future__ import annotations

from datetime import date
from pathlib import Path

import av
import numpy as np
import pytest

from konterfei.errors import ConfigError, ConsentError, UnreadableMediaError
from konterfei.provenance.certificate import own_roots
from konterfei.provenance.consent import Consent
from konterfei.provenance.credentials import Claim, Material, sign
from konterfei.reporting import Recorder
from konterfei.stages.verify import VerifyConfig, verify


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with plate.mp4, anna.toml and the marked out.mp4."""
    folder = tmp_path_factory.mktemp("verify")
    with av.open(str(folder / "plate.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for level in range(5):
            image = np.full((64, 96, 3), 40 * level, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    Consent(person="Nobody", basis="synthetic", scope=("any",), created=date(2026, 1, 1)).save(folder / "anna.toml")
    claim = Claim(
        plate=Material.of(folder / "plate.mp4"),
        consent=Consent.load(folder / "anna.toml"),
        model="df",
        steps=20,
        preset="quick",
        frames_swapped=5,
        label="none",
    )
    sign(folder / "plate.mp4", folder / "out.mp4", claim)
    return folder


def test_a_marked_video(made: Path) -> None:
    reporter = Recorder()
    found = verify(VerifyConfig(video=made / "out.mp4"), reporter)
    assert found.exit_code == 0 and reporter.tasks == ["checking every byte"]
    assert "a face was replaced in 5 of 5 frames" in "\n".join(found.summary())
    assert any(line.split() == ["label", "none"] for line in found.summary()), "no label is said to be none"


def test_an_unmarked_video(made: Path) -> None:
    assert verify(VerifyConfig(video=made / "plate.mp4"), Recorder()).exit_code == 1


def test_the_consent_record_is_compared(made: Path, tmp_path: Path) -> None:
    config = VerifyConfig(video=made / "out.mp4", consent=made / "anna.toml")
    reporter = Recorder()
    assert verify(config, reporter).exit_code == 0 and "is the consent record" in reporter.notes[0]
    other = tmp_path / "other.toml"
    other.write_bytes((made / "anna.toml").read_bytes() + b"# changed\n")
    found = verify(VerifyConfig(video=made / "out.mp4", consent=other), Recorder())
    assert found.exit_code == 1 and found.untouched and "not the consent record" in found.problems[0]
    with pytest.raises(ConsentError, match=r"gone\.toml"):
        verify(VerifyConfig(video=made / "out.mp4", consent=tmp_path / "gone.toml"), Recorder())
    found = verify(VerifyConfig(video=made / "plate.mp4", consent=made / "anna.toml"), Recorder())
    assert found.exit_code == 1 and found.consent_fits is None


def test_roots_that_the_user_trusts(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root.pem"
    root.write_text(own_roots())
    monkeypatch.setenv("KONTERFEI_CONFIG", str(tmp_path / "none"))
    assert verify(VerifyConfig(video=made / "out.mp4"), Recorder()).vouched_by == ""
    assert verify(VerifyConfig(video=made / "out.mp4", trust=root), Recorder()).vouched_by == "the given roots"
    for content, word in ((b"\xff", "no PEM"), (b"hello", "no PEM")):
        root.write_bytes(content)
        with pytest.raises(ConfigError, match=word):
            verify(VerifyConfig(video=made / "out.mp4", trust=root), Recorder())
    root.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    for path, word in ((root, "damaged"), (tmp_path / "gone.pem", "cannot be read")):
        with pytest.raises(ConfigError, match=word):
            verify(VerifyConfig(video=made / "out.mp4", trust=path), Recorder())


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="does not exist"):
        verify(VerifyConfig(video=tmp_path / "gone.mp4"), Recorder())
