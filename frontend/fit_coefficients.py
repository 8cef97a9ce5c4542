"""The terms of a linear fit with their errors and intervals, and what may be wrong with them."""

from typing import Any, Final

import streamlit as st

from backend.fits.result_schemas import CoefficientList, CoefficientOut
from backend.fits.schemas import FitOut
from frontend import identity, text

COVARIANCES: Final = {
    "classical": "classical standard errors",
    "hc3": "robust standard errors (HC3)",
    "maximum_likelihood": "standard errors of the maximum likelihood",
    "sandwich": "robust standard errors of the maximum likelihood",
}
# The field of the answer and its name in the line of figures.
FIGURES: Final = (
    *(("r2", "R²"), ("adjusted_r2", "adjusted R²"), ("residual_standard_error", "sigma")),
    *(("f_statistic", "F"), ("f_p_value", "p of F"), ("log_likelihood", "log-likelihood")),
    *(("aic", "AIC"), ("bic", "BIC"), ("deviance", "deviance")),
    *(("null_deviance", "null deviance"), ("dispersion", "dispersion")),
    *(("condition_number", "condition number"),),
)
NUMBER: Final = st.column_config.NumberColumn(format="%.6g")


def draw_coefficients(fit: FitOut) -> None:
    """The tab."""
    found = identity.fits_api().coefficients(fit.id)
    _draw_warnings(found)
    st.markdown(_summary(found))
    several = len({term.of_class for term in found.items}) > 1
    letter = {"t": "t", "normal": "z"}.get(found.distribution or "", "Statistic")
    rows = [_row(term, letter, several=several) for term in found.items]
    st.dataframe(
        rows,
        hide_index=True,
        column_config={name: NUMBER for name in rows[0] if name not in ("Term", "Class")}
        if rows
        else None,
        placeholder="-",
        alt="Table of coefficients",
    )
    for column, reference in found.references.items():
        st.caption(f"{text.plain(column)}: compared with {text.plain(str(reference))}.")
    st.caption("A large p-value is no proof of no effect: the interval says which effects fit.")


def _draw_warnings(found: CoefficientList) -> None:
    """On top of all: a table of numbers that are not determined must not look like one."""
    deficient = found.rank is not None and found.terms is not None and found.rank < found.terms
    if deficient and not found.warnings:
        st.error(
            f"The design has rank {found.rank} of {found.terms} terms: some coefficients are not "
            "determined."
        )
    for warning in found.warnings:
        (st.error if deficient else st.warning)(text.plain(warning))


def _summary(found: CoefficientList) -> str:
    figures = [
        f"{title} **{text.number(getattr(found, field))}**"
        for field, title in FIGURES
        if getattr(found, field) is not None
    ]
    freedom = found.degrees_of_freedom
    parts = [text.counted(found.rows, "row")]
    if freedom is not None:
        parts.append(text.counted(freedom, "degree") + " of freedom")
    if found.covariance is not None:
        parts.append(COVARIANCES[found.covariance])
    return " · ".join([*figures, *parts])


def _row(term: CoefficientOut, letter: str, *, several: bool) -> dict[str, Any]:
    return {
        "Term": term.term,
        **({"Class": term.of_class} if several else {}),
        "Estimate": term.estimate,
        "Std. error": term.standard_error,
        letter: term.statistic,
        "p": term.p_value,
        "95 % low": term.ci_low,
        "95 % high": term.ci_high,
        "VIF": term.vif,
    }
