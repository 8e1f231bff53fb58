"""What every metric has to say about every degradation of `degradations_material.py`."""

MOVES: dict[str, set[str]] = {
    "blur": {"sharpness"},
    "noise": {"sharpness", "flicker"},
    "sharpen": {"sharpness", "flicker", "identity"},
    "shift": {"landmark_distance"},
    "rotation": {"landmark_distance"},
    "scale": {"landmark_distance"},
    "colour cast": set(),
    "pumping": {"flicker"},
    "shake": {"jitter", "flicker", "landmark_distance"},
    "delay": {"expression", "landmark_distance"},
    "shuffle": {"expression", "landmark_distance", "jitter", "flicker"},
    "plate shows through": {"identity"},
    "frozen eyes": set(),
    "frozen mouth": {"expression", "landmark_distance"},
    "background": set(),
    "seam": set(),
    "breathing mask": {"jitter", "flicker"},
}
"""Name of a degradation -> metrics whose error must grow at every step."""
MAY: dict[str, set[str]] = {
    "blur": {"identity", "landmark_distance", "expression", "jitter", "flicker"},
    "noise": {"identity", "landmark_distance", "jitter"},
    "sharpen": {"landmark_distance", "jitter"},
    "shift": {"identity"},
    "rotation": {"identity"},
    "scale": {"identity", "sharpness", "jitter", "flicker"},
    "colour cast": set(),
    "pumping": set(),
    "shake": {"expression"},
    "delay": {"flicker"},
    "shuffle": set(),
    "plate shows through": {"landmark_distance", "expression", "flicker", "sharpness"},
    "frozen eyes": {"landmark_distance", "expression", "jitter", "flicker"},
    "frozen mouth": {"jitter", "flicker"},
    "background": set(),
    "seam": {"identity", "landmark_distance", "flicker"},
    "breathing mask": {"identity", "landmark_distance", "expression"},
}
"""Name of a degradation -> metrics that may change either way: it touches what they measure too. All others must stay
as they are, within `STILL`."""
STILL: dict[str, float] = {
    "identity": 0.03,
    "landmark_distance": 0.25,
    "expression": 0.05,
    "jitter": 0.15,
    "flicker": 0.2,
    "sharpness": 0.1,
}
"""Name of a metric -> how far its value may wander, in its own unit, where nothing of what it measures was changed: the
noise of the networks. About twice what was seen."""
