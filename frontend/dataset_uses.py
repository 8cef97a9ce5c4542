"""Where a dataset was used, and what follows from that for who deletes it."""

import hashlib
from collections import Counter
from typing import Any, Final, assert_never

import streamlit as st

from backend.datasets.schemas import DatasetOut
from backend.datasets.usage_schemas import UsageOut, UseOut
from frontend import identity, text
from frontend.pages import PageName, go
from frontend.state import state
from frontend.tables import clickable_table, table_time

KINDS: Final = {
    "fit": ("fit", "fits"),
    "model_version": ("model version", "model versions"),
    "retraining": ("retraining", "retrainings"),
    "retraining_policy": ("planned retraining", "planned retrainings"),
    "dataset": ("dataset", "datasets"),
}
ALL: Final = "all versions"
CHAMPION: Final = "champion"
COLUMNS: Final[dict[str, Any]] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Name": st.column_config.TextColumn(width=260),
    "When": st.column_config.DatetimeColumn(format="distance"),
}


def draw_uses(dataset: DatasetOut) -> None:
    """The tab."""
    api = identity.datasets_api()
    usage = shown = api.usage(dataset.id)
    if dataset.latest_version > 1:
        versions = [str(number) for number in range(dataset.latest_version, 0, -1)]
        key = f"uses.{dataset.id}.version"
        chosen = st.selectbox("Version", [ALL, *versions], key=key, width=160)
        shown = usage if chosen == ALL else api.usage(dataset.id, int(chosen))
    if shown.items or shown.hidden:
        _draw_table(shown)
    else:
        st.info("Nothing used it yet: no fit, no model, no other dataset.")
    # It is about all versions, whichever is shown.
    st.caption(f"**Deletion.** {dependents(usage)} {sizes(usage)}")


def _draw_table(usage: UsageOut) -> None:
    if usage.unlisted:
        st.caption(f"The newest {len(usage.items):,} of {len(usage.items) + usage.unlisted:,}.")
    if usage.hidden:
        hidden = text.counted(usage.hidden, "use")
        st.caption(f"{hidden} in projects that are not shared with you.")
    if not usage.items:
        return
    by_id = {_row_id(use): use for use in usage.items}
    ids = list(by_id)
    state.selected_use = clickable_table(
        [_row(use) for use in by_id.values()],
        ids=ids,
        selected=state.selected_use,
        key="uses",
        columns=COLUMNS,
        alt="What used this dataset; the button below opens the chosen one",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = state.selected_use or ids[0]
        number = st.selectbox(
            "Which",
            ids,
            index=ids.index(default),
            format_func=lambda number: _title(by_id[number]),
            key=f"use.{default}",
            width=360,
        )
        if st.button("Open", key="open_use", type="primary"):
            _open(by_id[number])


def _row_id(use: UseOut) -> int:
    """A number of its own for each row, the same in every run."""
    name = f"{use.kind}.{use.id}.{use.version}.{use.made_version}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6])


def _title(use: UseOut) -> str:
    made = f" v{use.made_version}" if use.made_version else ""
    return f"{KINDS[use.kind][0]} {use.id} · {use.name}{made}"


def _row(use: UseOut) -> dict[str, Any]:
    return {
        "What": KINDS[use.kind][0],
        "No.": use.id,
        "Name": use.name + (f" v{use.made_version}" if use.made_version else ""),
        "Used version": use.version,
        "State": ", ".join(filter(None, [use.state, *use.aliases])),
        "By": use.created_by,
        "When": table_time(use.created_at),
    }


def _open(use: UseOut) -> None:
    match use.kind:
        case "fit":
            go(PageName.FIT, id=use.id)
        case "model_version":
            go(PageName.MODEL, id=use.id, v=use.made_version or 1)
        case "retraining":
            found = identity.retraining_api().retraining(use.id)
            go(PageName.MODEL, id=found.model_id)
        case "retraining_policy":
            go(PageName.MODEL, id=use.id)
        case "dataset":
            go(PageName.DATASET, id=use.id, v=use.made_version or 1)
        case _:
            assert_never(use.kind)


def dependents(usage: UsageOut) -> str:
    """What depends on the dataset, in a sentence or two, as Markdown."""
    if usage.champions:
        named = [use for use in usage.items if CHAMPION in use.aliases]
        names = ", ".join(text.plain(f"{use.name} v{use.made_version}") for use in named)
        behind = f" ({names})" if names else ""
        verb = "depends" if usage.champions == 1 else "depend"
        return (
            f"{text.counted(usage.champions, 'champion')} {verb} on it{behind}, so it cannot be "
            "deleted: point the alias to another version first, or delete the model."
        )
    counts = Counter(use.kind for use in usage.items)
    parts = [text.counted(count, *KINDS[kind]) for kind, count in counts.items()]
    if usage.unlisted:
        parts.append(f"{usage.unlisted:,} older ones")
    if usage.hidden:
        parts.append(f"{usage.hidden:,} in projects that are not shared with you")
    if not parts:
        return "Nothing depends on it."
    return (
        f"It was used by {', '.join(parts)}. What was made with it keeps its results and files, "
        "but cannot be made again without it."
    )


def sizes(usage: UsageOut) -> str:
    """What goes and what stays, in bytes."""
    return (
        f"Its versions hold {text.size(usage.total_bytes)}; deletion for good frees "
        f"{text.size(usage.frees_bytes)} of them."
    )
