"""The port to MLflow; nothing outside this package imports it."""

import os
from typing import Final

# MLflow reads these once, while it is imported, which always comes after this module.
QUIET_ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # Its handler writes lines of its own format; without it records reach the process's handler.
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}

os.environ.update(QUIET_ENVIRONMENT)
