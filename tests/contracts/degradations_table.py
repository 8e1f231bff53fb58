"""What every metric has to say about every degradation of `degradations_material.py`."""

MOVES: dict[str, set[str]] = {
    "blur": {"sharpness", "second_opinion"},
    "noise": {"sharpness", "flicker"},
    "sharpen": {"sharpness", "flicker"},
    "shift": {"landmark_distance", "pose"},
    "rotation": {"landmark_distance", "pose"},
    "scale": {"landmark_distance", "pose", "seam"},
    "colour cast": {"seam"},
    "pumping": {"flicker", "color_flicker"},
    "shake": {"jitter", "flicker", "landmark_distance", "color_flicker", "mask_stability"},
    "delay": {"expression", "landmark_distance", "gaze"},
    "shuffle": {"expression", "landmark_distance", "jitter", "flicker", "gaze"},
    "plate shows through": {"identity", "second_opinion"},
    "likeness comes and goes": {"identity", "second_opinion", "steadiness"},
    "frozen eyes": {"gaze"},
    "frozen mouth": {"expression", "landmark_distance"},
    "background": {"background"},
    "seam": {"seam"},
    "breathing mask": {"mask_stability", "steadiness", "jitter", "flicker", "color_flicker"},
}
"""Name of a degradation -> metrics whose error must grow at every step."""
MAY: dict[str, set[str]] = {
    "blur": {"identity", "landmark_distance", "expression", "pose", "gaze", "jitter", "flicker"},
    "noise": {"identity", "second_opinion", "landmark_distance", "gaze", "jitter", "seam"},
    "sharpen": {"identity", "second_opinion", "landmark_distance", "gaze", "jitter", "seam"},
    "shift": {"identity", "second_opinion", "gaze", "seam"},
    "rotation": {"identity", "second_opinion", "gaze", "seam"},
    "scale": {"identity", "second_opinion", "gaze", "sharpness", "jitter", "flicker"},
    "colour cast": set(),
    "pumping": {"mask_stability"},
    "shake": {"expression", "pose", "gaze", "seam"},
    "delay": {"flicker", "pose"},
    "shuffle": {"pose", "color_flicker", "mask_stability"},
    "plate shows through": {"landmark_distance", "expression", "pose", "gaze", "flicker", "sharpness", "seam"}
    | {"steadiness", "mask_stability"},
    "likeness comes and goes": {"landmark_distance", "expression", "pose", "gaze", "flicker", "sharpness", "seam"}
    | {"jitter", "mask_stability", "color_flicker"},
    "frozen eyes": {"landmark_distance", "expression", "pose", "jitter", "flicker", "color_flicker"},
    "frozen mouth": {"pose", "jitter", "flicker", "color_flicker"},
    "background": set(),
    "seam": {"identity", "second_opinion", "landmark_distance", "pose", "gaze", "flicker"},
    "breathing mask": {"identity", "second_opinion", "landmark_distance", "expression", "seam"},
}
"""Name of a degradation -> metrics that may change either way: it touches what they measure too. All others must stay
as they are, within `STILL`."""
STILL: dict[str, float] = {
    "identity": 0.03,
    "second_opinion": 0.03,
    "steadiness": 0.02,
    "landmark_distance": 0.25,
    "expression": 0.08,
    "pose": 0.35,
    "gaze": 0.4,
    "jitter": 0.2,
    "flicker": 0.25,
    "color_flicker": 0.06,
    "mask_stability": 0.02,
    "seam": 0.25,
    "sharpness": 0.15,
    "background": 0.5,
}
"""Name of a metric -> how far its value may wander, in its own unit, where nothing of what it measures was changed: the
noise of the networks, and a little more than what was seen."""
