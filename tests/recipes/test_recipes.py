"""The recipes of the documentation run as they stand, against a real API and worker."""

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from backend.science.extras import is_installed
from backend.science.recipes.planning import OPERATIONS
from tests.conftest import DATA, PASSWORD
from tests.fits.conftest import Live, live

__all__ = ["live"]

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "recipes.md").read_text()
SECTIONS = dict(part.split("\n", 1) for part in TEXT.split("\n## ")[1:])
Pixels = npt.NDArray[Any]
PNG = b"\x89PNG\r\n\x1a\n"

LINEAR = "A linear model from X and y"
PENGUINS = "Penguins by query parameters"
DIGITS = "Digits by image, retrained by zip"
CLEANING = "Clean a CSV file and download it"
LONG = "A long job with progress"


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


def run(live: Live, section: str, language: str, folder: Path) -> str:
    """Runs the section's program after the one that signs in; answers what it printed."""
    shutil.copy(DATA / "penguins.csv", folder)
    beginning = blocks("Sign in", language)[-1]
    (program,) = blocks(section, language)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BASE": str(live.client.base_url).rstrip("/"),
        "GOODFIT_USER": "root",
        "GOODFIT_PASSWORD": PASSWORD,
    }
    shell = ["bash", "-euo", "pipefail", "-c"]
    answer = subprocess.run(  # noqa: S603  # the documentation's own program
        [*(shell if language == "sh" else [sys.executable, "-c"]), beginning + program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    log = live.log.read_text()[-2_000:]
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}\n{log}"
    return answer.stdout


@pytest.fixture(params=["sh", "python"])
def language(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    if chosen == "sh" and not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("curl or jq is not installed")
    return chosen


def test_every_recipe_is_run() -> None:
    assert set(SECTIONS) == {"Sign in", LINEAR, PENGUINS, DIGITS, CLEANING, LONG}
    for section in SECTIONS:
        assert blocks(section, "sh"), section
        assert len(blocks(section, "python")) == 1, section


@pytest.mark.parametrize("kind", OPERATIONS)
def test_every_step_of_a_cleaning_recipe_is_described(kind: str) -> None:
    assert f"| `{kind}` |" in SECTIONS[CLEANING]


def test_linear_model_is_fitted_predicts_and_is_drawn(
    live: Live, language: str, tmp_path: Path
) -> None:
    printed = run(live, LINEAR, language, tmp_path)
    assert "succeeded" in printed
    assert "(Intercept)" in printed
    found = re.search(r'"?predictions"?\'?: ?\[([\d.]+)\]', printed)
    assert found is not None, printed
    assert float(found[1]) == pytest.approx(20, abs=0.5)
    assert (tmp_path / "residuals.png").read_bytes().startswith(PNG)


def test_penguin_is_an_adelie(live: Live, language: str, tmp_path: Path) -> None:
    assert "Adelie" in run(live, PENGUINS, language, tmp_path).splitlines()[-1]


@pytest.mark.skipif(not is_installed("torch"), reason="the torch extra is not installed")
def test_digit_is_read_and_the_model_retrained(live: Live, language: str, tmp_path: Path) -> None:
    digits = load_digits()
    images = (digits.images * 255 / 16).astype(np.uint8)
    write_zip(tmp_path / "digits.zip", images[:400], digits.target[:400])
    write_zip(tmp_path / "more-digits.zip", images[:900], digits.target[:900])
    (tmp_path / "digit.png").write_bytes(png(images[950]))
    printed = run(live, DIGITS, language, tmp_path)
    read = re.search(r"^\[[\"']?(\d)[\"']?\]$", printed, re.MULTILINE)
    assert read is not None, printed
    assert re.search(
        r"retrainings/\d+ (promoted|rejected)|\"state\":\"(promoted|rejected)", printed
    )
    assert printed.splitlines()[-1].endswith(".")


def write_zip(path: Path, images: Pixels, labels: Pixels) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number, image in enumerate(images):
            archive.writestr(f"{number:04}.png", png(image))
        archive.writestr("labels.txt", "\n".join(str(label) for label in labels))


def png(image: Pixels) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "PNG")
    return sink.getvalue()


def test_file_is_cleaned_and_comes_back(live: Live, language: str, tmp_path: Path) -> None:
    printed = run(live, CLEANING, language, tmp_path)
    assert "horsepower: 1 of 11 values are not numbers: '?'" in printed
    lines = (tmp_path / "clean.csv").read_text().splitlines()
    if language == "sh":
        assert lines[1] == "catalina,225.0,4425"
        assert len(lines) == 11
        by_hand = pl.read_parquet(tmp_path / "clean.parquet")
        assert by_hand.equals(pl.read_csv(tmp_path / "clean.csv"))
    else:
        assert lines[-1] == "pinto,177.5,130.6"
        assert max(float(line.split(",")[1]) for line in lines[1:]) == 200
        assert not any(line.startswith(("rebel", "fury")) for line in lines)


def test_long_job_tells_its_progress_and_is_cancelled(
    live: Live, language: str, tmp_path: Path
) -> None:
    printed = run(live, LONG, language, tmp_path)
    assert re.search(r"[\d,]+ of 2,000 trees", printed)
    assert "cancelled" in printed.splitlines()[-1]
