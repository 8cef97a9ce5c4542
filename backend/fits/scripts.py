"""The script of a fit: what its process wrote, under lines that say which fit it is."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import Conflict
from backend.fits.repository import FitRepository
from backend.fits.service import finished_fit
from backend.storage.blobs import BlobStore

SCRIPT: Final = "script"
HEAD: Final = '''\
"""{what}

Makes the metrics of the fit again, without Goodfit. It was written by the fit itself.

1. Install these versions:
{versions}
2. Download the data, version {version} of the dataset, as Parquet:
       GET /api/v1/datasets/{dataset_id}/versions/{version}/download?format=parquet
   Its content has the digest {digest}.
3. python fit-{fit_id}.py table.parquet

It ends with 0 where every metric is equal to 1e-12.
"""

'''


@dataclass(frozen=True, slots=True)
class Asked:
    """What a script is put together from."""

    head: str
    sha256: str


async def ask(session: AsyncSession, viewer: Viewer, fit_id: int) -> Asked:
    """The script of a fit that the viewer may see."""
    await finished_fit(session, viewer, fit_id)
    fit = await FitRepository(session, viewer).get(fit_id)
    if SCRIPT not in fit.artifacts:
        raise Conflict(
            "There is no script of this fit: networks over images have none, nor have fits of "
            "earlier releases. Run those again.",
            code="fit_without_script",
        )
    libraries = fit.environment.get("libraries", {})
    head = HEAD.format(
        what=_plain(f"Fit {fit.id}, {fit.name}: {fit.estimator} predicts {fit.target}."),
        versions="\n".join(f"       pip install {name}=={libraries[name]}" for name in libraries),
        version=fit.dataset_version.version,
        dataset_id=fit.dataset_id,
        digest=fit.dataset_version.content_digest,
        fit_id=fit.id,
    )
    return Asked(head, fit.artifacts[SCRIPT])


def _plain(text: str) -> str:
    """Names are people's own: nothing of them may end the text that they stand in."""
    return text.replace("\\", "/").replace('"', "'")


def write(blobs: BlobStore, asked: Asked) -> str:
    """The whole script. Blocks."""
    return asked.head + blobs.read(asked.sha256).decode()
