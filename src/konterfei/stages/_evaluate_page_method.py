"""The last part of the evaluation's page: how it was measured, by which networks, and what the figures cannot tell."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from konterfei.metrics import confidence
from konterfei.metrics.evaluation import Evaluated
from konterfei.stages import _page as html
from konterfei.stages._evaluate_networks import networks_of

STYLE = """
.told { display: grid; grid-template-columns: minmax(6rem, max-content) minmax(0, 1fr); gap: .1rem 1rem;
  font-size: .9rem; margin: .4rem 0 1rem; } .told dt { color: var(--soft); } .told dd { margin: 0;
  overflow-wrap: anywhere; } .limits { border-left: .3rem solid var(--usable); padding: .1rem 0 .1rem .8rem; }
"""
_LIMITS = (
    "Networks look, not people. All figures but those of pixels (flicker, sharpness, background, seam) are what the "
    "networks below make of the pictures, with their errors. Plate and result are looked at alike, so what a network "
    "adds to both is taken out; what it overlooks in the swap alone is not.",
    "Recognizers learned from pictures of famous people, most of them adult and white. A limit that suits one group of "
    "people is too lax for another, and what was measured of that (docs/limits.md) is of generated portraits, not of "
    "real people, children or the old. Compare with the plate's own likeness to src, not with figures of other people.",
    "Likeness to src is measured against the mean of the src faceset, from which the model as a rule learned too. It "
    "says nothing about how a viewer who knows the person would judge.",
    "An interval tells chance in the choice of frames of this performance. Another clip, another light, another "
    "training of the same model may differ by more.",
    "No figure here tells whether a film works. Look at the worst frames.",
)


def method(evaluated: Sequence[Evaluated]) -> str:
    """How it was measured. Of several results what differs is told of each."""
    first = evaluated[0]
    blocks = ['<section id="method"><h2>Limits of these figures</h2><div class="limits">']
    blocks += [html.paragraph(words) for words in _LIMITS]
    blocks.append("</div><h2>Networks</h2>")
    for network in _networks(evaluated):
        title = f"{network.pop('role')}: {network.pop('name')}"
        blocks.append(f"<h3>{html.text(title)}</h3>{_told(network)}")
    blocks.append("<h2>How it was measured</h2>")
    for one in evaluated:
        if len(evaluated) > 1:
            blocks.append(f"<h3>{html.text(one.name)}</h3>")
        about = {key: value for key, value in one.about.items() if key not in ("networks", "notes")}
        blocks += [html.paragraph(str(note)) for note in one.about.get("notes", ())]
        told = _told(_flat({"frames": dict(one.frames), **about}))
        blocks.append(f"<details><summary>inputs with checksums, settings, counts</summary>{told}</details>")
    drawn = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in confidence.about().items())
    side = first.result.crops.shape[1]
    blocks.append(
        _told(
            {
                "intervals": drawn,
                "pictures": f"crops of {side} px, cut by the plate's landmarks in plate and result alike",
                "tools": f"konterfei {version('konterfei')}, Python {platform.python_version()}, NumPy "
                f"{version('numpy')}, OpenCV {version('opencv-python-headless')}, "
                f"ONNX Runtime {version('onnxruntime')}",
            }
        )
    )
    return "".join(blocks) + "</section>"


def _networks(evaluated: Sequence[Evaluated]) -> list[dict[str, str]]:
    """Those of all results, each once: one that several results share was asked for in the same words."""
    found: list[dict[str, str]] = []
    for one in evaluated:
        found += [network for network in networks_of(one.about) if network not in found]
    return found


def _told(pairs: Mapping[str, Any]) -> str:
    lines = "".join(
        f"<dt>{html.text(key.replace('_', ' '))}</dt><dd>{html.marked(str(value))}</dd>" for key, value in pairs.items()
    )
    return f'<dl class="told">{lines}</dl>'


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested plain values as one level: "inputs, video, sha256"."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{before}, {key}" if before else str(key)
        if isinstance(value, Mapping):
            flat |= _flat(value, name)
        elif value is None:
            flat[name] = "none" if key == "witness" else "as usual"
        else:
            flat[name] = (", ".join(map(str, value)) or "none") if isinstance(value, list) else value
    return flat
