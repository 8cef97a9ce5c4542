"""What the images of a table have in common: size, classes, and how light they are."""

import math
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from backend.science.column_types import IMAGE, LABEL
from backend.science.images.image_table import GROUP_ROWS, read_pixels, shape_in, sizes_in

WHITE: Final = 255


def profile_images(path: Path) -> dict[str, Any]:
    """Width, height, channels, classes, mean and sd of all pixels, smallest and largest file.

    Parameters
    ----------
    path
        A Parquet file of `write_images`; read group by group.

    Returns
    -------
    dict
        `classes` counts the images of each class, the most frequent first. `mean` and `sd` (with
        n in the denominator) are of pixels from 0 to 1, all channels together.
    """
    classes: Counter[str] = Counter()
    count = total = squares = 0
    with pq.ParquetFile(path) as file:
        shape, sizes = shape_in(file.schema_arrow), sizes_in(file.schema_arrow)
        for batch in file.iter_batches(GROUP_ROWS, columns=[IMAGE, LABEL]):
            classes.update(batch.column(LABEL).to_pylist())
            levels = np.bincount(read_pixels(batch).ravel(), minlength=WHITE + 1).tolist()
            count += sum(levels)
            total += sum(level * pixels for level, pixels in enumerate(levels))
            squares += sum(level * level * pixels for level, pixels in enumerate(levels))
    ordered = sorted(classes.items(), key=lambda item: (-item[1], item[0]))
    return {
        "width": shape.width,
        "height": shape.height,
        "channels": shape.channels,
        "classes": dict(ordered),
        "mean": total / count / WHITE,
        # Whole numbers up to the last step, so nothing cancels.
        "sd": math.sqrt(count * squares - total * total) / count / WHITE,
        "smallest_bytes": sizes.smallest,
        "largest_bytes": sizes.largest,
    }
