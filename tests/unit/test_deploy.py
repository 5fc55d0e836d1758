"""The image, the compose file and the manifests: what they name exists, and what they run can be run."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from dealwright import __version__
from dealwright.cli.main import app

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
# kind -> its API, and the path to the pod it describes
KINDS: Final[dict[str, tuple[str, tuple[str, ...] | None]]] = {
    "PersistentVolumeClaim": ("v1", None),
    "Service": ("v1", None),
    "Deployment": ("apps/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
}
QUANTITY: Final = re.compile(r"^\d+(\.\d+)?(m|[KMGT]i?)?$")
COMPOSE_KEYS: Final = {
    "image", "build", "environment", "volumes", "command", "entrypoint", "depends_on", "ports", "restart",
    "healthcheck", "profiles",
}  # fmt: skip
CONDITIONS: Final = {"service_started", "service_healthy", "service_completed_successfully"}
SECRET: Final = "dealwright"


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))


def pod(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template of a manifest's pods."""
    path = KINDS[manifest["kind"]][1]
    if path is None:
        return None
    for name in path:
        manifest = manifest[name]
    return manifest


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for manifest in manifests():
        template = pod(manifest)
        if template is not None:
            for container in (*template["spec"].get("initContainers", ()), *template["spec"]["containers"]):
                yield template["spec"], container


def commands() -> list[tuple[str, list[str]]]:
    """Return who runs what, of everything that the image's own entry point runs."""
    found = [
        (f"compose: {name}", service["command"])
        for name, service in compose()["services"].items()
        if "command" in service and "entrypoint" not in service
    ]
    found += [
        (f"kubernetes: {container['name']}", container["args"])
        for _, container in containers()
        if "command" not in container
    ]
    return found


@pytest.mark.parametrize(("who", "given"), commands(), ids=[who for who, _ in commands()])
def test_the_command_line_understands_what_is_run(who: str, given: list[str]) -> None:
    group: Any = typer.main.get_command(app)
    name, *arguments = given
    assert name in group.commands, who
    group.commands[name].make_context(name, list(arguments))  # an unknown option or value raises


def test_an_option_that_is_not_there_would_be_found() -> None:
    group: Any = typer.main.get_command(app)
    with pytest.raises(Exception, match="No such option"):
        group.commands["worker"].make_context("worker", ["--nightly"])


def test_the_clusters_commands_are_those_of_dask() -> None:
    cluster = pytest.importorskip("distributed.cli.dask_worker").main
    scheduler = pytest.importorskip("distributed.cli.dask_scheduler").main
    commands = {"worker": cluster, "scheduler": scheduler}
    run = [
        [*service["entrypoint"], *service["command"]]
        for service in compose()["services"].values()
        if "entrypoint" in service
    ]
    run += [
        [*container["command"], *container["args"]] for _, container in containers() if "command" in container
    ]
    assert len(run) == 4
    for dask, name, *arguments in run:
        assert dask == "dask"
        commands[name].make_context(name, list(arguments))


# compose


def test_the_compose_file_names_only_what_it_has() -> None:
    found = compose()
    services = found["services"]
    for name, service in services.items():
        assert set(service) <= COMPOSE_KEYS, name
        assert "image" in service
        for other, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] in CONDITIONS
            assert other in services
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in services[other]
            if wanted["condition"] == "service_completed_successfully":
                assert services[other]["restart"] == "no"
        for mount in service.get("volumes", ()):
            assert mount.partition(":")[0] in found["volumes"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")  # the service has no encryption of its own
    build = services["serve"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_no_password_is_written_down_and_one_is_asked_for() -> None:
    for name, service in compose()["services"].items():
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key or "://" in str(value):
                assert "${POSTGRES_PASSWORD:?" in value, (name, key)
    for _, container in containers():
        assert "env" not in container
        for source in container.get("envFrom", ()):
            assert source == {"secretRef": {"name": SECRET}}


# kubernetes


def test_every_manifest_is_of_a_known_kind_and_has_a_name_of_its_own() -> None:
    found = manifests()
    names = [(item["kind"], item["metadata"]["name"]) for item in found]
    assert len(set(names)) == len(names)
    for item in found:
        assert set(item) == {"apiVersion", "kind", "metadata", "spec"}
        assert item["apiVersion"] == KINDS[item["kind"]][0]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", item["metadata"]["name"])


def test_selectors_find_their_pods_and_no_others() -> None:
    templates = [template for item in manifests() if (template := pod(item)) is not None]

    def selected(wanted: dict[str, str]) -> list[dict[str, Any]]:
        return [t for t in templates if wanted.items() <= t["metadata"]["labels"].items()]

    for item in manifests():
        if item["kind"] == "Deployment":
            assert selected(item["spec"]["selector"]["matchLabels"]) == [pod(item)]
        if item["kind"] == "Service":
            (found,) = selected(item["spec"]["selector"])
            named = {port["name"] for part in found["spec"]["containers"] for port in part["ports"]}
            assert {port["targetPort"] for port in item["spec"]["ports"]} <= named


def test_pods_are_bounded_unprivileged_and_mount_what_exists() -> None:
    claims = {item["metadata"]["name"] for item in manifests() if item["kind"] == "PersistentVolumeClaim"}
    for spec, container in containers():
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert {"cpu", "memory"} == set(container["resources"]["requests"])
        for amounts in container["resources"].values():
            assert all(QUANTITY.match(amount) for amount in amounts.values())
        volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
        for mount in container.get("volumeMounts", ()):
            assert volumes[mount["name"]]["persistentVolumeClaim"]["claimName"] in claims
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("readinessProbe", "livenessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] in ports


def test_the_cluster_is_found_under_the_name_of_its_service() -> None:
    addresses = {
        (item["metadata"]["name"], port["port"])
        for item in manifests()
        if item["kind"] == "Service"
        for port in item["spec"]["ports"]
    }
    services = compose()["services"]
    for arguments, known in (
        *((container["args"], addresses) for _, container in containers()),
        *(
            (service["command"], {("scheduler", 8786)})
            for service in services.values()
            if "command" in service
        ),
    ):
        for text in arguments:
            if found := re.fullmatch(r"tcp://([\w.-]+):(\d+)", text):
                assert (found[1], int(found[2])) in known


def test_the_probes_ask_for_what_the_service_answers() -> None:
    routes = pytest.importorskip("dealwright.service.routes.operations").probes.routes
    answered = {route.path for route in routes}
    asked = {
        container[probe]["httpGet"]["path"]
        for _, container in containers()
        for probe in ("readinessProbe", "livenessProbe")
        if probe in container
    }
    assert asked == {"/ready", "/health"}
    assert asked <= answered


# the image


def test_the_image_is_made_of_the_wheel_and_runs_as_nobody_in_particular() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert "--require-hashes -r /wheels/runtime.txt" in text
    assert "COPY dist/*.whl requirements/runtime.txt /wheels/" in text
    pinned = set(
        re.findall(
            r"^([a-z0-9-]+)==", (ROOT / "requirements" / "runtime.txt").read_text("utf-8"), re.MULTILINE
        )
    )
    for extra in ("plan", "service", "cluster", "tracing"):
        assert {re.split(r"[><=;\[]", line)[0].lower() for line in extras[extra]} <= pinned
    user = re.search(r"^USER (\d+)$", text, re.MULTILINE)
    assert user is not None
    assert f"--uid {user[1]} " in text
    assert {spec["securityContext"]["runAsUser"] for spec, _ in containers()} == {int(user[1])}
    assert text.rindex("USER ") < text.index("ENTRYPOINT")


def test_all_parts_run_the_image_of_this_version() -> None:
    images = [container["image"] for _, container in containers()]
    images += [service["image"] for name, service in compose()["services"].items() if name != "postgres"]
    assert set(images) == {f"dealwright:{__version__}"}
