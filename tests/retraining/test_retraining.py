"""An administrator retrains: better data promotes, worse does not, and all of it can be read."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.core.access import Role
from tests.conftest import SignIn, upload_csv
from tests.fits.finishing import finish_fit
from tests.registry.registering import PENGUINS_KNN, V1, make_fit, make_model
from tests.retraining.comparing import (
    PENGUINS,
    compare,
    finish_retraining,
    with_wrong_labels,
)


async def _model_on(
    client: httpx.AsyncClient, app: FastAPI, content: bytes
) -> tuple[int, dict[str, Any]]:
    """A champion that learnt from this file, and its dataset."""
    dataset = (await upload_csv(client, content)).json()
    fit_id = await make_fit(client, app, dataset["id"], **PENGUINS_KNN)
    model = await client.post(f"{V1}/models", json={"name": "penguins", "fit_id": fit_id})
    model_id: int = model.json()["id"]
    await client.put(
        f"{V1}/models/{model_id}/aliases/champion", json={"version": 1, "reason": "first"}
    )
    return model_id, dataset


async def _retrain(client: httpx.AsyncClient, model_id: int, content: bytes, **form: Any) -> Any:
    return await client.post(
        f"{V1}/models/{model_id}/retrain", files={"file": ("new.csv", content)}, data=form
    )


async def _champion(client: httpx.AsyncClient, model_id: int) -> int:
    aliases = (await client.get(f"{V1}/models/{model_id}")).json()["aliases"]
    champion: int = aliases["champion"]
    return champion


async def test_file_sent_again_with_its_key_is_the_retraining_that_it_started(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, PENGUINS.encode())
    url, files = f"{V1}/models/{model_id}/retrain", {"file": ("new.csv", PENGUINS.encode())}
    key = {"Idempotency-Key": "file"}
    first, same = [await admin.post(url, files=files, headers=key) for _ in range(2)]
    assert (first.status_code, same.status_code) == (202, 202), same.text
    assert same.json()["id"] == first.json()["id"]
    other = await admin.post(url, files=files, headers={"Idempotency-Key": "another"})
    assert (other.status_code, other.json()["code"]) == (409, "retraining_active")


async def test_better_data_promotes_and_rollback_restores_the_old_answers(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, dataset = await _model_on(admin, app, with_wrong_labels(3))
    row = {"rows": [{"bill_length_mm": 46.5, "flipper_length_mm": 192}]}
    before = (await admin.post(f"{V1}/models/{model_id}/predict", json=row)).json()
    answer = await _retrain(admin, model_id, PENGUINS.encode(), minimum_gain="0.001")
    assert answer.status_code == 202, answer.text
    started = answer.json()
    assert (started["state"], started["dataset_version"]) == ("queued", 2)
    assert started["dataset_id"] == dataset["id"]
    ended = await finish_retraining(app, admin, started["id"])
    assert ended["state"] == "promoted", ended
    evidence = ended["evidence"]
    assert evidence["gain"] == pytest.approx(evidence["challenger"] - evidence["champion"])
    assert evidence["gain"] > 0.001
    assert evidence["interval_low"] <= evidence["gain"] <= evidence["interval_high"]
    # Two thirds of the hold-out stand in the new file with the same label.
    assert 0 < evidence["withheld_rows"] < evidence["rows"] * 2
    assert await _champion(admin, model_id) == 2
    version = (await admin.get(f"{V1}/models/{model_id}/versions/2")).json()
    assert (version["origin"], version["aliases"]) == ("retraining", ["challenger", "champion"])
    back = await admin.post(f"{V1}/models/{model_id}/rollback", json={"reason": "check"})
    assert back.json()["version"] == 1
    after = (await admin.post(f"{V1}/models/{model_id}/predict", json=row)).json()
    assert after == before


async def test_shuffled_labels_do_not_promote(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, PENGUINS.encode())
    started = (await _retrain(admin, model_id, with_wrong_labels(1))).json()
    ended = await finish_retraining(app, admin, started["id"])
    assert ended["state"] == "rejected"
    assert ended["evidence"]["gain"] < -0.5
    assert "worse" in ended["evidence"]["verdict"]
    assert await _champion(admin, model_id) == 1
    assert ended["challenger_version"] == 2


async def test_challenger_never_learns_from_the_champions_holdout(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, PENGUINS.encode())
    # The same file again: 1-nearest neighbour would know every row of the hold-out by heart.
    started = (await admin.post(f"{V1}/models/{model_id}/retrain")).json()
    ended = await finish_retraining(app, admin, started["id"])
    assert ended["evidence"]["withheld_rows"] >= ended["evidence"]["rows"]
    fit = (await admin.get(f"{V1}/fits/{ended['fit_id']}")).json()
    assert fit["rows_used"] + fit["rows_holdout"] == 344 - ended["evidence"]["withheld_rows"]


async def test_equal_score_is_not_better(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, PENGUINS.encode())
    started = (
        await admin.post(f"{V1}/models/{model_id}/retrain", json={"minimum_gain": 0.5})
    ).json()
    ended = await finish_retraining(app, admin, started["id"])
    assert ended["state"] == "rejected"


@pytest.mark.parametrize(
    ("decision", "state", "champion"), [("approve", "promoted", 2), ("reject", "rejected", 1)]
)
async def test_challenger_waits_for_a_decision(
    app: FastAPI, sign_in: SignIn, decision: str, state: str, champion: int
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, with_wrong_labels(3))
    answer = await _retrain(admin, model_id, PENGUINS.encode(), require_approval="true")
    ended = await finish_retraining(app, admin, answer.json()["id"])
    assert ended["state"] == "waiting_for_approval"
    assert await _champion(admin, model_id) == 1
    url = f"{V1}/retrainings/{ended['id']}/{decision}"
    assert (await admin.post(url, json={"reason": ""})).status_code == 422
    decided = (await admin.post(url, json={"reason": "seen"})).json()
    assert (decided["state"], decided["decided_by"]) == (state, "root")
    assert decided["decision_reason"] == "seen"
    assert await _champion(admin, model_id) == champion
    again = await admin.post(url, json={"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")


async def test_champion_that_changed_meanwhile_is_not_replaced(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, with_wrong_labels(3))
    started = (await _retrain(admin, model_id, PENGUINS.encode())).json()
    other = await make_fit(admin, app)
    await admin.post(f"{V1}/models/{model_id}/versions", json={"fit_id": other})
    await admin.put(
        f"{V1}/models/{model_id}/aliases/champion", json={"version": 2, "reason": "by hand"}
    )
    ended = await finish_retraining(app, admin, started["id"])
    assert ended["state"] == "rejected"
    assert "the champion is version 2 now" in ended["decision_reason"]
    assert await _champion(admin, model_id) == 2


async def test_better_version_of_data_that_are_in_the_trash_is_not_promoted(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, with_wrong_labels(3))
    better = (await upload_csv(admin)).json()["id"]
    started = await admin.post(f"{V1}/models/{model_id}/retrain", json={"dataset_id": better})
    assert started.status_code == 202, started.text
    assert (await admin.delete(f"{V1}/datasets/{better}")).status_code == 204
    ended = await finish_retraining(app, admin, started.json()["id"])
    assert (ended["state"], ended["challenger_version"]) == ("rejected", 2)
    assert "is in the trash" in ended["decision_reason"]
    assert await _champion(admin, model_id) == 1


async def test_file_that_does_not_fit_names_every_column_and_keeps_nothing(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, dataset = await _model_on(admin, app, PENGUINS.encode())
    bad = b"species,bill_length_mm\n" + b"1,abc\n2,x\n" * 6
    answer = await _retrain(admin, model_id, bad)
    assert answer.status_code == 422
    told = {tuple(entry["loc"][1:]): entry["type"] for entry in answer.json()["errors"]}
    assert told == {
        ("file", "column", "bill_length_mm"): "type",
        ("file", "column", "flipper_length_mm"): "missing",
        ("file", "column", "species"): "type",
    }
    versions = (await admin.get(f"{V1}/datasets/{dataset['id']}/versions")).json()["items"]
    assert len(versions) == 1
    assert (await admin.get(f"{V1}/retrainings")).json()["items"] == []


async def test_second_retraining_waits_for_the_first_and_cancel_frees_it(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, PENGUINS.encode())
    url = f"{V1}/models/{model_id}/retrain"
    first = await admin.post(url, headers={"Idempotency-Key": "night"})
    same = await admin.post(url, headers={"Idempotency-Key": "night"})
    assert same.json()["id"] == first.json()["id"]
    second = await admin.post(url)
    assert (second.status_code, second.json()["code"]) == (409, "retraining_active")
    cancelled = await admin.post(f"{V1}/retrainings/{first.json()['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    fit = (await admin.get(f"{V1}/fits/{first.json()['fit_id']}")).json()
    assert fit["state"] == "cancelled"
    assert (await admin.post(url)).status_code == 202


async def test_cancelled_while_it_compares_stays_cancelled(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, with_wrong_labels(3))
    started = (await _retrain(admin, model_id, PENGUINS.encode())).json()
    await finish_fit(app, started["fit_id"])
    await admin.post(f"{V1}/retrainings/{started['id']}/cancel")
    with pytest.raises(AssertionError):
        await compare(app, started["fit_id"])
    assert await _champion(admin, model_id) == 1


async def test_bad_requests_are_told(app: FastAPI, sign_in: SignIn) -> None:
    admin, ada = await sign_in("root", Role.ADMIN), await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}/retrain"
    assert (await ada.post(url)).status_code == 403
    for body, field in (
        ({"metric": "r2"}, "metric"),
        ({"minimum_gain": -1}, "minimum_gain"),
        ({"colour": 1}, "colour"),
    ):
        answer = await admin.post(url, json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["body", field]
    assert (await admin.post(url, json={"version": 9})).status_code == 404
    assert (await admin.post(url, content=b"{")).status_code == 400
    unpromoted = await make_model(ada, app, name="other", promote=False)
    answer = await admin.post(f"{V1}/models/{unpromoted['id']}/retrain")
    assert answer.json()["code"] == "model_without_alias"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("A,1,2\nB,3,4\nC,5,6\n", "at least 10 are needed"),
        ("A,1,2\n" * 12, "1 different values, 3 are needed"),
        ("A,1,2\nB,3,4\n" * 12, "2 different values, 3 are needed"),
    ],
)
async def test_file_from_which_nothing_is_learnt_is_refused(
    app: FastAPI, sign_in: SignIn, content: str, told: str
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, dataset = await _model_on(admin, app, PENGUINS.encode())
    header = "species,bill_length_mm,flipper_length_mm\n"
    answer = await _retrain(admin, model_id, (header + content).encode())
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    versions = (await admin.get(f"{V1}/datasets/{dataset['id']}/versions")).json()["items"]
    assert len(versions) == 1


async def test_body_that_is_neither_json_nor_a_form_is_refused(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    model_id, _ = await _model_on(admin, app, PENGUINS.encode())
    url = f"{V1}/models/{model_id}/retrain"
    text = await admin.post(url, content=b"x", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415
    empty = await admin.post(url, files={"metric": (None, "accuracy")})
    assert empty.status_code == 422
    assert empty.json()["errors"][0]["loc"] == ["body", "file"]
