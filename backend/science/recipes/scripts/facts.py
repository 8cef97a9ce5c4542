"""What a script about recipes needs to know of the versions; needs no polars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.science.recipes.steps import AnyStep


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A version as a script needs to know it.

    Attributes
    ----------
    name
        Of the dataset.
    columns
        Types by name, in the order of the table.
    delimiter, encoding
        Of its file, where that is delimited text.
    """

    name: str
    version: int
    content_digest: str
    columns: Mapping[str, str]
    delimiter: str = ","
    encoding: str = "utf8"


@dataclass(frozen=True, slots=True)
class Stage:
    """The recipe that made one version from the one before."""

    version: int
    steps: Sequence[AnyStep]
