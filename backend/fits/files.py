"""The files of one attempt: fetched for its process, stored when it has ended. All block."""

from pathlib import Path
from typing import Any, Final

from backend.fits.attempts import Claim
from backend.storage.blobs import BlobStore

# Files that a fit leaves in its folder, by the name under which they are stored.
ARTIFACTS: Final = {
    "model": "model.joblib",
    "holdout": "holdout.parquet",
    "plots": "plots.json",
    "coefficients": "coefficients.json",
    "input_example": "input_example.json",
}


def fetch_request(blobs: BlobStore, held: Claim, folder: Path) -> dict[str, Any]:
    """What the fit's process is asked, with every file that it names in the folder."""
    table = folder / "table.parquet"
    blobs.fetch(held.parquet_sha256, table)
    return {
        "spec": held.spec,
        "columns": held.columns,
        "table": str(table),
        "folder": str(folder),
        "withheld": None
        if held.withheld is None
        else _fetch_withheld(blobs, held.withheld, folder),
    }


def _fetch_withheld(blobs: BlobStore, withheld: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The hold-out that must not be learnt from."""
    paths = {name: folder / f"withheld-{name}.parquet" for name in ("table", "holdout")}
    for name, path in paths.items():
        blobs.fetch(withheld[name], path)
    return {**withheld, **{name: str(path) for name, path in paths.items()}}


def store_artifacts(blobs: BlobStore, folder: Path) -> dict[str, str]:
    """All bytes stand in the store before the database names them."""
    paths = {name: folder / file for name, file in ARTIFACTS.items()}
    return {name: blobs.put_file(path) for name, path in paths.items() if path.exists()}
