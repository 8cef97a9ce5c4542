"""The id of a request is found again in the worker's lines, and in the jobs that follow."""

import json

from tests.fits.conftest import Live


def test_worker_logs_and_passes_on_the_request_that_started_a_fit(live: Live) -> None:
    dataset_id = live.upload()
    answer = live.client.post(
        "/fits",
        json={"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "ridge"},
        headers={"X-Request-ID": "request-of-root"},
    )
    fit_id = answer.json()["id"]
    assert live.finished(fit_id)["state"] == "succeeded"
    # The last line may not be written to its end yet.
    whole = live.log.read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()]
    of_fit = [line for line in lines if line.get("fit_id") == fit_id]
    assert [line["message"] for line in of_fit] == ["fit started", "fit succeeded"]
    assert {line["request_id"] for line in of_fit} == {"request-of-root"}
    assert all(isinstance(line["job_id"], int) for line in of_fit)
    # MLflow is away, so the job that the worker queued waits and can be seen.
    jobs = live.client.get("/operations/jobs", params={"entrypoint": "fits.track"}).json()["items"]
    (waiting,) = [job for job in jobs if job["about"] == {"fit_id": fit_id}]
    assert waiting["request_id"] == "request-of-root"
    assert waiting["id"] not in {line["job_id"] for line in of_fit}
