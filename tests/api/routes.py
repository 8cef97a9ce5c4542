"""Every route with its rule and a request that is fit to be answered; `{name}` is a thing's id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.api.rules import Rule

PASSWORD: Final = "a sentence that nobody guesses"
FILE: Final = {"file": ("more.csv", b"x,y\n1,2\n3,4\n5,6\n", "text/csv")}
FEATURES: Final = {"bill_length_mm": 40, "flipper_length_mm": 190}
REASON: Final = {"reason": "because"}
ROWS_FILE: Final = {"file": ("rows.csv", b"bill_length_mm,flipper_length_mm\n40,190\n", "text/csv")}


@dataclass(frozen=True)
class Route:
    """One route, its rule, and what is sent beside the ids in its path."""

    method: str
    path: str
    rule: Rule
    json: Any = None
    params: Any = None
    data: Any = None
    files: Any = None
    # Which thing stands for a name in the path, where it is another one.
    at: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


# What stands in paths beside the ids of things.
PARTS: Final = {"version": 1, "row": 0, "name": "ridge", "alias": "champion", "token": "gd_x"}
R = Rule
ACCOUNTS: Final = [
    Route("POST", "/auth/token", R.PUBLIC, data={"username": "x", "password": "y"}),
    Route("POST", "/auth/link", R.PUBLIC, json={"token": "gl_x"}),
    Route("GET", "/auth/options", R.PUBLIC),
    Route("POST", "/auth/register", R.PUBLIC, json={"username": "new", "password": PASSWORD}),
    Route("POST", "/auth/links/check", R.PUBLIC, json={"token": "gl_x"}),
    Route("POST", "/auth/password", R.PUBLIC, json={"token": "x", "new_password": PASSWORD}),
    Route("POST", "/auth/logout", R.PERSON),
    Route("POST", "/auth/ticket", R.PERSON),
    Route("GET", "/users/me", R.OWN),
    Route("PATCH", "/users/me", R.PERSON, json={"display_name": "x"}),
    Route("POST", "/users/me/password", R.PERSON, json={"new_password": PASSWORD}),
    Route("GET", "/users/me/history", R.OWN),
    Route("GET", "/users/me/sessions", R.PERSON),
    Route("DELETE", "/users/me/sessions", R.PERSON),
    Route("DELETE", "/users/me/sessions/{session_id}", R.PERSONAL),
    Route("GET", "/tokens", R.OWN),
    Route("POST", "/tokens", R.PERSON, json={"name": "x"}),
    Route("DELETE", "/tokens/{token_id}", R.PERSONAL),
    Route("POST", "/internal/tickets/redeem", R.INTERNAL, json={"ticket": "x"}),
    Route("POST", "/internal/introspect", R.INTERNAL, json={"token": "x"}),
    Route("POST", "/internal/logout", R.INTERNAL, json={"token": "x"}),
    Route("POST", "/internal/oidc/start", R.INTERNAL, json={}),
    Route("POST", "/internal/oidc/finish", R.INTERNAL, json={}),
]
INVITED: Final = {"user_id": "invited_id"}
SERVICE: Final = {"user_id": "service_id", "token_id": "service_token_id"}
ADMINISTRATION: Final = [
    Route("GET", "/users", R.ADMIN),
    Route("POST", "/users", R.ADMIN_PERSON, json={"username": "newcomer"}),
    Route("GET", "/users/{user_id}", R.ADMIN),
    Route("PATCH", "/users/{user_id}", R.ADMIN_PERSON, json={"disabled": True}),
    Route("DELETE", "/users/{user_id}", R.ADMIN_PERSON, params={"trash": True}),
    Route("GET", "/users/{user_id}/holdings", R.ADMIN),
    Route("POST", "/users/{user_id}/invitation", R.ADMIN_PERSON, at=INVITED),
    Route("DELETE", "/users/{user_id}/invitation", R.ADMIN_PERSON, at=INVITED),
    Route("POST", "/users/{user_id}/password-reset", R.ADMIN_PERSON),
    Route("GET", "/service-accounts", R.ADMIN),
    Route("POST", "/service-accounts", R.ADMIN_PERSON, json={"username": "robot"}),
    Route("GET", "/service-accounts/{user_id}/tokens", R.ADMIN, at=SERVICE),
    Route(
        "POST", "/service-accounts/{user_id}/tokens", R.ADMIN_PERSON, json={"name": "x"}, at=SERVICE
    ),
    Route("DELETE", "/service-accounts/{user_id}/tokens/{token_id}", R.ADMIN_PERSON, at=SERVICE),
    Route("GET", "/operations/jobs", R.ADMIN),
    Route("POST", "/operations/jobs/{job_id}/retry", R.ADMIN),
    Route("POST", "/operations/jobs/{job_id}/cancel", R.ADMIN),
    Route("GET", "/operations/health", R.ADMIN),
    Route("GET", "/operations/storage", R.ADMIN),
    Route("GET", "/operations/audit", R.ADMIN),
    Route("GET", "/operations/audit.csv", R.ADMIN),
]
MEMBER: Final = "/projects/{project_id}/members/{username}"
PROJECTS: Final = [
    Route("GET", "/projects", R.OWN),
    Route("POST", "/projects", R.CREATE, json={"name": "lake"}),
    Route("GET", "/projects/{project_id}", R.READ),
    Route("PATCH", "/projects/{project_id}", R.GOVERN, json={"name": "lake"}),
    Route("DELETE", "/projects/{project_id}", R.GOVERN),
    Route("GET", "/projects/{project_id}/members", R.READ),
    Route("PUT", MEMBER, R.GOVERN, json={"role": "viewer"}, at={"username": "newcomer"}),
    Route("DELETE", MEMBER, R.GOVERN, at={"username": "member"}),
    Route("POST", "/projects/{project_id}/transfer", R.GOVERN, json={"username": "{newcomer}"}),
]
VERSION: Final = "/datasets/{dataset_id}/versions/{version}"
IN_PROJECT: Final = {"project_id": "{project_id}"}
TRASHED: Final = {"dataset_id": "trashed_id"}
DATASETS: Final = [
    Route("POST", "/datasets", R.WRITE, data=IN_PROJECT, files=FILE),
    Route("POST", "/datasets/sample", R.WRITE, json=IN_PROJECT),
    Route("GET", "/datasets", R.OWN),
    Route("GET", "/datasets/{dataset_id}", R.READ),
    Route("PATCH", "/datasets/{dataset_id}", R.WRITE, json={"name": "x"}),
    Route("DELETE", "/datasets/{dataset_id}", R.WRITE),
    Route("POST", "/datasets/{dataset_id}/versions", R.WRITE, files=FILE),
    Route("GET", "/datasets/{dataset_id}/versions", R.READ),
    Route("GET", VERSION, R.READ),
    Route("POST", f"{VERSION}/read-again", R.WRITE, json={}),
    Route("GET", f"{VERSION}/profile", R.READ),
    Route("POST", f"{VERSION}/profile", R.WRITE),
    Route("GET", f"{VERSION}/diff", R.READ, params={"against": 1}),
    Route("GET", f"{VERSION}/preview", R.READ),
    Route("GET", f"{VERSION}/download", R.READ),
    Route("POST", f"{VERSION}/link", R.READ, json={"format": "csv"}),
    Route("GET", "/downloads/{token}", R.PUBLIC),
    Route("GET", "/datasets/{dataset_id}/used-by", R.READ),
    Route("POST", "/datasets/{dataset_id}/restore", R.WRITE, at=TRASHED),
    Route("POST", "/datasets/{dataset_id}/purge", R.GOVERN, at=TRASHED),
    Route("POST", f"{VERSION}/recipe", R.WRITE, json={"steps": [{"kind": "drop_nulls"}]}),
    Route("GET", f"{VERSION}/recipe", R.READ),
    Route("GET", f"{VERSION}/images", R.READ),
    Route("GET", f"{VERSION}/images/{{row}}.png", R.READ),
]
FIT: Final = {"dataset_id": "{dataset_id}", "target": "species", "estimator": "dummy_baseline"}
FITS: Final = [
    Route("GET", "/estimators", R.OWN),
    Route("GET", "/estimators/{name}", R.OWN),
    Route("POST", "/fits", R.WRITE, json=FIT),
    Route("GET", "/fits", R.OWN),
    Route("GET", "/fits/{fit_id}", R.READ),
    Route("PATCH", "/fits/{fit_id}", R.WRITE, json={"name": "x"}),
    Route("DELETE", "/fits/{fit_id}", R.WRITE),
    Route("POST", "/fits/{fit_id}/cancel", R.WRITE, at={"fit_id": "queued_id"}),
    Route("POST", "/fits/{fit_id}/rerun", R.WRITE),
    Route("GET", "/fits/{fit_id}/residuals", R.READ),
    Route("GET", "/fits/{fit_id}/coefficients", R.READ),
    Route("GET", "/fits/{fit_id}/plots", R.READ),
    Route("GET", "/fits/{fit_id}/plots/{kind}", R.READ),
    Route("GET", "/fits/{fit_id}/plots/{kind}.png", R.READ),
    Route("GET", "/fits/{fit_id}/schema", R.PREDICT),
    Route("POST", "/fits/{fit_id}/predict", R.PREDICT, json={"rows": [FEATURES]}),
    Route("GET", "/fits/{fit_id}/predict", R.PREDICT, params=FEATURES),
    Route("POST", "/fits/{fit_id}/predict/file", R.PREDICT, files=ROWS_FILE),
]
NEW_MODEL: Final = {"name": "new", "fit_id": "{fit_id}"}
POINTED: Final = {"version": 1, **REASON}
POLICY: Final = {"dataset_id": "{dataset_id}", "schedule": "0 6 * * 1"}
MODELS: Final = [
    Route("POST", "/models", R.WRITE, json=NEW_MODEL),
    Route("GET", "/models", R.OWN),
    Route("GET", "/models/{model_id}", R.READ),
    Route("PATCH", "/models/{model_id}", R.WRITE, json={"name": "x"}),
    Route("DELETE", "/models/{model_id}", R.WRITE),
    Route("POST", "/models/{model_id}/versions", R.WRITE, json={"fit_id": "{fit_id}"}),
    Route("GET", "/models/{model_id}/versions", R.READ),
    Route("GET", "/models/{model_id}/versions/{version}", R.READ),
    Route("GET", "/models/{model_id}/aliases/history", R.READ),
    Route("PUT", "/models/{model_id}/aliases/{alias}", R.WRITE, json=POINTED),
    Route("DELETE", "/models/{model_id}/aliases/{alias}", R.WRITE, params=REASON),
    Route("POST", "/models/{model_id}/rollback", R.WRITE, json=REASON),
    Route("GET", "/models/{model_id}/schema", R.PREDICT),
    Route("POST", "/models/{model_id}/predict", R.PREDICT, json={"rows": [FEATURES]}),
    Route("GET", "/models/{model_id}/predict", R.PREDICT, params=FEATURES),
    Route("POST", "/models/{model_id}/predict/file", R.PREDICT, files=ROWS_FILE),
    Route("POST", "/models/{model_id}/retrain", R.ADMIN, json={}),
    Route("GET", "/models/{model_id}/retraining", R.READ),
    Route("PUT", "/models/{model_id}/retraining", R.ADMIN, json=POLICY),
    Route("DELETE", "/models/{model_id}/retraining", R.ADMIN),
    Route("GET", "/retrainings", R.OWN),
    Route("GET", "/retrainings/{retraining_id}", R.READ),
    Route("POST", "/retrainings/{retraining_id}/cancel", R.ADMIN),
    Route("POST", "/retrainings/{retraining_id}/approve", R.ADMIN, json=REASON),
    Route("POST", "/retrainings/{retraining_id}/reject", R.ADMIN, json=REASON),
]
AREAS: Final = {
    "accounts": ACCOUNTS,
    "administration": ADMINISTRATION,
    "projects": PROJECTS,
    "datasets": DATASETS,
    "fits": FITS,
    "models": MODELS,
}
ALL: Final = [route for routes in AREAS.values() for route in routes]
