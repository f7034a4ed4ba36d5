"""Accounts cost a start nothing: what signs people in is imported when a person signs in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.processes import ROOT, environment

CODE = """
import sys
from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.web.server import build_routes
services = Services(load_settings(oidc_issuer="https://id.example", oidc_client_id="x"))
build_routes(services)
services.members.of({"cookie": "smartbreed_member=x"})
services.stop()
print(sorted({"authlib", "joserfc", "pwdlib", "argon2", "smtplib", "email_validator"} & set(sys.modules)))
"""


def test_nothing_of_a_sign_in_is_imported_to_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True,
        check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
