"""Reading what a finished fit left in the blob store."""

import json
import pkgutil
from typing import Any, Final

from backend.fits.schemas import CoefficientList, ResidualPage
from backend.storage.blobs import BlobStore

WORST_ROWS: Final = "backend.fits.holdout:worst_rows"


def read_plots(blobs: BlobStore, digest: str) -> dict[str, Any]:
    """The numbers of all plots of a fit, by kind."""
    plots: dict[str, Any] = json.loads(blobs.read(digest))
    return plots


def read_coefficients(blobs: BlobStore, digest: str) -> CoefficientList:
    """The terms of a linear fit."""
    return CoefficientList.model_validate_json(blobs.read(digest))


def worst_rows(blobs: BlobStore, digest: str, limit: int) -> ResidualPage:
    """Hold-out rows, the worst first."""
    page: ResidualPage = pkgutil.resolve_name(WORST_ROWS)(blobs, digest, limit)
    return page
