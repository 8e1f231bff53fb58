"""Measures a base on people whom it never saw, by group, and writes the figures for its card in docs/bases.md.

    python tools/base/card.py BASE.safetensors --held OUT/portraits_held.faces OUT/variants_held.faces \\
        --train OUT/portraits_train.faces OUT/variants_train.faces OUT/performers_train.faces -o card.md

Beside card.md are written card.json (the same figures, and which base they are of) and card.jpg (held-out people as the
base draws them). `carry.py --card card.json` puts all of it where it belongs. BASE may also be the run's folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from card_figures import Eyes, groups_of, leak, measure, worse_groups
from card_page import Card, sheet
from held_out import HeldOut, families_never_seen, held_out, learned_from
from numpy.typing import NDArray
from portraits import LIST, read_list

from konterfei.cli.console import ConsoleReporter
from konterfei.errors import ConfigError
from konterfei.io.atomic import write_bytes, write_json
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.landmarkers.mesh478 import Mesh478
from konterfei.models.bases import Base, read_base
from konterfei.models.swapper import Drawing
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.weights.bases import FILE_NAME

SECOND = "faceres"
"""The recognizer that nothing learned from."""
QUALITY = 88
"""Of the picture's JPEG."""


def main() -> None:
    """Reads what is asked for, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, metavar="BASE", help="base.safetensors, or the run that it lies in")
    parser.add_argument("--held", type=Path, nargs="+", required=True, metavar="FACESET", help="portraits, variants")
    parser.add_argument("--train", type=Path, nargs="+", required=True, metavar="FACESET", help="what it learned from")
    parser.add_argument("--list", type=Path, default=LIST, help="the list of portraits")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="CARD.md")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with ConsoleReporter.on_stderr() as reporter:
        base = read_base(given.base / FILE_NAME if given.base.is_dir() else given.base)
        eyes = Eyes(
            recognizers={name: RECOGNIZERS.load(name)(threads=given.threads) for name in ("mobilefacenet", SECOND)},
            landmarker=Mesh478(threads=given.threads),
        )
        held, train = ([Faceset.open(path, reporter=reporter) for path in paths] for paths in (given.held, given.train))
        text = make_card(base, held, train, given.list, given.output, eyes, given.seed, reporter)
        reporter.note(f"{text} All of it: {given.output}")


def make_card(
    base: Base,
    held: Sequence[Faceset],
    train: Sequence[Faceset],
    listed: Path,
    output: Path,
    eyes: Eyes,
    seed: int,
    reporter: Reporter,
) -> str:
    """Measure, and write Markdown, JSON and the picture; gives the sentence on the groups that do worse.

    Args:
        base: which.
        held: faceset of the portraits that are held out; then, if at all, that of their variants.
        train: those that it learned from.
        listed: the list.
        output: the Markdown's path.
        eyes: who looks.
        seed: of who is drawn as whom and of the intervals.
        reporter: is told how far it is.

    Raises:
        ConfigError: a base of other people than the list's, or too few are held out.
        FacesetError: a faceset cannot be used.
    """
    portraits = read_list(listed)
    people, *others = (held_out(faceset, portraits, base, reporter) for faceset in held)
    if len(people) < 3:
        raise ConfigError(f"{len(people)} people are held out; it takes three to draw them as one another.")
    drawing = Drawing(base.many(), base.face_type, torch.device("cpu"), "fp32")
    found = measure(drawing, people, others[0] if others else None, eyes, seed, reporter)
    learned = learned_from(train, found.shown.who, eyes.recognizers, reporter)
    groups = groups_of(people, families_never_seen(portraits))
    card = Card(
        found=found,
        groups=groups,
        worse=list(worse_groups(groups, found.values, seed)),
        leak=leak(found, learned, np.array([one.family for one in people.portraits]), seed),
        num_learned=len(learned),
        seed=seed,
    )
    about = {"base": {"sha256": base.sha256, "steps": base.steps, "model": base.model}, **card.to_json()}
    write_bytes(output, card.markdown().encode())
    write_json(output.with_suffix(".json"), about)
    picture = sheet(found, partial(_as, drawing, people), groups, seed)
    write_image(output.with_suffix(".jpg"), picture, quality=QUALITY)
    return card.worse_text()


def _as(drawing: Drawing, people: HeldOut, faces: NDArray[Any], others: NDArray[Any]) -> NDArray[np.uint8]:
    """Some of the people pasted over as others are drawn."""
    from konterfei.training.crowd_validation import Shown

    shown = Shown.of(people.faces.some(faces), drawing.resolution)
    who = np.asarray(people.faces.who)[others]
    _, masks = shown.as_themselves(drawing, who)
    return np.asarray(shown.as_others(drawing, who, masks), np.uint8)


def read_card(path: Path) -> dict[str, Any]:
    """The JSON of a card. Raises ConfigError where it is none."""
    try:
        card: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not {"base", "groups", "leak", "lids", "worse_groups"} <= card.keys():
            raise ValueError("figures are missing")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"'{path}' is no card ({error}). Make it with tools/base/card.py.") from error
    return card


if __name__ == "__main__":
    main()
