"""Training a swap model: samples, optimiser, plan, loop, previews. The stage `stages.train` is its way in."""
