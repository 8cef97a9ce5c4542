"""A fit once more: as a script without us, and to see whether the same numbers come out."""
