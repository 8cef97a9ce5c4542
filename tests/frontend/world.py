"""What the stand-in for the API knows: accounts, datasets and fits in memory."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.accounts.schemas import (
    UserOut,
)
from backend.core.access import Role
from backend.datasets.profile_schemas import ColumnOut, ProfileOut, SuggestedTarget
from backend.datasets.schemas import DatasetOut
from backend.fits.schemas import (
    EstimatorList,
    EstimatorOut,
    ExcludedColumn,
    FitCreate,
    FitErrorOut,
    FitOut,
    ResidualRow,
)
from backend.fits.states import FitState
from backend.operations.schemas import JobOut
from backend.registry.schemas import AliasChangeOut, ModelOut, ModelVersionOut
from backend.retraining.schemas import PolicyOut, RetrainingOut
from tests.frontend.account_world import Accounts
from tests.frontend.dataset_world import Shelf
from tests.frontend.dataset_world import make_dataset as make_dataset
from tests.frontend.project_world import Projects

NOW = datetime.now(UTC)
PASSWORD = "correct horse battery"
SERVICE_KEY = "service-key-of-the-dashboard-tests-0123456789"
LINK = "gl_first_link"


class Refusal(Exception):
    def __init__(self, status: int, detail: str, *, code: str = "test", **fields: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code, self.fields = status, detail, code, fields


@dataclass
class Registry:
    """What the stand-in knows about models."""

    models: dict[int, ModelOut] = field(default_factory=dict)
    versions: dict[int, list[ModelVersionOut]] = field(default_factory=dict)
    changes: dict[int, list[AliasChangeOut]] = field(default_factory=dict)
    """The newest first."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Rows and files that predictions were asked for."""
    refuse: Refusal | None = None
    retrainings: dict[int, RetrainingOut] = field(default_factory=dict)
    policies: dict[int, PolicyOut] = field(default_factory=dict)


@dataclass
class World:
    """What the stand-in knows."""

    users: dict[str, UserOut] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """From a live token of any kind to its user."""
    tickets: dict[str, str] = field(default_factory=dict)
    datasets: dict[int, DatasetOut] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    fits: dict[int, FitOut] = field(default_factory=dict)
    sent_fits: list[FitCreate] = field(default_factory=list)
    sent_keys: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    recipes: list[tuple[bool, list[dict[str, Any]]]] = field(default_factory=list)
    refuse_recipe: Refusal | None = None
    calls: list[str] = field(default_factory=list)
    polls: dict[int, int] = field(default_factory=dict)
    refuse_upload: str | Refusal | None = None
    refuse_fit: Refusal | None = None
    residuals: list[ResidualRow] | None = None
    polls_until_done: int = 1
    link_spent: bool = False
    registry: Registry = field(default_factory=Registry)
    projects: Projects = field(default_factory=Projects)
    accounts: Accounts = field(default_factory=Accounts)
    jobs: dict[int, JobOut] = field(default_factory=dict)
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    def add_user(self, name: str, role: Role, *, has_password: bool = True) -> None:
        number = len(self.users) + 1
        self.users[name] = UserOut(
            id=number,
            username=name,
            kind="person",
            display_name="",
            email=None,
            email_verified=False,
            role=role,
            has_password=has_password,
            disabled=False,
            invited_until=None,
            created_at=NOW,
        )
        if has_password:
            self.passwords[name] = PASSWORD
        self.projects.add(number, name, f"{name}'s project", personal=True)

    def may_read(self, me: UserOut, project_id: int) -> bool:
        return self.projects.may_read(me.username, me.role, project_id)

    def visible_model(self, me: UserOut, model_id: int) -> ModelOut:
        model = self.registry.models.get(model_id)
        if model is None or not self.may_read(me, model.project_id):
            raise Refusal(404, "There is no such model.", code="not_found")
        return model

    def new_token(self, prefix: str, user: str) -> str:
        token = f"{prefix}{next(self.counter)}"
        self.tokens[token] = user
        return token

    def sign_out_everywhere(self, user: str) -> None:
        self.tokens = {token: who for token, who in self.tokens.items() if who != user}


def make_fit(number: int, owner: str, project: int, state: FitState, **more: Any) -> FitOut:
    done = state is FitState.SUCCEEDED
    values: dict[str, Any] = {
        "id": number,
        "name": f"body_mass_g by Ordinary least squares {number}",
        "project_id": project,
        "state": state,
        "progress": 1.0 if done else 0.4,
        "progress_message": "" if done else "Fitting",
        "attempt": 1,
        "task": "regression",
        "estimator": "ordinary_least_squares",
        "params": {"fit_intercept": True},
        "dataset_id": 7,
        "dataset_name": "penguins",
        "version": 1,
        "dataset_digest": "d" * 64,
        "target": "body_mass_g",
        "features": ["flipper_length_mm", "species"],
        "excluded": [ExcludedColumn(column="rowid", reason="it looks like an identifier")],
        "validation": {"kind": "holdout", "test_size": 0.2, "shuffle": True},
        "seed": 0,
        "metrics": {"r2": 0.86149, "rmse": 301.234, "mae": 240.1} if done else {},
        "baseline_metrics": {"r2": -0.003, "rmse": 811.9, "mae": 690.4} if done else {},
        "rows_used": 273 if done else None,
        "rows_holdout": 69 if done else None,
        "warnings": ["2 rows without a target were left out"] if done else [],
        "tracking": "recorded" if done else "pending",
        "mlflow_run_id": "abc" if done else None,
        "mlflow_url": "http://mlflow.test/#/experiments/1/runs/abc" if done else None,
        "error": None,
        "created_by": owner,
        "created_at": NOW - timedelta(minutes=number % 50),
        "started_at": NOW,
        "finished_at": NOW if done else None,
        "seconds": 0.42 if done else None,
        "tags": {},
    }
    return FitOut.model_validate({**values, **more})


def make_world() -> World:
    world = World()
    world.add_user("ada", Role.MEMBER)
    world.add_user("bob", Role.MEMBER)
    world.add_user("vic", Role.VIEWER)
    world.add_user("admin", Role.ADMIN, has_password=False)
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1)
    world.datasets[8] = make_dataset(8, "bob's secret", "bob", 2)
    for number in (41, 42):
        world.fits[number] = make_fit(number, "ada", 1, FitState.SUCCEEDED)
    world.fits[43] = make_fit(
        43,
        "ada",
        1,
        FitState.FAILED,
        error=FitErrorOut(message="The target has one value only.", column="sex"),
    )
    world.fits[50] = make_fit(50, "bob", 2, FitState.SUCCEEDED, name="bob's fit")
    return world


def _column(name: str, kind: str, role: str, distinct: int, reason: str | None = None) -> ColumnOut:
    return ColumnOut.model_validate(
        {
            "name": name,
            "type": kind,
            "role": role,
            "nulls": 2,
            "distinct": distinct,
            "left_out_because": reason,
        }
    )


PROFILE = ProfileOut(
    rows=344,
    columns=[
        _column("rowid", "integer", "id", 344, "it looks like an identifier"),
        _column("species", "string", "categorical", 3),
        _column("sex", "string", "categorical", 2),
        _column("flipper_length_mm", "integer", "numeric", 55),
        _column("year", "integer", "numeric", 3),
        _column("body_mass_g", "integer", "numeric", 94),
    ],
    suggested_target=SuggestedTarget(column="body_mass_g", reason="last numeric column"),
    warnings=[],
)


IMAGE_PROFILE = ProfileOut(
    rows=5_000,
    columns=[
        _column("image", "image", "image", 4_990),
        _column("label", "string", "categorical", 10),
    ],
    suggested_target=SuggestedTarget(column="label", reason="the label of each image"),
    warnings=[],
)


def _estimator(name: str, title: str, tasks: list[str], properties: dict[str, Any]) -> EstimatorOut:
    return EstimatorOut.model_validate(
        {
            "name": name,
            "title": title,
            "summary": f"What {title} does.",
            "reference": "A book",
            "tasks": tasks,
            "data": "table",
            "available": True,
            "install": None,
            "params_schema": {"type": "object", "properties": properties},
            "defaults": {key: value.get("default") for key, value in properties.items()},
        }
    )


INTERCEPT = {"type": "boolean", "default": True, "title": "Intercept"}
NEIGHBORS = {"type": "integer", "default": 5, "minimum": 1, "maximum": 1000, "title": "Neighbours"}
WEIGHTS = {"enum": ["uniform", "distance"], "default": "uniform", "title": "Weights"}
TREES = {"type": "integer", "default": 100, "minimum": 1, "maximum": 2000, "title": "Trees"}
ALL_TASKS = ["regression", "binary", "multiclass"]
ESTIMATORS = EstimatorList(
    items=[
        _estimator(
            "k_nearest_neighbors",
            "k-nearest neighbours",
            ALL_TASKS,
            {"n_neighbors": NEIGHBORS, "weights": WEIGHTS},
        ),
        _estimator(
            "ordinary_least_squares",
            "Ordinary least squares",
            ["regression"],
            {"fit_intercept": INTERCEPT},
        ),
        _estimator("random_forest", "Random forest", ALL_TASKS, {"n_estimators": TREES}),
        _estimator(
            "convolutional_network", "Convolutional network", ALL_TASKS[1:], {"epochs": TREES}
        ).model_copy(update={"data": "image", "install": "pip install -e '.[torch]'"}),
    ]
)
