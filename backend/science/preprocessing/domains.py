"""Which numbers the arithmetic of a fit's preprocessing can take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from backend.science.column_types import LARGEST_NUMBER
from backend.science.refusal import FitRefused
from backend.science.rows import WANTED_SIGN
from backend.science.spec import Interactions, Polynomial, Preprocessing

Sign = Literal["positive", "not_negative"]
NEEDED: Final[Mapping[str, Sign]] = {"log": "positive", "sqrt": "not_negative"}
# Their results are small whatever they are given.
TAMING: Final = ("log", "quantile")


@dataclass(frozen=True, slots=True)
class Domain:
    """What a column's numbers must be.

    Attributes
    ----------
    sign
        Above zero, or zero at least.
    largest
        Size beyond which powers and products overflow.
    """

    sign: Sign | None = None
    largest: float | None = None


ANY_NUMBER: Final = Domain()


def domains(preprocessing: Preprocessing) -> dict[str, Domain]:
    """What each column's numbers must be; columns without an entry may hold any."""
    wishes = preprocessing.columns
    degrees: dict[str, int] = {}
    for step in preprocessing.features:
        if isinstance(step, Polynomial | Interactions):
            degree = step.degree if isinstance(step, Polynomial) else 2
            for name in step.columns:
                if name not in wishes or wishes[name].transform not in TAMING:
                    degrees[name] = max(degrees.get(name, 1), degree)
    signs = {
        name: NEEDED[kind]
        for name, wish in wishes.items()
        if (kind := wish.transform or "none") in NEEDED
    }
    return {
        name: Domain(
            signs.get(name),
            LARGEST_NUMBER ** (1 / degrees[name]) if name in degrees else None,
        )
        for name in {*degrees, *signs}
    }


def check_domain(numbers: npt.NDArray[np.float64], name: str, needs: Domain) -> None:
    """Refuse numbers that the preprocessing cannot take; NaN stands for missing and passes.

    Parameters
    ----------
    numbers
        Shape (n,).
    name
        The column's name.
    needs
        What they must be.

    Raises
    ------
    FitRefused
        Some are no such numbers; the text says how many.
    """
    if needs.sign is not None:
        bad = int((numbers <= 0 if needs.sign == "positive" else numbers < 0).sum())
        if bad:
            raise FitRefused(
                f"{name} must be {WANTED_SIGN[needs.sign]} for its transform; "
                f"{bad:,} {'value is' if bad == 1 else 'values are'} not.",
                name,
            )
    if needs.largest is not None and (np.abs(numbers) > needs.largest).any():
        raise FitRefused(
            f"{name} holds values beyond {needs.largest:.0e}, whose powers and products are too "
            "large to compute with. Use another unit for it, or a lower degree.",
            name,
        )


def check_domains(frame: Any, preprocessing: Preprocessing) -> None:
    """Refuse features that the preprocessing cannot take.

    Parameters
    ----------
    frame
        pandas.DataFrame of n rows.
    preprocessing
        What the fit does with them.

    Raises
    ------
    FitRefused
        A column holds such values.
    """
    for name, needs in domains(preprocessing).items():
        if name in frame.columns and frame[name].dtype == np.float64:
            check_domain(frame[name].to_numpy(), name, needs)
