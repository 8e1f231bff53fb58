"""The people who can be rendered."""

from __future__ import annotations

from konterfei.registry import Entry, Registry

PERFORMERS = Registry(
    "performer",
    {
        "P001": Entry("konterfei.performers.cast:P001", "woman with short curls before a backdrop"),
        "P002": Entry("konterfei.performers.cast:P002", "fair woman with curly hair in an office"),
        "P005": Entry("konterfei.performers.cast:P005", "bearded man in an office"),
        "P006": Entry("konterfei.performers.cast:P006", "brown-skinned woman with hair tied back, in a room at night"),
        "P007": Entry("konterfei.performers.cast:P007", "brown-skinned man with curly hair before a backdrop"),
        "P008": Entry("konterfei.performers.cast:P008", "brown-skinned man with long fair hair before a backdrop"),
        "P010": Entry("konterfei.performers.cast:P010", "fair woman with hair tied back, in a room at night"),
    },
)
"""Every performer by name: those whose renderings were looked at and found good. Of openpeople's others, P003 is left
out on purpose (that fictional person resembles a known one), P004 and P009 because their portraits cut off the hair."""

LIGHTS = Registry(
    "light",
    {
        "still": Entry("konterfei.performers.light:still", "the set's own"),
        "passing": Entry("konterfei.performers.light:passing", "a lamp that wanders around the head"),
        "screen": Entry("konterfei.performers.light:screen", "a television's, in a dark room"),
        "dimming": Entry("konterfei.performers.light:dimming", "exposure down to a third and back"),
        "side": Entry("konterfei.performers.light:side", "a hard lamp from the side"),
    },
)
"""Lights by name: functions (seed, seconds) -> Light."""

CAMERAS = Registry(
    "camera",
    {
        "still": Entry("konterfei.performers.shots:still", "on a tripod"),
        "handheld": Entry("konterfei.performers.shots:handheld", "held in the hands"),
        "pan": Entry("konterfei.performers.shots:pan", "travels from side to side"),
        "zoom": Entry("konterfei.performers.shots:zoom", "comes near and goes back"),
        "roll": Entry("konterfei.performers.shots:roll", "tilts to both sides"),
    },
)
"""Moves of the camera by name: functions (seed, seconds) -> View."""

PROPS = Registry(
    "occluder of performers",
    {
        "none": Entry("konterfei.performers.props:nothing", "nothing"),
        "hand": Entry("konterfei.performers.props:hand", "a hand touches mouth, eye and cheek"),
        "cup": Entry("konterfei.performers.props:cup", "a cup is drunk from"),
        "microphone": Entry("konterfei.performers.props:microphone", "a microphone is spoken into"),
        "hair": Entry("konterfei.performers.strands:hair", "strands of hair blow across"),
        "glasses": Entry("konterfei.performers.strands:glasses", "glasses, all the time"),
    },
)
"""What comes between face and camera, by name: functions (seed, look, frame side) -> Prop, or None for nothing."""
