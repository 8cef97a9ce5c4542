"""Calls of the API about datasets: uploads, versions, profiles, recipes, and their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from backend.core.schemas import Page
from backend.datasets.profile_schemas import ProfileOut, VersionDiff
from backend.datasets.recipe_schemas import RecipeExport, RecipeOut
from backend.datasets.schemas import (
    DatasetOut,
    DownloadFormat,
    ImageList,
    PreviewOut,
    ReadOptions,
    VersionOut,
)
from backend.datasets.usage_schemas import LinkOut, PurgeOut, UsageOut
from frontend.client import UPLOAD_TIMEOUT, Api

PAGE: Final = 100
MOST_VERSIONS: Final = 500
FOUND_OUT: Final = ReadOptions()
Step = dict[str, Any]


@dataclass(frozen=True)
class DatasetQuery:
    """Which datasets a list is about; what is empty does not matter."""

    project_id: int | None = None
    name_contains: str = ""
    kind: str | None = None
    mine: bool = False
    trashed: bool = False
    sort: str = "-created_at"
    limit: int = 100

    def parameters(self) -> dict[str, str | int]:
        """As query parameters, without those that are not set."""
        wanted = {
            "project_id": self.project_id,
            "name_contains": self.name_contains or None,
            "kind": self.kind,
            "mine": "true" if self.mine else None,
            "trashed": "true" if self.trashed else None,
            "sort": self.sort,
            "limit": self.limit,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class DatasetsApi(Api):
    """Datasets on behalf of one signed-in user."""

    # Lists and single ones

    def datasets(self, query: DatasetQuery) -> list[DatasetOut]:
        return self._get(Page[DatasetOut], "/datasets", **query.parameters()).items

    def dataset(self, dataset_id: int) -> DatasetOut:
        return self._get(DatasetOut, f"/datasets/{dataset_id}")

    def versions(self, dataset_id: int) -> list[VersionOut]:
        """The latest first, up to five hundred."""
        found: list[VersionOut] = []
        cursor: str | None = None
        while len(found) < MOST_VERSIONS:
            place = {"cursor": cursor} if cursor else {}
            path = f"/datasets/{dataset_id}/versions"
            page = self._get(Page[VersionOut], path, limit=PAGE, **place)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def version(self, dataset_id: int, version: int) -> VersionOut:
        return self._get(VersionOut, _version(dataset_id, version))

    # Uploads; `key` makes a repeated one the same

    def upload(
        self,
        name: str,
        content: IO[bytes],
        *,
        key: str,
        project_id: int | None = None,
        options: ReadOptions = FOUND_OUT,
    ) -> DatasetOut:
        """A new dataset."""
        fields = {} if project_id is None else {"project_id": str(project_id)}
        sent = _upload(name, content, options, key, fields)
        return self._post(DatasetOut, "/datasets", **sent)

    def upload_version(
        self,
        dataset_id: int,
        name: str,
        content: IO[bytes],
        *,
        key: str,
        options: ReadOptions = FOUND_OUT,
    ) -> VersionOut:
        """The next version of a dataset."""
        path = f"/datasets/{dataset_id}/versions"
        return self._post(VersionOut, path, **_upload(name, content, options, key, {}))

    def use_sample(self, *, key: str, project_id: int | None = None) -> DatasetOut:
        """The penguins that come with the product, as a new dataset."""
        body = {} if project_id is None else {"project_id": project_id}
        return self._post(DatasetOut, "/datasets/sample", json=body, headers=_once(key))

    def read_again(
        self, dataset_id: int, version: int, options: ReadOptions, *, key: str
    ) -> VersionOut:
        """The same bytes read in another way, as the next version."""
        path = f"{_version(dataset_id, version)}/read-again"
        body = options.model_dump(exclude_none=True)
        return self._post(VersionOut, path, json=body, headers=_once(key), timeout=UPLOAD_TIMEOUT)

    # What is in a version

    def preview(self, dataset_id: int, version: int, limit: int) -> PreviewOut:
        return self._get(PreviewOut, f"{_version(dataset_id, version)}/preview", limit=limit)

    def images(self, dataset_id: int, version: int, limit: int) -> ImageList:
        """The first images of a version, with their labels."""
        return self._get(ImageList, f"{_version(dataset_id, version)}/images", limit=limit)

    def profile(self, dataset_id: int, version: int, target: str | None = None) -> ProfileOut:
        """The columns, with their associations where a target is named."""
        wanted = {} if target is None else {"target": target}
        path = f"{_version(dataset_id, version)}/profile"
        answer = self._send("GET", path, params=wanted, timeout=UPLOAD_TIMEOUT)
        return ProfileOut.model_validate_json(answer.content)

    def profile_again(self, dataset_id: int, version: int) -> ProfileOut:
        """After a failure."""
        return self._post(ProfileOut, f"{_version(dataset_id, version)}/profile")

    def diff(self, dataset_id: int, before: int, after: int) -> VersionDiff:
        """What changed from one version to another."""
        path = f"{_version(dataset_id, after)}/diff"
        answer = self._send("GET", path, params={"against": before}, timeout=UPLOAD_TIMEOUT)
        return VersionDiff.model_validate_json(answer.content)

    # Recipes

    def apply_recipe(
        self, dataset_id: int, version: int, steps: list[Step], *, dry_run: bool, key: str
    ) -> RecipeOut:
        """What the steps would do, or the next version that they make."""
        return self._recipe(dataset_id, version, {"steps": steps}, dry_run=dry_run, key=key)

    def replay_recipe(
        self, dataset_id: int, version: int, replay_of: int, *, dry_run: bool, key: str
    ) -> RecipeOut:
        """The same with the steps that made another version."""
        body = {"replay_of": replay_of}
        return self._recipe(dataset_id, version, body, dry_run=dry_run, key=key)

    def _recipe(
        self, dataset_id: int, version: int, body: Mapping[str, Any], *, dry_run: bool, key: str
    ) -> RecipeOut:
        return self._post(
            RecipeOut,
            f"{_version(dataset_id, version)}/recipe",
            params={"dry_run": "true" if dry_run else "false"},
            json=dict(body),
            headers=_once(f"{key}.{dry_run}"),
            timeout=UPLOAD_TIMEOUT,
        )

    def recipe_export(self, dataset_id: int, version: int) -> RecipeExport:
        """The whole way of a version from its upload."""
        path = f"{_version(dataset_id, version)}/recipe"
        return self._get(RecipeExport, path, format="json")

    def recipe_script(self, dataset_id: int, version: int) -> bytes:
        """The same as a program of polars."""
        path = f"{_version(dataset_id, version)}/recipe"
        return self._send("GET", path, params={"format": "polars"}).content

    # Where it was used, and its end

    def usage(self, dataset_id: int, version: int | None = None) -> UsageOut:
        wanted = {} if version is None else {"version": version}
        return self._get(UsageOut, f"/datasets/{dataset_id}/used-by", **wanted)

    def link(self, dataset_id: int, version: int, form: DownloadFormat) -> LinkOut:
        """An address that needs no sign-in, for a short time."""
        path = f"{_version(dataset_id, version)}/link"
        return self._post(LinkOut, path, json={"format": form})

    def trash(self, dataset_id: int) -> None:
        self._send("DELETE", f"/datasets/{dataset_id}")

    def restore(self, dataset_id: int) -> DatasetOut:
        return self._post(DatasetOut, f"/datasets/{dataset_id}/restore")

    def purge(self, dataset_id: int) -> PurgeOut:
        return self._post(PurgeOut, f"/datasets/{dataset_id}/purge")


def _version(dataset_id: int, version: int) -> str:
    return f"/datasets/{dataset_id}/versions/{version}"


def _once(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def _upload(
    name: str,
    content: IO[bytes],
    options: ReadOptions,
    key: str,
    fields: Mapping[str, str],
) -> Mapping[str, Any]:
    return {
        "data": {**fields, **options.model_dump(exclude_none=True)},
        "files": {"file": (name, content, "application/octet-stream")},
        "headers": _once(key),
        "timeout": UPLOAD_TIMEOUT,
    }
