"""The stored hold-out of a fit. Loaded when it is first read: polars is not in an idle API."""

import polars as pl

from backend.fits.schemas import ResidualPage, ResidualRow
from backend.storage.blobs import BlobStore


def worst_rows(blobs: BlobStore, digest: str, limit: int) -> ResidualPage:
    """Hold-out rows by size of the residual; for classes the wrong ones first."""
    with blobs.open(digest) as file:
        frame = pl.read_parquet(file)
    if "residual" in frame.columns:
        frame = frame.sort(pl.col("residual").abs(), descending=True, maintain_order=True)
    else:
        wrong = pl.col("observed") != pl.col("predicted")
        frame = frame.sort(wrong, descending=True, maintain_order=True)
    items = [
        ResidualRow(
            row=record["row"],
            observed=record["observed"],
            predicted=record["predicted"],
            residual=record.get("residual"),
        )
        for record in frame.head(limit).to_dicts()
    ]
    return ResidualPage(items=items, total=frame.height)
