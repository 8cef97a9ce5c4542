"""Retraining and operations of the stand-in for the API: for administrators, as the API has it."""

from typing import Any

from fastapi import FastAPI, Request

from backend.accounts.schemas import UserOut
from backend.core.access import Role
from backend.core.schemas import Page
from backend.operations.schemas import Component, HealthOut, JobOut
from backend.retraining.schemas import (
    Decision,
    PolicyOut,
    PolicyUpdate,
    RetrainingOut,
    RetrainRequest,
)
from tests.frontend.model_world import make_retraining
from tests.frontend.world import NOW, Refusal, World

BASE = "/api/v1"


def _require_admin(me: UserOut) -> None:
    if me.role is not Role.ADMIN:
        raise Refusal(403, "This is for administrators.", code="forbidden")


def add_retraining(app: FastAPI, world: World, user: Any) -> None:
    known = world.registry

    @app.post(BASE + "/models/{number}/retrain", status_code=202)
    async def retrain(number: int, request: Request, me: UserOut = user) -> RetrainingOut:
        _require_admin(me)
        if known.refuse is not None:
            raise known.refuse
        if request.headers["content-type"].startswith("multipart/"):
            async with request.form() as form:
                sent = {name: value for name, value in form.items() if isinstance(value, str)}
                wanted, has_file = RetrainRequest.model_validate(sent), "file" in form
        else:
            wanted, has_file = RetrainRequest.model_validate_json(await request.body()), False
        known.asked.append({**wanted.model_dump(exclude_none=True), "has_file": has_file})
        run = make_retraining(next(world.counter), number, state="queued")
        known.retrainings[run.id] = run
        return run

    @app.get(BASE + "/retrainings")
    def runs(
        model_id: int | None = None, state: str | None = None, me: UserOut = user
    ) -> Page[RetrainingOut]:
        assert me
        items = [
            run
            for run in sorted(known.retrainings.values(), key=lambda run: -run.id)
            if model_id in (None, run.model_id) and state in (None, run.state)
        ]
        return Page[RetrainingOut](items=items, next_cursor=None)

    @app.get(BASE + "/retrainings/{number}")
    def read(number: int, me: UserOut = user) -> RetrainingOut:
        assert me
        return known.retrainings[number]


def add_retraining_decisions(app: FastAPI, world: World, user: Any) -> None:
    known = world.registry

    @app.post(BASE + "/retrainings/{number}/cancel")
    def cancel(number: int, me: UserOut = user) -> RetrainingOut:
        _require_admin(me)
        return _become(number, "cancelled", "")

    @app.post(BASE + "/retrainings/{number}/approve")
    def approve(number: int, data: Decision, me: UserOut = user) -> RetrainingOut:
        _require_admin(me)
        return _become(number, "promoted", data.reason)

    @app.post(BASE + "/retrainings/{number}/reject")
    def reject(number: int, data: Decision, me: UserOut = user) -> RetrainingOut:
        _require_admin(me)
        return _become(number, "rejected", data.reason)

    def _become(number: int, state: str, reason: str) -> RetrainingOut:
        update = {"state": state, "decision_reason": reason, "decided_by": "admin"}
        known.retrainings[number] = known.retrainings[number].model_copy(update=update)
        return known.retrainings[number]


def add_policies(app: FastAPI, world: World, user: Any) -> None:
    known = world.registry

    @app.get(BASE + "/models/{number}/retraining")
    def read(number: int, me: UserOut = user) -> PolicyOut:
        assert me
        if number not in known.policies:
            raise Refusal(404, "This model is not retrained by itself.", code="not_found")
        return known.policies[number]

    @app.put(BASE + "/models/{number}/retraining")
    def put(number: int, data: PolicyUpdate, me: UserOut = user) -> PolicyOut:
        _require_admin(me)
        known.policies[number] = PolicyOut(
            **data.model_dump(),
            dataset_name=world.datasets[data.dataset_id].name,
            next_runs=[NOW] if data.schedule else [],
            last_problem=None,
            updated_by=me.username,
            updated_at=NOW,
        )
        return known.policies[number]

    @app.delete(BASE + "/models/{number}/retraining", status_code=204)
    def remove(number: int, me: UserOut = user) -> None:
        _require_admin(me)
        del known.policies[number]


def add_operations(app: FastAPI, world: World, user: Any) -> None:
    @app.get(BASE + "/operations/health")
    def health(me: UserOut = user) -> HealthOut:
        _require_admin(me)
        parts = [Component(name="mlflow", state="failed", detail="It does not answer.")]
        return HealthOut(
            state="failed",
            components=parts,
            jobs={"waiting": len(world.jobs)},
            oldest_waiting_seconds=12.0,
            unrecorded_fits=3,
            workers=1,
        )

    @app.get(BASE + "/operations/jobs")
    def jobs(state: str | None = None, me: UserOut = user) -> Page[JobOut]:
        _require_admin(me)
        items = [job for job in world.jobs.values() if state in (None, job.state)]
        return Page[JobOut](items=items, next_cursor=None)

    @app.post(BASE + "/operations/jobs/{number}/retry")
    def retry(number: int, me: UserOut = user) -> JobOut:
        _require_admin(me)
        world.jobs[number] = world.jobs[number].model_copy(update={"state": "waiting"})
        return world.jobs[number]

    @app.post(BASE + "/operations/jobs/{number}/cancel", status_code=204)
    def cancel(number: int, me: UserOut = user) -> None:
        _require_admin(me)
        del world.jobs[number]
