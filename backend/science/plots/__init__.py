"""One file per plot: `compute` makes the numbers, `draw` draws them and needs matplotlib only."""
