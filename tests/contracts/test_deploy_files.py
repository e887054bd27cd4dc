"""Every file that a deployment mounts, judged by the program that reads it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.container import secrets, storage, with_secrets
from shared.campaign.model import MOST_CHARACTERS
from shared.http.body_limit import FORM_BYTES, JSON_BYTES, bytes_for
from tests.support.processes import BIN

ROOT = Path(__file__).parents[2]
OURS = ("ingest", "moderation", "publisher", "metrics", "provision")


def _compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def _run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_compose_file_is_what_its_specification_says() -> None:
    _run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_every_file_the_compose_file_mounts_exists_or_is_a_secret_we_make(tmp_path: Path) -> None:
    compose = _compose()
    secrets.main(tmp_path)
    made = {path.name for path in tmp_path.iterdir()}

    for name, config in compose["configs"].items():
        path = re.sub(r"\$\{\w+:-(.*)}", r"\1", config["file"])
        assert (ROOT / path).is_file(), name
    for name, secret in compose["secrets"].items():
        assert Path(secret["file"]).name in made, name


def test_nothing_secret_stands_in_the_compose_file() -> None:
    for name, service in _compose()["services"].items():
        environment = service.get("environment", {})
        for variable in environment:
            secret = re.search(r"PASSWORD|SECRET|TOKEN|MONGO_URL", variable)
            assert not secret or variable.endswith("_FILE"), f"{name}: {variable}"
        assert "@" not in environment.get("NATS_URL", ""), name


def test_our_containers_are_confined() -> None:
    services = _compose()["services"]
    for name in OURS:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["stop_grace_period"] == "30s"
    for name, service in services.items():
        assert "memory" in service["deploy"]["resources"]["limits"], name
        assert "latest" not in service["image"], name
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert "USER konullu" in dockerfile
    assert "--require-hashes" in dockerfile


def test_decoders_run_in_a_container_that_holds_nothing_and_reaches_nothing() -> None:
    services = _compose()["services"]
    screening, ingest = services["screening"], services["ingest"]

    assert screening["network_mode"] == "none"
    assert screening["user"].split(":")[0] not in {"0", "root", "10001"}
    assert (screening["read_only"], screening["cap_drop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in screening["security_opt"]
    assert not {"secrets", "environment", "configs", "ports", "networks"} & screening.keys()
    (volume,) = screening["volumes"]
    assert volume in ingest["volumes"]
    assert [ingest["environment"]["KONULLU_INGEST_SCREENING_SOCKET"]] == screening["command"]


def _networks(name: str) -> set[str]:
    service = _compose()["services"][name]
    if "network_mode" in service:
        kind, _, whose = service["network_mode"].partition(":")
        return _networks(whose) if kind == "service" else set()
    return set(service["networks"])


def test_whoever_needs_no_way_out_has_none() -> None:
    compose = _compose()
    open_ones = {name for name, network in compose["networks"].items() if not (network or {}).get("internal")}
    ways_out = {name: _networks(name) & open_ones for name in compose["services"]}

    assert {name: ways for name, ways in ways_out.items() if ways} == {
        "gateway": {"public"},
        "publisher": {"outside"},
        "prometheus": {"operators"},
        "alertmanager": {"operators"},
    }


def test_the_gateway_meets_services_only_where_its_word_is_believed() -> None:
    compose = _compose()
    believed = compose["services"]["ingest"]["environment"]["KONULLU_TRUSTED_PROXIES"]

    for name in ("ingest", "moderation", "publisher", "metrics"):
        assert _networks(name) & _networks("gateway") == {"inside"}
    assert compose["networks"]["inside"]["ipam"]["config"] == [{"subnet": believed}]


def test_credentials_of_channels_are_given_to_the_publisher_alone() -> None:
    services = _compose()["services"]
    given = {name for name, service in services.items() if "channels.env" in service.get("secrets", [])}

    assert given == {"publisher"}
    assert services["publisher"]["environment"][with_secrets.CREDENTIALS] == "/run/secrets/channels.env"


def test_only_those_with_an_identity_reach_the_object_store() -> None:
    services = _compose()["services"]
    reach = {name for name in services if _networks(name) & _networks("storage")} - {
        "storage",
        "storage-door",
        "storage-init",
    }

    assert reach == {*storage.MAY, "gateway"}
    for name in storage.MAY:
        environment = services[name]["environment"]
        assert environment["AWS_ACCESS_KEY_ID"] == name
        assert environment["AWS_SECRET_ACCESS_KEY_FILE"] == f"/run/secrets/storage_{name}"
        assert [each for each in services[name]["secrets"] if each.startswith("storage")] == [
            f"storage_{name}"
        ]
    assert not any("AWS" in key for key in services["metrics"]["environment"])


def test_the_gateways_file_is_valid_in_each_of_its_forms(tmp_path: Path) -> None:
    caddyfile = ROOT / "deploy/caddy/Caddyfile"
    for form in (
        {},
        {
            "GATEWAY_ADDRESS": "https://phone.example:8400",
            "GATEWAY_TLS": "own_authority",
            "GATEWAY_BIND": "0.0.0.0",
            "GATEWAY_LISTENER": "plain_is_redirected",
        },
        {
            "GATEWAY_ADDRESS": "https://news.example.org",
            "GATEWAY_TLS": "public_authority",
            "GATEWAY_FROM_HTTP": "to_https",
            "GATEWAY_SITE": "site_in_store",
        },
    ):
        environment = {"XDG_DATA_HOME": str(tmp_path), "GATEWAY_STATE": str(tmp_path), **form}
        said = _run(BIN / "caddy", "validate", "--adapter", "caddyfile", "--config", caddyfile, **environment)
        assert "Valid configuration" in said
    assert _run(BIN / "caddy", "fmt", caddyfile) == caddyfile.read_text()


def test_the_gateway_lets_everything_through_that_a_service_takes() -> None:
    found = re.search(r"max_size (\d+)MB", (ROOT / "deploy/caddy/Caddyfile").read_text())

    assert found is not None
    assert int(found[1]) * 1_000_000 >= max(bytes_for(MOST_CHARACTERS), FORM_BYTES, JSON_BYTES)


def test_a_clusters_broker_accepts_its_file_its_users_and_its_certificate(tmp_path: Path) -> None:
    secrets.main(tmp_path / "secrets")
    compose = _compose()
    text = (ROOT / "deploy/nats/cluster.conf").read_text().replace("/etc/nats/", f"{tmp_path}/")
    (tmp_path / "cluster.conf").write_text(text)
    for each in compose["services"]["nats-1"]["secrets"]:
        made = Path(compose["secrets"][each["source"]]["file"]).name
        shutil.copy(tmp_path / "secrets" / made, tmp_path / Path(each["target"]).name)

    said = _run(BIN / "nats-server", "-t", "-c", tmp_path / "cluster.conf", NATS_NAME="nats-1")

    assert "is valid" in said


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    secrets.main(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    secrets.main(tmp_path)

    assert before == {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert len(set(re.findall(r"[0-9a-f]{64}", before["passwords.json"]))) == len(secrets.NEEDED)
    assert (tmp_path / "passwords.json").stat().st_mode & 0o077 == 0


def _collections(name: str) -> set[str]:
    """The collections that the database's first script lists under a name for moderation."""
    text = (ROOT / "deploy/mongo/init.js").read_text()
    found = re.search(rf"const {name} = {{ moderation: \[(.*?)] }};", text, re.DOTALL)
    assert found is not None
    return set(re.findall(r'"(\w+)"', found[1]))


def test_moderation_has_rights_on_each_of_its_collections_and_may_change_no_checkpoint() -> None:
    wiring = [*(ROOT / "services/moderation").rglob("*.py"), ROOT / "shared/runtime/service.py"]
    used = {name for path in wiring for name in re.findall(r'database\["(\w+)"\]', path.read_text())}

    assert _collections("WRITTEN_ONCE") == {"seals"}
    assert _collections("WRITTEN") == {*used, "epochs"} - {"seals", "sessions"}
    text = (ROOT / "deploy/mongo/init.js").read_text()
    assert 'const ONCE = ["createCollection", "find", "insert"];' in text


def test_a_new_version_gives_its_rights_to_the_users_there_are(tmp_path: Path) -> None:
    secrets.main(tmp_path)
    before = (tmp_path / "nats_users.conf").read_text()
    (tmp_path / "nats_users.conf").write_text("authorization { users: [{user: provision, password: x}] }")

    secrets.main(tmp_path)

    assert (tmp_path / "nats_users.conf").read_text() == before


@pytest.mark.promtool
def test_prometheus_accepts_its_files() -> None:
    said = _run("promtool", "check", "config", "deploy/prometheus/prometheus.yml")

    assert "rules found" in said


@pytest.mark.promtool
def test_alerts_go_off_when_they_should_and_not_before() -> None:
    said = _run("promtool", "test", "rules", "deploy/prometheus/rules_test.yml")

    assert "SUCCESS" in said


@pytest.mark.amtool
def test_alertmanager_accepts_its_file() -> None:
    _run("amtool", "check-config", "deploy/prometheus/alertmanager.yml")


def test_alerts_name_metrics_that_the_services_have() -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())
    sources = "".join(path.read_text() for path in (ROOT / "shared").rglob("*.py"))
    sources += "".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))

    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        for metric in re.findall(r"konullu_\w+", rule["expr"]):
            assert f'"{metric}"' in sources, f"{rule['alert']} watches {metric}, which nothing measures"


def test_the_collectors_pipelines_use_what_it_defines() -> None:
    collector = yaml.safe_load((ROOT / "deploy/otel/collector.yaml").read_text())

    for pipeline in collector["service"]["pipelines"].values():
        for part, names in pipeline.items():
            assert set(names) <= collector[part].keys()
    assert collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")


def test_secrets_become_variables_of_one_process_alone(tmp_path: Path) -> None:
    secret = tmp_path / "mongo"
    secret.write_text("mongodb://ingest:pass word'$x@host/\n")
    show = [sys.executable, "-c", "import os; print(os.environ['MONGO_URL'], 'MONGO_URL_FILE' in os.environ)"]

    said = _run(sys.executable, "-m", "deploy.container.with_secrets", *show, MONGO_URL_FILE=str(secret))

    assert said == "mongodb://ingest:pass word'$x@host/ False\n"


def test_a_missing_secret_stops_the_start_with_its_file() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.container.with_secrets", "true"],
        env={**os.environ, "MONGO_URL_FILE": "/nowhere/mongo"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 78
    assert "/nowhere/mongo" in done.stderr


def test_every_secret_a_service_is_given_is_one_that_it_reads() -> None:
    for name in OURS:
        given = {key for key in _compose()["services"][name]["environment"] if key.endswith("_FILE")}
        assert given <= {f"{secret}_FILE" for secret in with_secrets.SECRET} | {with_secrets.CREDENTIALS}, (
            name
        )
