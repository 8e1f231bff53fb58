"""Small synthetic clips and what it takes to sign them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import av
import numpy as np
import pytest

from konterfei.provenance.certificate import Identity, signing_identity
from konterfei.provenance.consent import Consent, require
from konterfei.provenance.credentials import Claim, Material, sign

TODAY = date(2026, 11, 21)


def make_clip(path: Path, frames: int = 10, faststart: bool = False, audio: bool = True) -> Path:
    """A moving square, 160 x 120, with a tone."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="mono") if audio else None
        for index in range(frames):
            image = np.full((120, 160, 3), 40, np.uint8)
            image[30:70, 10 + 3 * index : 50 + 3 * index] = (200, 60, 20)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if sound is not None:
            tone = np.sin(np.arange(1024 * 8) * 0.05).astype(np.float32).reshape(8, 1, 1024)
            for index, block in enumerate(tone):
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48000, index * 1024
                for packet in sound.encode(frame):
                    container.mux(packet)
            for packet in sound.encode():
                container.mux(packet)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """clip("a.mp4", frames=10, ...) -> a fresh file of that name."""
    return lambda name, **settings: make_clip(tmp_path_factory.mktemp("clip") / name, **settings)


@pytest.fixture(scope="session")
def plate(clip: Callable[..., Path]) -> Path:
    return clip("plate.mp4")


@pytest.fixture(scope="session")
def identity() -> Identity:
    return signing_identity()


@pytest.fixture(scope="session")
def consent(tmp_path_factory: pytest.TempPathFactory) -> Consent:
    path = tmp_path_factory.mktemp("consent") / "anna.toml"
    path.write_text('version = 1\nperson = "Anna Muster"\nbasis = "self"\nscope = ["lakeside", "tests *"]\n')
    return require(path, TODAY, "lakeside")


@pytest.fixture(scope="session")
def claim(plate: Path, consent: Consent, clip: Callable[..., Path]) -> Claim:
    return Claim(
        plate=Material.of(plate),
        consent=consent,
        model="liae",
        steps=600,
        preset="quick",
        frames_swapped=8,
        frames_not_swapped={"no face in the faceset": 2},
        label="corner",
        sources=(Material.of(clip("anna.mkv")), Material(name="run", sha256="ab" * 32)),
        use="lakeside",
        is_preview=True,
        settings={"color": "rct", "erode": 0.02, "sharpen": None, "hull": True},
    )


@pytest.fixture(scope="session")
def signed(plate: Path, claim: Claim, identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed result; tests that change it work on a copy."""
    output = tmp_path_factory.mktemp("signed") / "out.mp4"
    sign(plate, output, claim, identity)
    return output
