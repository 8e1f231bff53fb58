"""What a preview is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

from konterfei.compositing import MergeSettings
from konterfei.compositing.layers import Value, controls
from konterfei.errors import ConfigError, UnknownNameError
from konterfei.fields import choices
from konterfei.io.sequence import frame_rate, is_pattern
from konterfei.provenance.label import LABELS
from konterfei.stages import _merge_checks as checks
from konterfei.stages._settings import allow


@dataclass(frozen=True, kw_only=True)
class PreviewConfig(MergeSettings):
    """Look at single frames of a merge: the pixels that konterfei merge will give, labelled and signed like these."""

    video: Path
    """The plate, as for konterfei merge."""
    faces: Path
    """Its faceset."""
    model: Path
    """Run to swap with."""
    output: Path
    """Picture to write (.png); for several frames a folder, or a pattern (look.%04d.png)."""
    consent: Path
    """Consent record of the src person."""
    use: str | None = None
    """What it is for, as the consent record's scope names it. Not needed where the scope is "any"."""
    frame: tuple[str, ...] = ()
    """Which frame, from 0. Several: repeat the flag, or 10,250. Default: the middle one of those with a face."""
    keys: Path | None = None
    """File of settings for single frames, shots and faces, as for konterfei merge."""
    compare: bool = False
    """Put the plate beside the result."""
    names: bool = False
    """Write beside every face which track and person it is, as [[faces]] in the file of keys calls them."""
    grid: str | None = None
    """A control: makes one picture of the frame with every choice of it (color), or with these values of it
    (erode=0,0.05,0.1)."""
    watch: bool = False
    """Look again whenever the file of keys is saved, until Ctrl-C."""
    fps: str | None = None
    """Frames per second of a plate that is pictures, as for konterfei merge."""
    segmenter: Path | None = None
    """XSeg model for masks with xseg in their name, as for konterfei merge."""
    snapshot: str = "newest"
    """Which of the run's weights: newest, best, or those of a step."""
    morph: float = 1.0
    """How far from dst (0) to src (1) the face is drawn. Only a model of the kind amp can stop in between."""
    src_videos: tuple[Path, ...] = ()
    """Videos (or folders of pictures) of the src person, named in the credentials. When not given, what the run's src
    faceset says."""
    label: Annotated[str, LABELS] = "corner"
    """Visible sign that the picture was altered: corner, caption or none. Leaving it out is recorded in the picture."""
    batch: int = 8
    """Faces that the model draws at once. As in the merge, for the very same pixels."""
    threads: int = 0
    """CPU threads of the model; 0 = one per core, less one."""
    device: str = "auto"
    """Processor of the model: auto, cpu, cuda, cuda:1, mps."""
    certificate: Path | None = None
    """Certificate chain (PEM) to sign with. None = one that konterfei makes for you, which proves no name."""
    key: Path | None = None
    """Private key (PEM) of the certificate."""
    force: bool = False
    """Replace pictures that konterfei did not make, and take a faceset of the same shot in another encoding."""

    def __post_init__(self) -> None:
        super().__post_init__()
        LABELS[self.label]
        checks.refuse_without_segmenter([self], self.segmenter)
        if self.fps is not None:
            frame_rate(self.fps)
        frames = self.frames
        allow("--morph", self.morph, 0 <= self.morph <= 1, "0 (dst) to 1 (src)")
        allow("--batch", self.batch, self.batch >= 1, "1 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        if self.output.suffix and self.output.suffix.lower() != ".png":
            raise ConfigError(f"--output is '{self.output}': a preview is a .png, or a folder or pattern of them.")
        if self.output.suffix and len(frames) > 1 and not is_pattern(self.output):
            raise ConfigError(
                f"--output is the one picture '{self.output}', for {len(frames)} frames. Name a folder, or a pattern "
                f"such as {self.output.stem}.%04d.png."
            )
        if self.watch and self.keys is None:
            raise ConfigError("--watch looks at the file of keys. Add --keys merge.toml (konterfei keys begins one).")
        if self.grid is not None:
            grid_choices(self.grid)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames asked for."""
        parts = [part.strip() for text in self.frame for part in text.split(",")]
        for part in parts:
            allow("--frame", f"'{part}'", part.isdecimal(), "numbers of frames from 0, 10 or 10,250")
        return tuple(int(part) for part in parts)


def grid_choices(text: str) -> tuple[str, tuple[Value, ...]]:
    """The control and its values of "color" (all of them) or "erode=0,0.05".

    Raises:
        UnknownNameError, ConfigError: there is no such control or value.
    """
    written, _, given = text.partition("=")
    name = written.strip().replace("-", "_")
    if name not in controls():
        raise UnknownNameError("control", written, controls())
    kind, known = controls()[name], choices(get_type_hints(MergeSettings, include_extras=True)[name])
    words: list[str] = [word.strip() for word in given.split(",")] if given else list(known)
    if kind is bool and not given:
        words = ["true", "false"]
    if not words:
        raise ConfigError(f"--grid {name} needs values, for example --grid {name}=0,0.1,0.2.")
    values: list[Value] = []
    for word in words:
        try:
            values.append(word == "true" if kind is bool else kind(word))
        except ValueError:
            raise ConfigError(f"--grid {text}: '{word}' is no number.") from None
        if known and word not in known:
            raise UnknownNameError(name, word, known)
    return name, tuple(values)
