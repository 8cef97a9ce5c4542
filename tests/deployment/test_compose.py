"""What docker-compose.yml promises about every container."""

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"migrate"}
OURS = {"migrate", "api", "worker", "mlflow", "dashboard"}
SECRET = re.compile(r"(PASSWORD|SECRETS?_|_KEY|TOKEN|DATABASE(_|__)?URL)")

every_service = pytest.mark.parametrize("name", SERVICES)


@every_service
def test_container_can_neither_write_nor_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])  # noqa: S108  # in there


@every_service
def test_container_runs_as_nobody_in_particular(name: str) -> None:
    user = SERVICES[name]["user"]
    assert user == "10001:10001" if name in OURS else user not in ("root", "0", "0:0")


@every_service
def test_container_has_bounds_and_rotates_its_log(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]


@every_service
def test_container_tells_its_health_and_gets_time_to_end(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["stop_grace_period"]


@every_service
def test_container_names_its_networks_and_publishes_on_loopback_only(name: str) -> None:
    service = SERVICES[name]
    assert service["networks"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@every_service
def test_container_reads_secrets_from_files_that_it_was_given(name: str) -> None:
    service = SERVICES[name]
    granted = set(service.get("secrets", []))
    used = set()
    for variable, value in service.get("environment", {}).items():
        if SECRET.search(variable):
            assert variable.endswith("_FILE"), variable
        if variable.endswith("_FILE"):
            assert str(value).startswith("/run/secrets/")
            used.add(str(value).removeprefix("/run/secrets/"))
    if name in OURS:
        assert used == granted
    else:  # its scripts and its command read some
        assert used <= granted


def test_every_secret_is_a_file_that_somebody_reads() -> None:
    granted = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert granted == set(COMPOSE["secrets"])
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./.secrets/{name}"}


def test_database_and_worker_have_no_way_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "worker", "migrate"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]


def test_only_the_one_shot_container_knows_the_administrator() -> None:
    knowing = {name for name in SERVICES if "admin_password" in SERVICES[name].get("secrets", [])}
    assert knowing == ONE_SHOT


def test_files_are_shared_by_api_and_worker() -> None:
    for name in ("api", "worker"):
        assert SERVICES[name]["volumes"] == ["home:/var/lib/goodfit"]
        assert SERVICES[name]["environment"]["GOODFIT_HOME"] == "/var/lib/goodfit"


@pytest.mark.parametrize("name", ["api", "worker", "mlflow"])
def test_large_files_on_their_way_lie_on_disk(name: str) -> None:
    scratch = SERVICES[name]["environment"]["TMPDIR"]
    assert scratch.startswith(SERVICES[name]["environment"]["GOODFIT_HOME"] + "/")
    assert f" {scratch}\n" in (ROOT / "Dockerfile").read_text()


def test_one_shot_container_is_waited_for_by_a_lasting_one() -> None:
    # Else `docker compose up --wait` takes its end for a failure.
    for name in ONE_SHOT:
        waiting = [
            other
            for other in SERVICES
            if SERVICES[other].get("depends_on", {}).get(name, {}).get("condition")
            == "service_completed_successfully"
        ]
        assert set(waiting) - ONE_SHOT


def test_volumes_and_networks_are_declared_and_used() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    used = {mount.partition(":")[0] for mount in mounts if not mount.startswith(".")}
    assert used == set(COMPOSE["volumes"])
    networks = {network for service in SERVICES.values() for network in service["networks"]}
    assert networks == set(COMPOSE["networks"])
    for mount in mounts:
        if mount.startswith("."):
            assert mount.endswith(":ro")
            assert (ROOT / mount.partition(":")[0]).exists()


def test_published_ports_have_the_settings_defaults() -> None:
    example = (ROOT / ".env.example").read_text()
    found = re.findall(r"\$\{(GOODFIT_[A-Z_]+_PORT):-(\d+)\}", TEXT)
    assert {name for name, _ in found} >= {"GOODFIT_API_PORT", "GOODFIT_MLFLOW_PORT"}
    for name, default in found:
        if name in example:
            assert f"#{name}={default}\n" in example


def test_every_variable_of_ours_is_a_setting() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text()
    for name in OURS:
        for variable in set(SERVICES[name]["environment"]) - {"TMPDIR"}:
            assert f"`{variable.removesuffix('_FILE')}`" in documented, variable


def test_make_secrets_writes_all_of_them_once(tmp_path: Path) -> None:
    program = tmp_path / ".ci" / "make-secrets"
    program.parent.mkdir()
    program.write_bytes((ROOT / ".ci" / "make-secrets").read_bytes())
    program.chmod(0o755)

    def make() -> dict[str, str]:
        subprocess.run([program], check=True, capture_output=True)  # noqa: S603  # ours
        folder = tmp_path / ".secrets"
        return {path.name: path.read_text() for path in folder.iterdir()}

    first = make()
    assert set(first) == set(COMPOSE["secrets"])
    assert make() == first
    assert stat.S_IMODE((tmp_path / ".secrets").stat().st_mode) == 0o700
    values = [text for name, text in first.items() if not name.endswith("_url")]
    assert len(set(values)) == len(values)
    assert first["goodfit_password"].strip() in first["goodfit_database_url"]


@pytest.mark.parametrize(
    ("ours", "original"),
    [
        ("prometheus.yml", "prometheus.yml"),
        ("datasource.yml", "grafana/provisioning/datasources/goodfit.yml"),
    ],
)
def test_monitoring_differs_from_the_original_in_addresses_only(ours: str, original: str) -> None:
    address = re.compile(r"127\.0\.0\.1(:\d+)|(?:api|prometheus)(:\d+)|/\S+token")

    def read(path: Path) -> Any:
        return yaml.safe_load(address.sub(r"<\1\2>", path.read_text()))

    operations = ROOT / "backend" / "operations"
    assert read(operations / "containers" / ours) == read(operations / "monitoring" / original)
