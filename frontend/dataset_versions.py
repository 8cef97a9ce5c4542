"""The versions of a dataset: where each came from, how it was read, and how two differ."""

from functools import partial
from typing import Final

import streamlit as st

from backend.datasets.schemas import DatasetOut, ReadOptions, VersionOut
from frontend import identity, text
from frontend.address import in_address
from frontend.dataset_diff import draw_diff
from frontend.dialogs import close_dialog, confirmed, done, is_open, open_dialog
from frontend.pages import PageName, go, link
from frontend.read_options import draw_option_fields, how_read
from frontend.recipe_sentences import summary
from frontend.state import state
from frontend.uploads import draw_version_upload, repeatable
from frontend.widgets import errors_shown

SHOWN_AT_FIRST: Final = 20
ORIGINS: Final = {"upload": "Uploaded", "inline": "Sent as JSON", "recipe": "Made"}


def draw_versions(dataset: DatasetOut, shown: int, *, may_edit: bool) -> None:
    """The tab."""
    versions = identity.datasets_api().versions(dataset.id)
    if may_edit:
        _draw_replay_offer(dataset, versions)
        _draw_upload(dataset)
    if len(versions) > 1:
        # Only where it is open: the comparison takes a pass over both tables.
        compare = st.expander("Compare two versions", **in_address("compare", usual=False))
        if compare.open:
            with compare, errors_shown("compare"):
                draw_diff(dataset, versions, shown)
    of_dataset, count = state.shown_versions
    if of_dataset != dataset.id:
        count = SHOWN_AT_FIRST
    for version in versions[:count]:
        _draw_version(dataset, version, is_shown=version.version == shown, may_edit=may_edit)
    if len(versions) > count and st.button("Older versions", key="older_versions"):
        state.shown_versions = dataset.id, count + SHOWN_AT_FIRST
        st.rerun()


def _draw_upload(dataset: DatasetOut) -> None:
    with st.expander("Upload the next version", key="next_version"):
        version = draw_version_upload(dataset)
        if version is not None:
            state.notice = f"Version {version.version} is stored."
            go(PageName.DATASET, id=dataset.id)


def _draw_replay_offer(dataset: DatasetOut, versions: list[VersionOut]) -> None:
    """An upload behind a cleaned version is most often to be cleaned in the same way."""
    newest = versions[0]
    cleaned = next((version for version in versions if version.recipe), None)
    if newest.recipe is not None or cleaned is None:
        return
    with st.container(border=True, key="replay_offer"):
        st.markdown(
            f"Version {newest.version} is as it came. Version {cleaned.version} was made with "
            f"{text.counted(len(cleaned.recipe or []), 'step')}."
        )
        st.caption(_steps(cleaned))
        label = f"Replay the recipe of version {cleaned.version} here"
        if st.button(label, key="replay", type="primary"):
            act = partial(_replay, dataset.id, newest.version, cleaned.version)
            if done(act):
                go(PageName.DATASET, id=dataset.id)


def _replay(dataset_id: int, version: int, replay_of: int) -> str:
    key = repeatable("replay", str(dataset_id), str(version), str(replay_of))
    answer = identity.datasets_api().replay_recipe(
        dataset_id, version, replay_of, dry_run=False, key=key
    )
    state.upload_salt = ""
    made = "" if answer.version is None else f"Version {answer.version.version} is made: "
    return f"{made}{text.counted(answer.rows, 'row')}, {text.counted(answer.columns, 'column')}."


def _draw_version(
    dataset: DatasetOut, version: VersionOut, *, is_shown: bool, may_edit: bool
) -> None:
    number = version.version
    with st.container(border=True, key=f"version_{number}"):
        label = f"**Version {number}** · {text.plain(version.file_name)}"
        if is_shown:
            st.markdown(f"{label} · shown")
        else:
            link(PageName.DATASET, label, id=dataset.id, v=number)
        shape = text.shape(dataset.kind, version.rows, version.columns)
        st.caption(
            f"{shape} · {text.size(version.bytes)} · by {text.plain(version.created_by)} · "
            f"{text.ago(version.created_at)}{_warnings(version)}"
        )
        for line in _history(version):
            st.caption(line)
        st.caption(f"SHA-256 `{version.sha256}`  \nContent `{version.content_digest}`")
        # An archive of images has no options; what a recipe made was not read from a file.
        is_readable = version.source is not None and version.origin == "upload"
        if may_edit and is_readable and dataset.kind == "table":
            name = f"read_again.{dataset.id}.{number}"
            if st.button("Read again with …", key=f"read_again_{number}"):
                open_dialog(name)
            if is_open(name):
                _read_again(dataset, version)


def _warnings(version: VersionOut) -> str:
    count = len(version.warnings)
    return f" · {text.counted(count, 'warning')}" if count else ""


def _history(version: VersionOut) -> list[str]:
    """From which version and how, as Markdown."""
    lines = []
    parent = f" from version {version.parent_version}" if version.parent_version else ""
    if version.recipe is not None:
        again = f", as version {version.replay_of} was" if version.replay_of else ""
        lines.append(f"Made{parent}{again}: {_steps(version)}")
    elif parent:
        lines.append(f"The file{parent}, read again.")
    if version.inputs:
        joined = (f"dataset {used.dataset_id} v{used.version}" for used in version.inputs)
        lines.append(f"Joined with {', '.join(joined)}.")
    if read := how_read(version.source):
        lines.append(f"Read as {read}.")
    return lines


def _steps(version: VersionOut) -> str:
    """As Markdown."""
    return text.plain(summary(version.recipe or []))


@st.dialog("Read again with …", on_dismiss=close_dialog)
def _read_again(dataset: DatasetOut, version: VersionOut) -> None:
    with errors_shown("read_again"):
        st.markdown(
            f"The file of version {version.version} is read once more, as the next version; "
            f"version {version.version} stays as it is."
        )
        if read := how_read(version.source):
            st.caption(f"It was read as {read}.")
        options = draw_option_fields(
            f"again.{dataset.id}.{version.version}", now=version.source, format_too=True
        )
        if not confirmed("Read again", key="read_again_now"):
            return
        if done(partial(_do_read_again, dataset.id, version.version, options)):
            close_dialog()
            state.options_round += 1
            go(PageName.DATASET, id=dataset.id)


def _do_read_again(dataset_id: int, version: int, options: ReadOptions) -> str:
    key = repeatable("read", str(dataset_id), str(version), options.model_dump_json())
    made = identity.datasets_api().read_again(dataset_id, version, options, key=key)
    state.upload_salt = ""
    shape = f"{text.counted(made.rows, 'row')}, {text.counted(made.columns, 'column')}"
    return f"Version {made.version} is stored: {shape}."
