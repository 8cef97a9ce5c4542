"""Images: read safely from an archive, kept as pixels, learnt from by a network."""
