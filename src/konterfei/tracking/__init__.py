"""From frames to people over time: finding, cuts, tracks, people, smoothing."""
