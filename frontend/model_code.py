"""How programs use a model: commands and scripts to copy."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from backend.registry.schemas import CHAMPION, ModelOut
from backend.serving.schemas import SchemaOut
from frontend import identity, queries, ways_in
from frontend.client import BASE
from frontend.pages import PageName, link
from frontend.settings import dashboard_settings

TOKEN: Final = "GOODFIT_TOKEN"  # noqa: S105  # the name of a variable


def _address(model_id: int) -> str:
    return f"{dashboard_settings().urls.api.rstrip('/')}{BASE}/models/{model_id}"


def predict_command(model_id: int, version: int | None, row: Mapping[str, Any]) -> str:
    """A line for a terminal that asks for one row."""
    body = json.dumps({"rows": [dict(row)]} | ({"version": version} if version else {}))
    return (
        f'curl -X POST {_address(model_id)}/predict -H "Authorization: Bearer ${TOKEN}" '
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )


def predict_image_command(model_id: int, version: int | None) -> str:
    """A line for a terminal that asks for one picture."""
    query = f"?version={version}" if version else ""
    return (
        f"curl -X POST '{_address(model_id)}/predict/file{query}' "
        f'-H "Authorization: Bearer ${TOKEN}" -F file=@picture.png'
    )


def draw_code(model: ModelOut) -> None:
    """The tab."""
    if CHAMPION not in model.aliases:
        st.info("The lines below ask the champion. This model has none yet: promote a version.")
    version = model.aliases.get(CHAMPION, model.latest_version)
    schema = queries.model_schema(identity.models_api(), model.id, version)
    st.caption("They follow the champion: after a promotion the same line asks the new version.")
    _draw_token_command()
    st.markdown("**Terminal**")
    if schema.kind == "image":
        st.code(predict_image_command(model.id, None), language="bash", wrap_lines=True)
    else:
        row = _example(schema)
        st.code(predict_command(model.id, None, row), language="bash", wrap_lines=True)
        st.code(_file_command(model.id), language="bash", wrap_lines=True)
        st.markdown("**Python**")
        st.code(_python(model.id, row), language="python")
    st.markdown("**Notebook**, with the model in your own process:")
    st.code(_notebook(model, schema), language="python")


def _draw_token_command() -> None:
    if identity.current_user().has_password and ways_in.options().password:
        st.markdown("**A token**, for ten minutes:")
        st.code(_token_command(), language="bash", wrap_lines=True)
        return
    st.markdown("**A token**, which you make on your account's page:")
    st.code(f"read -rsp 'Token: ' {TOKEN}; export {TOKEN}", language="bash")
    link(PageName.ACCOUNT, "Make a token", part="Tokens")


def _token_command() -> str:
    api = dashboard_settings().urls.api.rstrip("/")
    username = shlex.quote(identity.current_user().username)
    return (
        f"read -rsp 'Password: ' P; export {TOKEN}=$(printf %s \"$P\" | "
        f"curl -s {api}{BASE}/auth/token "
        f"--data-urlencode username={username} --data-urlencode password@- | "
        "python3 -c 'import json, sys; print(json.load(sys.stdin)[\"access_token\"])')"
    )


def _file_command(model_id: int) -> str:
    return (
        f'curl -X POST {_address(model_id)}/predict/file -H "Authorization: Bearer ${TOKEN}" '
        "-F file=@rows.csv -o predictions.csv"
    )


def _example(schema: SchemaOut) -> dict[str, Any]:
    """One row with usual values; all inputs, since a missing one is refused."""
    row: dict[str, Any] = {}
    for entry in schema.inputs:
        if entry.categories and entry.type == "string":
            row[entry.name] = entry.categories[0]
        elif entry.type in ("number", "integer") and entry.minimum is not None:
            row[entry.name] = entry.minimum
        elif entry.type == "boolean":
            row[entry.name] = False
        else:
            row[entry.name] = None
    return row


def _python(model_id: int, row: Mapping[str, Any]) -> str:
    lines = ",\n".join(f"        {name!r}: {value!r}" for name, value in row.items())
    return (
        "import os\n\nimport httpx\n\n"
        "answer = httpx.post(\n"
        f'    "{_address(model_id)}/predict",\n'
        f'    headers={{"Authorization": "Bearer " + os.environ["{TOKEN}"]}},\n'
        f'    json={{"rows": [{{\n{lines},\n    }}]}},\n'
        ")\n"
        'print(answer.json()["predictions"])'
    )


def _notebook(model: ModelOut, schema: SchemaOut) -> str:
    call = "model.predict(rows)  # a pandas table with the columns above"
    if schema.kind == "image":
        image = schema.inputs[0]
        shape = f"(n, {image.height}, {image.width}, {image.channels})"
        call = f"model.predict(pictures)  # a NumPy array of uint8, {shape}"
    mlflow = dashboard_settings().urls.mlflow.rstrip("/")
    return (
        "import os\n\nimport mlflow\n\n"
        f'os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["{TOKEN}"]\n'
        f'mlflow.set_tracking_uri("{mlflow}")\n'
        f'model = mlflow.pyfunc.load_model("{model.mlflow_uri}")\n'
        f"{call}"
    )
