"""The one list of routers: order, prefix and what needs no sign-in are seen here."""

import re

from fastapi import APIRouter

from backend.accounts.oidc_router import internal as oidc_internal
from backend.accounts.registration_router import router as registration
from backend.accounts.router import internal as accounts_internal
from backend.accounts.router import router as accounts
from backend.accounts.tokens_router import router as tokens
from backend.accounts.users_router import router as users
from backend.audit.router import router as audit
from backend.datasets.downloads_router import router as dataset_downloads
from backend.datasets.images_router import router as dataset_images
from backend.datasets.profiles_router import router as dataset_profiles
from backend.datasets.recipes_router import router as dataset_recipes
from backend.datasets.router import router as datasets
from backend.datasets.usage_router import router as dataset_usage
from backend.fits.catalogue_router import router as estimators
from backend.fits.plots_router import router as fit_plots
from backend.fits.router import router as fits
from backend.operations.router import router as operations
from backend.projects.owners_router import router as owners
from backend.projects.router import router as projects
from backend.registry.router import router as models
from backend.retraining.router import router as retraining
from backend.serving.router import router as predictions

PREFIX = "/api/v1"
# Every other route answers 401 to an anonymous call; the access matrix test holds this list.
PUBLIC_ROUTES = frozenset(
    {
        ("GET", "/"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", f"{PREFIX}/auth/token"),
        ("POST", f"{PREFIX}/auth/link"),
        ("GET", f"{PREFIX}/auth/options"),
        ("POST", f"{PREFIX}/auth/register"),
        ("POST", f"{PREFIX}/auth/links/check"),
        ("POST", f"{PREFIX}/auth/password"),
        ("GET", f"{PREFIX}/downloads/{{token}}"),
    }
)

# Uploads: their routes read the body after the caller is known, and count it themselves.
STREAMED_PATHS = re.compile(
    rf"{PREFIX}/(datasets(/[0-9]+/versions)?"
    r"|(models|fits)/[0-9]+/predict/file"
    r"|models/[0-9]+/retrain)"
)


def build_router() -> APIRouter:
    """All resources under the version prefix."""
    router = APIRouter(prefix=PREFIX)
    parts = (
        accounts,
        accounts_internal,
        registration,
        oidc_internal,
        users,
        owners,
        tokens,
        projects,
        datasets,
        dataset_downloads,
        dataset_usage,
        dataset_images,
        dataset_profiles,
        dataset_recipes,
        estimators,
        fits,
        fit_plots,
        models,
        predictions,
        retraining,
        operations,
        audit,
    )
    for part in parts:
        router.include_router(part)
    return router
