"""The aliases of a model besides the champion, and the history of all of them."""

from functools import partial
from typing import Final

import streamlit as st

from backend.registry.schemas import CHAMPION, ModelOut
from frontend import identity, text
from frontend.dialogs import REASON_LIMIT, REASON_MISSING, done
from frontend.state import state
from frontend.widgets import errors_shown

MOST_CHANGES: Final = 200
USUAL: Final = ("shadow", "staging")
CHANGES: Final = {
    "set": "set",
    "rollback": "rolled back",
    "removed": "taken away",
    "retraining": "by retraining",
}


def draw_other_aliases(model: ModelOut, version: int) -> None:
    """Point an alias at the version, or take one away."""
    # A new key closes it after each change: what was done is said on top of the page.
    with st.expander("Other aliases", key=f"aliases.{model.id}.{state.form_round}"):
        _draw_form(model, version)


@st.fragment
def _draw_form(model: ModelOut, version: int) -> None:
    with errors_shown("aliases"):
        st.caption(
            "Programs may ask for a version by any alias. The champion moves with Promote, the "
            "challenger with each retraining."
        )
        key = f"alias.{model.id}.{state.form_round}"
        left, right = st.columns([1, 2])
        with left:
            alias = st.selectbox(
                "Alias",
                sorted({*model.aliases, *USUAL} - {CHAMPION}),
                index=None,
                key=f"{key}.name",
                accept_new_options=True,
                placeholder="choose or type",
                help="Choose, or type a new one: small letters, digits, - and _",
            )
        with right:
            reason = st.text_input(
                "Reason", key=f"{key}.reason", max_chars=REASON_LIMIT, placeholder="For the test"
            )
        _draw_buttons(model, version, (alias or "").strip(), reason.strip(), key=key)


def _draw_buttons(model: ModelOut, version: int, alias: str, reason: str, *, key: str) -> None:
    others = {name: number for name, number in model.aliases.items() if name != CHAMPION}
    now = others.get(alias)
    with st.container(horizontal=True):
        is_set = st.button(
            f"Point at version {version}",
            type="primary",
            key=f"{key}.set",
            disabled=alias in ("", CHAMPION) or now == version,
        )
        removed = now is not None and st.button(f"Take away from version {now}", key=f"{key}.take")
    if not (is_set or removed):
        return
    if not reason:
        st.error(REASON_MISSING)
    elif done(partial(_remove if removed else partial(_set, version), model.id, alias, reason)):
        state.form_round += 1
        st.rerun()


def _set(version: int, model_id: int, alias: str, reason: str) -> str:
    identity.models_api().point_alias(model_id, alias, version, reason)
    return f"{alias} is version {version}."


def _remove(model_id: int, alias: str, reason: str) -> str:
    identity.models_api().remove_alias(model_id, alias, reason)
    return f"{alias} is taken away."


def draw_history(model_id: int) -> None:
    """Who moved which alias, when and why."""
    changes = identity.models_api().alias_changes(model_id, limit=MOST_CHANGES)
    with st.expander(f"History of the aliases · {text.counted(len(changes), 'move')}"):
        if not changes:
            st.caption("No alias was ever set.")
            return
        rows = [
            {
                "When": text.ago(change.changed_at),
                "Alias": change.alias,
                "From": _version(change.from_version),
                "To": _version(change.to_version),
                "How": CHANGES[change.kind],
                "Why": change.reason,
                "Who": change.changed_by,
            }
            for change in changes
        ]
        st.dataframe(rows, hide_index=True, alt="Moves of the aliases, the newest first")


def _version(version: int | None) -> str:
    return "-" if version is None else f"v{version}"
