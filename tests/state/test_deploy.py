"""deploy/ and the pages for operators keep to the code; nginx itself runs in test_processes.py."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.evaluation import servers, sizing
from bot.evaluation.live import free_port
from bot.evaluation.wording import grade
from bot.settings import read_settings
from bot.train import ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
VERSIONS = {
    "Deployment": "apps/v1", "StatefulSet": "apps/v1", "Service": "v1", "Namespace": "v1", "Secret": "v1",
    "PodDisruptionBudget": "policy/v1", "HorizontalPodAutoscaler": "autoscaling/v2",
    "Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1",
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yml").read_text())


@pytest.fixture(scope="module")
def things() -> list[dict[str, Any]]:
    return [thing for path in MANIFESTS for thing in yaml.safe_load_all(path.read_text())]


@pytest.fixture(scope="module")
def settings() -> set[str]:
    return set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', (ROOT / "bot" / "settings.py").read_text()))


def test_nginx_accepts_the_configuration(tmp_path: Path):
    if not shutil.which("nginx") or not shutil.which("openssl"):
        pytest.skip("nginx or openssl is not installed here")
    text = servers.deployed_nginx(["127.0.0.1:5005"], free_port(), free_port(), servers.certificate(tmp_path))
    path = tmp_path / "nginx.conf"
    path.write_text(text.replace("{folder}", str(tmp_path)))
    result = subprocess.run(["nginx", "-t", "-c", path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_nginx_passes_on_who_asks_wherever_it_passes_something_on():
    """A location with a header of its own would inherit none, and all visitors would be one."""
    places = re.findall(r"\n +location [^{]*\{[^}]*\}", (DEPLOY / "nginx.conf").read_text())
    assert len(places) > 2 and not [place for place in places if "proxy_set_header" in place]


def test_compose_gives_only_what_the_bot_reads_and_asks_for_every_secret(compose: dict[str, Any], settings: set[str]):
    for name in ("bot", "messaging"):
        environment = compose["services"][name]["environment"]
        assert not set(environment) - settings
        for secret in ("DATABASE_URL", "REDIS_URL", "WEB_SECRET"):
            assert ":?" in environment[secret], f"{secret} must be asked for"
    filled = {
        name: re.sub(r"\$\{(\w+):[?-]([^}]*)\}", lambda m: m[2] if m[2].isdigit() else "0123456789abcdef" * 2, value)
        for name, value in compose["services"]["bot"]["environment"].items()
        if name not in ("WEB_ORIGINS", "COUNTRY")
    }
    read = read_settings(filled)
    assert read.database_url and read.redis_url and read.retention_days == 30 and len(read.web_proxies) == 4


def test_compose_opens_nothing_but_the_proxy(compose: dict[str, Any]):
    services = compose["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"nginx"}
    assert compose["networks"]["inside"]["internal"] is True
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {"nginx", "messaging"}
    assert "replicas" not in services["messaging"].get("deploy", {})
    for name in ("bot", "messaging"):
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]


def test_compose_keeps_words_out_of_the_servers_files(compose: dict[str, Any]):
    assert "log_min_error_statement=panic" in compose["services"]["postgres"]["command"]
    assert {"--save", "--appendonly"} <= set(compose["services"]["redis"]["command"])


def test_the_image_is_made_of_what_exists_and_runs_as_nobody_special(compose: dict[str, Any], settings: set[str]):
    text = (DEPLOY / "Containerfile").read_text()
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.M):
        assert all((ROOT / name).exists() for name in source.split())
    user = re.search(r"^USER (\d+)$", text, re.M)
    assert user and user[1] != "0" and f"--uid {user[1]}" in text
    assert f"uid={user[1]}" in compose["services"]["bot"]["tmpfs"][1]
    module = re.search(r'CMD \["\.venv/bin/python", "-m", "([\w.]+)"\]', text)
    assert module and (ROOT / f"{module[1].replace('.', '/')}.py").exists()
    variables = re.search(r"^ENV (.+)$", text, re.M)
    own = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "RASA_TELEMETRY_ENABLED"}
    assert variables and {pair.split("=")[0] for pair in variables[1].split()} <= settings | own


def test_manifests_have_the_kinds_of_today_and_are_all_applied(things: list[dict[str, Any]]):
    assert len(things) >= 10
    for thing in things:
        assert thing["apiVersion"] == VERSIONS[thing["kind"]]
        assert thing["kind"] == "Kustomization" or re.fullmatch(r"[a-z0-9-]+", thing["metadata"]["name"])
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    written = {path.name for path in MANIFESTS} - {"kustomization.yaml", "secrets.example.yaml"}
    assert set(kustomization["resources"]) == written


def test_manifests_fit_together(things: list[dict[str, Any]]):
    workloads = [thing for thing in things if thing["kind"] in ("Deployment", "StatefulSet")]
    pods = [workload["spec"]["template"] for workload in workloads]
    labels = [pod["metadata"]["labels"].items() for pod in pods]
    for workload, pod in zip(workloads, pods, strict=True):
        assert workload["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    services = {thing["metadata"]["name"]: thing["spec"] for thing in things if thing["kind"] == "Service"}
    selectors = [service["selector"] for service in services.values()]
    for thing in things:
        if thing["kind"] == "NetworkPolicy":
            selectors.append(thing["spec"]["podSelector"]["matchLabels"])
        if thing["kind"] == "PodDisruptionBudget":
            selectors.append(thing["spec"]["selector"]["matchLabels"])
    assert all(any(selector.items() <= label for label in labels) for selector in selectors)
    (ingress,) = (thing["spec"] for thing in things if thing["kind"] == "Ingress")
    routes = {path["path"]: path["backend"]["service"] for path in ingress["rules"][0]["http"]["paths"]}
    for backend in routes.values():
        assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]["ports"]}
    nginx = (DEPLOY / "nginx.conf").read_text()
    assert all(route in nginx or route.split("/")[2] in nginx for route in routes)
    assert not [route for route in routes if "rest" in route or "health" in route]


def test_pods_are_confined_probed_and_limited(things: list[dict[str, Any]], settings: set[str]):
    workloads = [thing for thing in things if thing["kind"] in ("Deployment", "StatefulSet")]
    assert {thing["metadata"]["name"]: thing["spec"]["replicas"] for thing in workloads}["messaging"] == 1
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["readinessProbe"]["httpGet"]["path"] == "/health" and container["resources"]["limits"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        claims = [claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])]
        assert mounted == {volume["name"] for volume in pod["volumes"]} | set(claims)
        assert not {variable["name"] for variable in container["env"]} - settings
    (secret,) = (thing for thing in things if thing["kind"] == "Secret")
    assert not set(secret["stringData"]) - settings and not secret["stringData"]["WEB_SECRET"]


def test_the_sizing_table_is_the_computed_one():
    page, inputs = sizing.PAGE.read_text(), sizing.read()
    assert sizing.filled(page, inputs) == page, "run `python -m bot.evaluation.sizing --write`"


def test_sizes_follow_from_the_figures():
    inputs = sizing.Inputs("test", 40, 10, 1024, 5000, 2, 0.5, 0.04, 0.01)
    small, large = sizing.size(10, inputs), sizing.size(3000, inputs)
    assert small.processes == 1 and small.memory_gb == 1
    assert large.messages_per_second == 100 and large.processes == 8 and large.cores == 10 and large.memory_gb == 8
    assert large.cost_per_million == pytest.approx((10 * 0.04 + 8 * 0.01) / 360_000 * 1e6)
    assert "One core serves about 300 people" in sizing.table(inputs)


def test_the_notice_reads_at_eleven():
    """An eleven-year-old has had five to six years of school."""
    page = (ROOT / "docs" / "privacy.md").read_text()
    notice = "\n".join(line[2:] for line in page.splitlines() if line.startswith("> ") and "**" not in line)
    assert len(notice.split()) > 150 and grade(re.sub(r"[\[\]]", "", notice)) <= 6


@pytest.mark.parametrize("page", ["privacy", "scaling"])
def test_pages_name_only_what_exists(page: str, settings: set[str]):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    paths = re.findall(r"`((?:bot|tests|deploy|docs|evaluation)/[\w./-]*)`", text)
    made = {"deploy/.env", "deploy/tls/"}  # by whoever deploys
    assert not [path for path in paths if path not in made and not (ROOT / path).exists()]
    others = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "LOG_LEVEL"}
    variables = set(re.findall(r"`([A-Z]+_[A-Z_]+)(?:=\d+)?`", text))
    assert variables and not variables - settings - others
