"""The README.txt of a package: what is in it and how it is used, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from konterfei.imaging.transfer import Transfer
from konterfei.io.video import VideoInfo
from konterfei.turnover.corners import Key

_TEXT = """\
A FACE IN THIS FOOTAGE IS SYNTHETIC
===================================
{content}.
Plate: {plate}. Visible label of the merge: {shown}.
{models}
IPTC digital source type: {digital_source_type}

The consent covers what its record says, and no more. Law in many countries
(in the EU, article 50 of the AI Act) asks that viewers are told. If you rebuild the shot from the layers below, lay
`label` on top again, or see to it that viewers are told in another way that the law accepts. The same words stand in
the header of every EXR file and in transforms.json.

Is all of it as it was made?  preview.png carries signed Content Credentials; any reader of those shows them. They hold,
as "{sums_key}", the SHA-256 of the file SHA256SUMS, which lists all other files:
    sha256sum -c SHA256SUMS
`konterfei verify` on this folder looks at all of it at once.

WHAT IS HERE
============
frames/frame.NNNNNN.exr    the layers of each frame, {width} x {height}
crops/faceN.NNNNNN.exr     each face's square picture
faceN.nk, .csv, .ae.txt    where that square lies in each frame
transforms.json            the same as matrices, with landmarks and all settings
Faces: {faces}.

Frame numbers are those of the plate: {numbers}.

Layers of a frame (16-bit float unless said; the data window is the rectangle that was changed):
    R G B A          what was changed, premultiplied, with the label.  plate * (1 - A) + RGB  is the merged frame
    label            the visible label alone, premultiplied{no_label}
    faceN_swap       the face as it lies in the frame, before it is blended; full wherever the crop reaches
    faceN_mask       (alpha) how much of it the merge let through
    rest             what is added after the faces were laid over the plate
    faceN_st         (32-bit; R = u, G = v) where in the crop each pixel of the frame lies; 0 where nothing changed
Layers of a crop:
    R G B            the face as pasted, in the plate's colours
    drawn            as the model drew it (left out where the face was enlarged after that)
    st               (32-bit; R = u, G = v) where in the frame each pixel of the crop lies
u and v go from 0 to 1, u from the left, v from the bottom; pixel i of n has its centre at (i + 0.5) / n.

COLOUR
======
All pictures are linear light. The curve between the plate's numbers and light is: {transfer}
({about}).
Read the plate with this very curve, or edges will not fit. Primaries are the plate's own, nothing was converted.

USE
===
Lay the change over the plate
    Read plate and frames with the curve above; merge with "over" (the change is premultiplied already). The result is
    the merged frame. RGB may be a little below 0 along soft edges; do not clamp it before the "over".

Blend the face yourself
    faceN_swap over the plate through faceN_mask (of several faces in transforms.json's order), then add `rest`, then
    `label` over it. This, too, is the merged frame; each piece can be changed on its own. `rest` is light that the
    merge evened out, and the difference between mixing the plate's numbers, as the merge does, and mixing light.

Paint on the face
    Paint on crops/faceN, which stands still. Bring it back into the frame in one of two ways:
    - a map: in each frame, take the crop's pixel at (u, v) of faceN_st. It covers the rectangle that was changed.
    - a corner pin with the corners in faceN.nk, .csv or .ae.txt. It covers the whole crop.
    Then use it in place of faceN_swap, above.

Nuke
    The plate's Read: set its colour space to the curve above. STMap: the painted crop goes into "src", the frames into
    "stmap"; choose faceN_st as its UV channels. Corner pin: drag faceN.nk into the node graph, connect the crop.
Fusion
    A CornerPositioner takes the columns *_fraction of faceN.csv: x and y from 0 to 1, origin at the bottom left.
Blender (compositor)
    A Map UV node takes u from red and v from green. A Corner Pin node takes the columns *_fraction of faceN.csv.
    Movies begin at frame 1 there.
After Effects
    Make a composition of the plate's size, stretch the crop to fill it, and lay that composition over the plate as a
    layer at the plate's place. Copy the text of faceN.ae.txt, select the layer, paste at frame 0: it brings a Corner
    Pin effect with its keys.
"""


def readme(marking: Mapping[str, Any], info: VideoInfo, transfer: Transfer, keys: Mapping[str, Sequence[Key]]) -> str:
    """The text.

    Args:
        marking: see `package.PackageSettings.marking`.
        info: the plate.
        transfer: from its numbers to light.
        keys: face name -> where it lies.
    """
    first = next(iter(keys.values()), [])
    shift = first[0].number - first[0].index if first else 1
    numbers = "a movie's first frame is 1" if shift == 1 else "its pictures' own"
    faces = [f"{name} ({len(told)} frames, {told[0].size} x {told[0].size})" for name, told in keys.items()]
    label = marking["label"]
    preview = "\nA preview: a model was trained only shortly." if marking["is_preview"] else ""
    return _TEXT.format(
        content=marking["content"].capitalize(),
        plate=marking["plate"],
        digital_source_type=marking["digital_source_type"],
        models="\n".join(map(_model, marking["models"])) + preview,
        shown="none (recorded in the credentials)" if label == "none" else f'"{marking["label_text"]}" ({label})',
        no_label=" (not here: the merge was made without)" if label == "none" else "",
        sums_key="turnover_sums_sha256",
        width=info.width,
        height=info.height,
        faces="; ".join(faces) or "none",
        numbers=numbers,
        transfer=transfer.name,
        about=transfer.about,
    )


def _model(told: Mapping[str, Any]) -> str:
    return (
        f"Model {told['model']}, {told['training_steps']} training steps, draws {told['draws']}. "
        f"SHA-256 of the consent record:\n    {told['consent_record_sha256']}"
    )
