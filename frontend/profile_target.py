"""How the columns go along with a target that somebody chose."""

from typing import Final

import streamlit as st

from backend.datasets.profile_schemas import Association, ProfileOut
from backend.datasets.schemas import DatasetOut
from frontend import identity, queries, text

MEASURES: Final = {
    "pearson": "correlation (Pearson)",
    "spearman": "rank correlation (Spearman)",
    "correlation_ratio": "correlation ratio",
    "cramers_v": "Cramér's V",
}
NONE_CHOSEN: Final = "Choose a column that a fit would predict."


def draw_target(dataset: DatasetOut, version: int, profile: ProfileOut, *, key: str) -> None:
    """The choice, and the strongest first."""
    names = [column.name for column in profile.columns]
    guess = profile.suggested_target
    hint = f"Suggested: {text.plain(guess.column)}" if guess else None
    target = st.selectbox(
        "What goes along with",
        names,
        index=None,
        placeholder=NONE_CHOSEN,
        help=hint,
        key=f"{key}.target",
        persist_state="session",
        width=420,
    )
    if target is None:
        return
    with st.spinner("Comparing the columns …"):
        found = queries.profile(identity.datasets_api(), dataset.id, version, target)
    for column in found.columns:
        for warning in column.warnings:
            if warning.kind == "leak":
                st.warning(text.plain(f"{column.name}: {warning.message}"))
    pairs = [(column.name, column.association) for column in found.columns if column.association]
    if not pairs:
        st.caption("No column can be compared with it.")
        return
    _draw_table(sorted(pairs, key=lambda pair: -abs(pair[1].value)), target)


def _draw_table(pairs: list[tuple[str, Association]], target: str) -> None:
    rows = [
        {
            "Column": name,
            "Strength": abs(found.value),
            "Value": found.value,
            "Measure": MEASURES[found.kind],
            "Rows": found.pairs,
        }
        for name, found in pairs
    ]
    config = {
        "Strength": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format=" "),
        "Value": st.column_config.NumberColumn(format="%.3f"),
        "Rows": st.column_config.NumberColumn(format="localized"),
    }
    st.dataframe(rows, hide_index=True, column_config=config, alt=f"What goes along with {target}")
    name, strongest = pairs[0]
    st.caption(text.plain(f"Strongest: {name} with {strongest.value:.3f}."))
