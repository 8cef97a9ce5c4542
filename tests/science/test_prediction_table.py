"""Files to predict for: values that fit the model's inputs."""

from pathlib import Path

import pytest

from backend.science.csv_table import TableLimits
from backend.science.prediction_table import PredictionInputs, read_inputs

INPUTS = [{"name": "sold", "type": "datetime"}]
LIMITS = TableLimits(max_columns=10, max_cell_bytes=100)


@pytest.mark.parametrize("text", ["24-01-05", "3-2-1", "24-01-05T10:00:00"])
def test_date_of_a_row_has_all_digits(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.csv").write_text(f"sold\n2024-01-05\n{text}\n")
    problems = read_inputs(tmp_path / "rows.csv", INPUTS, frozenset(), LIMITS)
    assert isinstance(problems, list)
    assert [(one.line, text in one.message) for one in problems] == [(3, True)]


def test_dates_and_times_of_rows_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("sold\n1970-01-02\n1970-01-02T12:00:00Z\n")
    read = read_inputs(tmp_path / "rows.csv", INPUTS, frozenset(), LIMITS)
    assert isinstance(read, PredictionInputs)
    assert read.features["sold"].to_list() == [1, 1.5]
