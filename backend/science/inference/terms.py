"""What is told about the terms of a linear fit."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np

INTERCEPT: Final = "(Intercept)"
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One term; None where the number is not determined or not known for the estimator.

    Attributes
    ----------
    of_class
        The class whose score it enters; None for regression.
    statistic, p_value
        Of the two-sided test that the term is zero.
    ci_low, ci_high
        Confidence interval of 95 %.
    vif
        Variance inflation factor: how much less certain the term is than without the others.
    """

    term: str
    estimate: float | None
    of_class: str | None = None
    standard_error: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    vif: float | None = None


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The terms of a linear fit, and figures of the whole; None where one is not defined.

    Attributes
    ----------
    references
        The category of each column that the others are compared with; it has no term.
    covariance
        How the standard errors were computed.
    distribution
        Which one statistic and p-value are of.
    residual_standard_error
        Square root of the residual sum of squares over the degrees of freedom.
    condition_number
        Of the standardised design, columns of length one.
    rank, terms
        How many terms are determined, and how many there are.
    warnings
        What is doubtful.
    notes
        What a reader must know though nothing is wrong; told after the warnings.
    """

    items: list[Coefficient]
    rows: int
    references: dict[str, str] = field(default_factory=dict)
    covariance: Literal["classical", "hc3", "maximum_likelihood", "sandwich"] | None = None
    distribution: Literal["t", "normal"] | None = None
    degrees_of_freedom: int | None = None
    residual_standard_error: float | None = None
    r2: float | None = None
    adjusted_r2: float | None = None
    f_statistic: float | None = None
    f_p_value: float | None = None
    log_likelihood: float | None = None
    aic: float | None = None
    bic: float | None = None
    deviance: float | None = None
    null_deviance: float | None = None
    dispersion: float | None = None
    condition_number: float | None = None
    rank: int | None = None
    terms: int | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As JSON; a number beyond what a float holds is None, and a warning says so."""
        items = [{k: _finite(v) for k, v in asdict(item).items()} for item in self.items]
        beyond = [
            old.term for old, new in zip(self.items, items, strict=True) if asdict(old) != new
        ]
        whole = {name: _finite(value) for name, value in asdict(self).items()}
        doubt = f"Beyond what a number can hold: {', '.join(dict.fromkeys(beyond))}."
        warnings = [*self.warnings, *([doubt] if beyond else []), *whole.pop("notes")]
        return {**whole, "items": items, "warnings": warnings}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
