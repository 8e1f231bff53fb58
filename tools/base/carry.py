"""Makes the base of a run of `konterfei pretrain` one that the package carries.

    python tools/base/carry.py RUN PRESET --card card.json [--note "..."] [--trained-on "..."]

Checks that it is small enough and fits the preset; copies it to src/konterfei/weights/files; writes its entry into
src/konterfei/weights/bases.py, its row and its card into docs/bases.md (figures of card.py), the run's held-out curve
into tools/base/curves and docs/images, and the picture of held-out people beside it. The same command again changes
nothing. What it cannot do: look at the pictures and name them in tests/architecture/test_contents.py.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from card import read_card

from konterfei.cli.console import ConsoleReporter
from konterfei.errors import ConfigError, OutputError
from konterfei.io.atomic import size_text, write_bytes
from konterfei.io.images import encode_image
from konterfei.io.manifest import Manifest
from konterfei.io.run import VALIDATION, Run
from konterfei.models import MODELS
from konterfei.models.bases import Base, read_base
from konterfei.nets.film import EMBEDDING
from konterfei.reporting import Reporter
from konterfei.training.presets import PRESETS, Preset
from konterfei.weights.bases import BASES, FILE_NAME, MOST_BYTES, BaseRecord

ROOT = Path(__file__).resolve().parents[2]
LICENCE = "Apache-2.0"
"""Of the bases: the project's own. The pictures' (MIT) ask for their notices: weights/licences/bases.txt."""
CURVE = ("error", "ssim", "sharpness", "identity", "leftover", "distance")
"""Figures of the curve."""
WIDE = 112
"""Characters of a line of what is written into bases.py."""
LEARNED = {
    "portraits_train.faces": "{people:,} portraits of SFHQ and SFHQ-T2I (MIT)",
    "variants_train.faces": "{faces:,} variants of them with other expressions, drawn by konterfei",
    "performers_train.faces": "{faces:,} pictures of four performers of openpeople (MIT) and renderings of them",
}
"""Faceset -> what is in it."""
TOLD = (
    "share_of_width",
    "steps",
    "minutes",
    "disguise",
    "eyes_mouth",
    "batch",
    "rate",
    "patience",
    "validate_steps",
    "seed",
)
"""Settings by which a run can be repeated."""


def main() -> None:
    """Reads what is asked for, and does it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the pretraining")
    parser.add_argument("preset", choices=sorted(PRESETS), metavar="PRESET", help="that begins with it")
    parser.add_argument("--card", type=Path, required=True, help="the JSON that card.py wrote")
    parser.add_argument("--note", default="", help="where it fails, in a sentence; else the groups that do worse")
    parser.add_argument("--trained-on", default="", help="whose faces, with licences; else told by the facesets' names")
    parser.add_argument("--day", default="", help="on which it was made, as 2026-11-22; else today")
    given = parser.parse_args()
    with ConsoleReporter.on_stderr() as reporter:
        parcel = packed(given.run, given.preset, given.card, given.note, given.trained_on, given.day)
        carry(parcel, ROOT, reporter)


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What is carried: everything that will be written, not yet where it belongs.

    Attributes:
        preset: that begins with it.
        record: its entry in the table.
        base: itself.
        data: the bytes of its file.
        markdown: its card.
        picture: held-out people, JPEG.
        curve: what was measured while it learned.
    """

    preset: str
    record: BaseRecord
    base: Base
    data: bytes
    markdown: str
    picture: bytes
    curve: Sequence[Mapping[str, Any]]


def packed(folder: Path, preset: str, card: Path, note: str = "", trained_on: str = "", day: str = "") -> Parcel:
    """Look whether a run's base can be carried, and put together what belongs to it.

    Args:
        folder: of the run.
        preset: that is to begin with it.
        card: JSON of `card.py`; Markdown and picture lie beside it.
        note, trained_on: for the record; "" = of the card, and by the names of the facesets.
        day: on which it was made; "" = as the table has it already, else today.

    Raises:
        ConfigError: it is too large, does not fit, or the card is another base's.
        StoreError: no run, no base, or damaged.
    """
    run, file = Run.open(folder), folder / FILE_NAME
    base = read_base(file)
    data = file.read_bytes()
    refuse_unfit(base, len(data), preset, PRESETS[preset])
    figures = read_card(card)
    if figures["base"]["sha256"] != base.sha256:
        raise ConfigError(f"'{card}' is the card of another base than '{file}'. Make it again (tools/base/card.py).")
    curve = [line for line in run.metrics(VALIDATION) if line["step"] <= _last_step(run)]
    if not curve:
        raise ConfigError(f"'{folder}' has no held-out curve: it was never validated. Train it for longer.")
    known = BASES.get(preset)
    record = BaseRecord(
        file=f"base_{preset}.safetensors",
        sha256=base.sha256,
        size=len(data),
        version=day or (known.version if known and known.sha256 == base.sha256 else f"{datetime.now(UTC):%Y-%m-%d}"),
        licence=LICENCE,
        trained_on=trained_on or trained_on_of(base),
        card=f"base_{preset}",
        note=note or note_of(figures),
    )
    return Parcel(
        preset=preset,
        record=record,
        base=base,
        data=data,
        markdown=card_of(record, base, Manifest.load(folder), preset, card.with_suffix(".md").read_text("utf-8")),
        picture=card.with_suffix(".jpg").read_bytes(),
        curve=curve,
    )


def _last_step(run: Run) -> int:
    lines = run.metrics()
    return int(lines[-1]["step"]) if lines else 0


def refuse_unfit(base: Base, size: int, name: str, preset: Preset) -> None:
    """Raises ConfigError unless runs of the preset can begin with a base of so many bytes."""
    if size > MOST_BYTES:
        raise ConfigError(
            f"'{base.path}' has {size_text(size)}, and {size_text(MOST_BYTES)} are the most that is carried. "
            "Pretrain with a smaller --share-of-width."
        )
    if wrong := {str(array.dtype) for array in base.weights.values()} - {"float16"}:
        raise ConfigError(f"'{base.path}' is in {', '.join(sorted(wrong))}, not in half precision. Write it again.")
    if reason := base.differs_from(preset.model, preset.dims, preset.face_type):
        raise ConfigError(f"'{base.path}' does not fit the preset '{name}': {reason}.")
    people = torch.nn.functional.normalize(torch.randn(2, EMBEDDING, generator=torch.manual_seed(1)), dim=1)
    weights = base.for_pair(preset.dims, *people)
    MODELS.load(preset.model)(preset.dims).load_state_dict(weights)


def trained_on_of(base: Base) -> str:
    """In words whose faces a base learned from. Raises ConfigError for facesets that are not ours."""
    learned = [one for one in base.info.get("facesets", ()) if one["faces"]]
    if not learned or (strange := [one["name"] for one in learned if one["name"] not in LEARNED]):
        raise ConfigError(
            f"'{base.path}' learned from {', '.join(strange) if learned else 'facesets that it does not name'}: "
            "say with --trained-on whose faces these are, and under which licences."
        )
    *most, last = (LEARNED[one["name"]].format(**one) for one in learned)
    text = f"{', '.join(most)}, and {last}" if most else last
    if before := base.info.get("base"):
        if _carried(before) is None:
            raise ConfigError(
                f"'{base.path}' began with the base '{before['name']}', which is none that is carried: say with "
                "--trained-on whose faces both learned from, and under which licences."
            )
        text += f"; the base `{before['name']}` ({before['sha256'][:8]}), with which it began, from those on its card"
    return f"{text}. None of these people exists."


def _carried(before: Mapping[str, Any]) -> str | None:
    """The preset whose carried base this is, which another began with; None = it is not carried."""
    return next((preset for preset, record in BASES.items() if record.sha256 == before["sha256"]), None)


def note_of(figures: Mapping[str, Any]) -> str:
    """In a sentence or two where a base fails, by its card."""
    groups = list(dict.fromkeys(figures["worse_groups"]))
    said = [f"Does worse on {', '.join(groups)}."] if groups else ["Does worse on no group that was looked at."]
    followed = figures["lids"]["followed_swapped"]
    if followed is not None and followed < 0.8:
        said.append(f"Lids that close go {100 * followed:.0f} % of their way.")
    return " ".join(said)


def card_of(record: BaseRecord, base: Base, manifest: Manifest | None, preset: str, figures: str) -> str:
    """The section of docs/bases.md."""
    dims = base.dims
    sizes = f"{base.model}, {dims.resolution} px, widths {dims.ae}/{dims.encoder}/{dims.decoder}/{dims.mask}"
    minutes = base.info.get("minutes")
    learned = f"{base.steps:,} steps" + (f" in {minutes / 60:.1f} hours" if minutes else "")
    if before := base.info.get("base"):
        learned += f", {before['steps']:,} of them in the base `{before['name']}` "
        learned += f"({before['sha256'][:8]}), with which it began"
    return "\n".join(
        [
            f"## {record.card}",
            "",
            f"- file: `{record.file}`, {record.size:,} bytes, sha256 `{record.sha256}`",
            f"- what it is: {sizes}, {base.face_type} faces; fits the preset `{preset}`",
            f"- made: {record.version}, {learned}: {command_of(manifest, preset, base)}",
            f"- licence: {record.licence} (`licences/apache-2.0.txt`; the pictures' notices: `licences/bases.txt`)",
            f"- learned from: {record.trained_on}",
            f"- fails: {record.note}",
            "",
            f"![Held-out people while it learned](images/{record.card}_curve.png)",
            "",
            f"The same as figures: [{record.card}.txt](../tools/base/curves/{record.card}.txt).",
            "",
            figures.strip(),
            "",
            "### Some of them",
            "",
            "Of each row: the picture, drawn as themselves, and as each of the four in the top row. Nobody in it was "
            "learned from, and nobody in it exists.",
            "",
            f"![Held-out people as the base draws them](images/{record.card}.jpg)",
        ]
    )


def command_of(manifest: Manifest | None, preset: str, base: Base) -> str:
    """What was typed, but for what changes nothing: where the run lies, on what it ran, how often it saved."""
    config = (manifest.settings if manifest else {}).get("config")
    if not config:
        raise ConfigError("The run's manifest does not say how it was made. It lies in the run's folder.")
    from konterfei.stages.pretrain import PretrainConfig

    usual = {field.name: field.default for field in fields(PretrainConfig)}
    words = ["konterfei pretrain", *(Path(folder).name for folder in config["facesets"])]
    for folder in config["held"]:
        words += ["--held", Path(folder).name]
    words += ["-o", f"base_{preset}", "--preset", config["preset"]]
    for name in TOLD:
        if config[name] not in (None, usual[name]):
            words += [f"--{name.replace('_', '-')}", f"{config[name]:g}"]
    if before := base.info.get("base"):
        words += ["--base", "default" if _carried(before) == preset else before["name"]]
    return f"`{' '.join(words)}`"


# --- where it belongs


def carry(parcel: Parcel, root: Path, reporter: Reporter) -> list[Path]:
    """Write everything to its place in the repository; gives the files that were not like that already.

    Args:
        parcel: what is carried.
        root: of the repository.
        reporter: is told what was written, and what is left to a person.

    Raises:
        OutputError: something cannot be written, or is not there to be changed.
    """
    record = parcel.record
    table, page = root / "src/konterfei/weights/bases.py", root / "docs/bases.md"
    wanted = {
        root / "src/konterfei/weights/files" / record.file: parcel.data,
        table: with_record(_text(table), {**BASES, parcel.preset: record}).encode(),
        page: with_card(_text(page), parcel.preset, record, parcel.base, parcel.markdown).encode(),
        root / "tools/base/curves" / f"{record.card}.txt": curve_text(parcel.curve).encode(),
        root / "docs/images" / f"{record.card}_curve.png": curve_picture(parcel.curve, parcel.base),
        root / "docs/images" / f"{record.card}.jpg": parcel.picture,
    }
    changed = [path for path, data in wanted.items() if not path.exists() or path.read_bytes() != data]
    for path in changed:
        write_bytes(path, wanted[path])
    if not changed:
        reporter.note(f"Nothing to do: the base of the preset '{parcel.preset}' is carried already.")
        return []
    names = ", ".join(path.relative_to(root).as_posix() for path in changed)
    reporter.note(
        f"Written: {names}. Look at the pictures, name them in tests/architecture/test_contents.py, then run "
        "tests/unit/weights and tests/architecture."
    )
    return changed


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise OutputError(f"'{path}' is to be changed, and is not there. Run this in the repository.") from error


def with_record(text: str, bases: Mapping[str, BaseRecord]) -> str:
    """The module of the table with these entries. Raises OutputError where it has no table."""
    entries = "".join(f'    "{name}": BaseRecord(\n{_arguments(record)}    ),\n' for name, record in bases.items())
    changed, count = re.subn(
        r"^(BASES: dict\[str, BaseRecord\] = )\{.*?\}$(?=\n\"\"\")",
        lambda found: f"{found[1]}{{\n{entries}}}",
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    if count != 1:
        raise OutputError("weights/bases.py has no table BASES as this script knows it. Write the entry by hand.")
    return changed


def _arguments(record: BaseRecord) -> str:
    lines = []
    for field in fields(BaseRecord):
        value, pad = getattr(record, field.name), " " * 8
        said = _quoted(value) if isinstance(value, str) else str(value)
        if len(said) + len(field.name) + 10 <= WIDE:
            lines.append(f"{pad}{field.name}={said},\n")
            continue
        parts = textwrap.wrap(value, WIDE - 20, drop_whitespace=False, break_on_hyphens=False)
        lines.append(f"{pad}{field.name}={_quoted(parts[0])}\n")
        lines += [f"{pad}{_quoted(part)}\n" for part in parts[1:]]
        lines[-1] = lines[-1].rstrip("\n") + ",\n"
    return "".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def with_card(text: str, preset: str, record: BaseRecord, base: Base, markdown: str) -> str:
    """docs/bases.md with the row and the card of a base. Raises OutputError where it has no table."""
    row = (
        f"| `{preset}` | [{record.card}](#{record.card}) | {base.model}, {base.dims.resolution} px, "
        f"{size_text(record.size)}, {base.steps:,} steps |"
    )
    head = "| preset | base | what it is |\n|---|---|---|\n"
    if head not in text:
        raise OutputError("docs/bases.md has no table of presets as this script knows it. Write the row by hand.")
    before, _, after = text.partition(head)
    rows, _, rest = after.partition("\n\n") if not after.startswith("\n") else ("", "", after[1:])
    others = [line for line in rows.splitlines() if not line.startswith(f"| `{preset}` |")]
    said = before.replace("carries one for its preset; none is carried yet.", "carries one for its preset.")
    text = f"{said}{head}" + "\n".join([*others, row]) + f"\n\n{rest}"
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    kept = [part for part in parts if not part.startswith(f"## {record.card}\n")]
    return "".join(kept).rstrip() + f"\n\n{markdown.rstrip()}\n"


# --- the curve


def curve_text(curve: Sequence[Mapping[str, Any]]) -> str:
    """Steps, minutes of training, and what was measured on held-out people; columns separated by tabs."""
    rows = [["step", "minutes", *CURVE]]
    for line in curve:
        figures = ["" if line.get(name) is None else f"{line[name]:.4f}" for name in CURVE]
        rows.append([str(line["step"]), f"{line['trained_s'] / 60:.1f}", *figures])
    return "\n".join("\t".join(row) for row in rows) + "\n"


def curve_picture(curve: Sequence[Mapping[str, Any]], base: Base) -> bytes:
    """A panel for each figure over the steps, dotted where the base was taken. PNG"""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(9.0, 3.8), dpi=80, facecolor="white", layout="constrained")
    steps, before = [line["step"] for line in curve], (base.info.get("base") or {}).get("steps", 0)
    for name, axis in zip(CURVE, canvas.subplots(2, 3).ravel(), strict=True):
        values = [np.nan if line.get(name) is None else line[name] for line in curve]
        axis.plot(steps, values, color="#2f6db5", linewidth=1.5, marker="." if len(steps) < 3 else "")
        axis.axvline(base.steps - before, color="#c2553f", linewidth=1, linestyle=":")
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.25)
    canvas.supxlabel("steps; dotted: the base", fontsize=8)
    drawn = FigureCanvasAgg(canvas)
    drawn.draw()
    return bytes(encode_image(np.asarray(drawn.buffer_rgba())[..., :3].copy(), ".png", 9))


if __name__ == "__main__":
    main()
