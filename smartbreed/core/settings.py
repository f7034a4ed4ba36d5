"""The settings, read once from the environment (``SMARTBREED_…``).

Every variable has a default. An invalid value stops the start with a sentence
that names the variable and what was received.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from smartbreed.core.errors import SettingError
from smartbreed.core.files import expanded

PREFIX = "SMARTBREED_"
#: Network of a Space's proxies; a Space cannot be reached in any other way.
_SPACE_PROXIES = "10.0.0.0/8"
#: Valid repo ids of a Hub. ASCII only: a repeated class of all Unicode letters took 38 MB at each start.
REPO_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$"
#: The model that ships with the package.
EMBEDDED_BUNDLE = Path(__file__).parents[1] / "assets"


class Settings(BaseSettings):
    """All settings. Field names are the variable names without the prefix, in lower case.

    Secret ones have ``repr=False``, which also keeps them from the trainer.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    home: Path = Field(
        default=Path("~/.smartbreed"),
        description="Folder of all state: database, blobs, embedded Hub, caches.",
    )
    model: str = Field(
        default="",
        description="Model bundle: a folder or a Hub repo `owner/name[@revision]`; "
        "empty: the embedded one and newer releases of `SMARTBREED_MODEL_REPO`.",
    )
    database_url: str = Field(
        default="",
        repr=False,
        description="SQLAlchemy URL, such as `postgresql://user:password@host/name`, which needs "
        "`psycopg[binary]`; empty: SQLite under SMARTBREED_HOME.",
    )
    gallery: str = Field(
        default="",
        description="Dataset repo (or local dataset folder) the example pictures come from; empty: the cat "
        "that ships.",
    )
    offline: bool = Field(
        default=False,
        description="Hand out a model that is not the embedded one to browsers, for the page `/offline`. The "
        "embedded one is public anyway.",
    )
    max_bytes: int = Field(
        default=30_000_000, ge=1_000, le=1_000_000_000, description="Largest photo accepted, in bytes."
    )
    max_pixels: int = Field(
        default=64_000_000,
        ge=10_000,
        le=1_000_000_000,
        description="Largest photo accepted, in pixels. "
        "Nine bytes of memory per pixel are reserved for one such photo at a time.",
    )
    max_photos: int = Field(default=32, ge=1, le=1_000, description="Most photos in one request.")
    max_uploads: int = Field(
        default=1_000_000_000,
        ge=1_000_000,
        description="Most bytes of uploaded photos on the disk, where each is kept for an hour; further "
        "uploads are answered with 507.",
    )
    max_connections: int = Field(
        default=500,
        ge=10,
        le=100_000,
        description="Most connections at once; further requests are answered with 503.",
    )
    top_k: int = Field(default=5, ge=1, le=1_000, description="Breeds listed for each pet.")
    threads: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Number of interpreters that run in parallel; 0: one per CPU core.",
    )
    salt: str = Field(
        default="",
        repr=False,
        description="Secret mixed into the hash that stands for a flagger; empty: one is made and kept in "
        "SMARTBREED_HOME.",
    )
    hub: str = Field(
        default="",
        pattern=r"^(|embedded|https?://[^\s/]+\S*)$",
        description="Which Hub: `embedded` (under SMARTBREED_HOME) or its web address; "
        "empty: that of HF_ENDPOINT or HF_TOKEN when either is set, else the embedded one.",
    )
    dataset: str = Field(
        default="smartbreed/flags",
        pattern=REPO_ID,
        description="Dataset repo `owner/name` that flags are published to.",
    )
    model_repo: str = Field(
        default="smartbreed/pets",
        pattern=REPO_ID,
        description="Model repo `owner/name` that releases go to and come from.",
    )
    watch: float = Field(
        default=60.0,
        ge=0.0,
        le=86_400.0,
        description="Seconds between checks of the model repo for a newer release; 0: never.",
    )
    webhook_secret: str = Field(
        default="",
        repr=False,
        description="Secret that the Hub's webhooks must send along (`X-Webhook-Secret`); empty: webhooks "
        "are not answered.",
    )
    metrics_token: str = Field(
        default="",
        repr=False,
        description="Token that Prometheus sends along (`Authorization: Bearer …`) to read `/metrics`; "
        "empty: only this machine may read them.",
    )
    publish_every: int = Field(
        default=300,
        ge=0,
        le=7 * 86_400,
        description="Seconds between publishing runs; 0: never automatically.",
    )
    publish_size: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Number of waiting flags at which a publishing run starts at once.",
    )
    retrain_after: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Number of newly accepted photos that starts a retraining automatically; 0: never.",
    )
    retrain_every: float = Field(
        default=0.0,
        ge=0.0,
        le=8_760.0,
        description="Hours between automatic retrainings, if anything was accepted; 0: never.",
    )
    retrain_on_push: bool = Field(
        default=False,
        description="Retrain when the Hub's webhook reports newly accepted photos in the dataset repo: "
        "1 or 0.",
    )
    base_dataset: str = Field(
        default="",
        description="What a full retraining fine-tunes on besides the accepted photos: a folder with "
        "`breeds/*.parquet`, or a dataset repo `owner/name[@revision]`; empty: `../shared/data/pets`.",
    )
    maintainer_password: str = Field(
        default="",
        repr=False,
        description="Opens the maintainers' pages (at least 8 characters); empty: they are open "
        "while the app listens on this machine only, and closed otherwise.",
    )
    secret: str = Field(
        default="",
        repr=False,
        description="Signs sessions, forms and mailed links (at least 32 random characters); empty: one is "
        "made and kept in SMARTBREED_HOME. Machines that share a database need the same one.",
    )
    smtp_url: str = Field(
        default="",
        repr=False,
        description="Mail server, such as `smtp://user:password@mail.example.org:587` (STARTTLS) or "
        "`smtps://…` (TLS); empty: links to confirm an address or to choose a password go to the log.",
    )
    mail_from: str = Field(
        default="",
        pattern=r"^(|[^\s@<>]+@[^\s@<>]+)$",
        description="Address that mails come from; needed with SMARTBREED_SMTP_URL.",
    )
    operator: str = Field(
        default="",
        max_length=200,
        description="Who runs this site, as the pages About, Privacy and Terms name them; empty: they say "
        "that no name is given.",
    )
    operator_email: str = Field(
        default="",
        pattern=r"^(|[^\s@<>]+@[^\s@<>]+)$",
        description="Address that people can write to, shown on these pages; messages of the page Contact "
        "are mailed there when SMARTBREED_SMTP_URL is set; empty: none.",
    )
    keep_messages: int = Field(
        default=365,
        ge=0,
        le=36_500,
        description="Days after which messages of the page Contact are deleted; 0: never.",
    )
    off: str = Field(
        default="",
        pattern=r"^(|(flags|sign_up|quiz|ask|teach|contact)( *, *(flags|sign_up|quiz|ask|teach|contact))*)$",
        description="Features that are switched off, separated by commas: `flags`, `sign_up`, `quiz`, `ask`, "
        "`teach`, `contact`. What an admin sets on the page `/admin/switches` takes precedence over this, "
        "and over the caps on flags.",
    )
    google_client_id: str = Field(
        default="", description="Client id of sign-in with Google; empty: it is not offered."
    )
    google_client_secret: str = Field(
        default="", repr=False, description="Client secret of sign-in with Google."
    )
    github_client_id: str = Field(
        default="", description="Client id of sign-in with GitHub; empty: it is not offered."
    )
    github_client_secret: str = Field(
        default="", repr=False, description="Client secret of sign-in with GitHub."
    )
    oidc_issuer: str = Field(
        default="",
        pattern=r"^(|https?://\S+)$",
        description="Issuer of any other OpenID provider to sign in with, such as "
        "`https://login.example.org`; empty: none.",
    )
    oidc_client_id: str = Field(default="", description="Client id at that provider.")
    oidc_client_secret: str = Field(default="", repr=False, description="Client secret at that provider.")
    oidc_name: str = Field(
        default="OpenID", max_length=40, description="What the button calls that provider."
    )
    public_url: str = Field(
        default="",
        pattern=r"^(|https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?/?|https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?/?)$",
        description="Address that browsers know this app by, such as `https://pets.example.org`; empty: "
        "that of the Space, or what the Host header says.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of proxies whose `X-Forwarded-For` is trusted, separated by "
        "commas; empty: the Space's own proxies on a Space, else none.",
    )
    frame_ancestors: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9.*\-]+(:[0-9]{1,5})?( +|$))*$",
        description="Websites besides huggingface.co that may show the pages in a frame, separated by "
        "spaces.",
    )
    agreements: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Number of people who must agree about a pet for their flags to be accepted without a "
        "maintainer, at least 2; 0: never.",
    )
    daily_flags: int = Field(
        default=50,
        ge=1,
        le=1_000_000,
        description="Flags per person and day that count without review; further ones are kept for review.",
    )
    publish: str = Field(
        default="",
        pattern="^(|reviewed|all|off)$",
        description="Which flags are published: `reviewed` (accepted ones), `all`, or `off` (none); "
        "empty: `reviewed` on a Space, else `all`.",
    )
    take_flags: bool = Field(
        default=True,
        description="Whether new flags are accepted: 1 or 0. Existing ones stay and can be withdrawn.",
    )
    client_flags: int = Field(
        default=200,
        ge=0,
        le=1_000_000,
        description="Flags per day that one person, or one network address, may save; 0: any number.",
    )
    total_flags: int = Field(
        default=5_000,
        ge=0,
        le=100_000_000,
        description="Flags per day that all visitors together may save; 0: any number.",
    )
    quota: int = Field(
        default=10_000_000_000,
        ge=0,
        description="Bytes that the photos of flags may take on the disk; 0: no limit.",
    )
    teach_models: int = Field(
        default=10, ge=0, le=10_000, description="Number of models that a member may make; 0: none."
    )
    teach_classes: int = Field(default=100, ge=2, le=1_000, description="Most classes of such a model.")
    teach_photos: int = Field(default=2_000, ge=6, le=100_000, description="Most photos of such a model.")
    teach_hub: bool = Field(
        default=False,
        description="Whether members may publish their models to a Hub other than the embedded one, with "
        "HF_TOKEN and under the owner of SMARTBREED_MODEL_REPO: 1 or 0.",
    )
    assistant_model: str = Field(
        default="",
        max_length=200,
        description="Model that phrases answers on the page Ask, asked with HF_TOKEN through Hugging Face's "
        "Inference Providers, such as `meta-llama/Llama-3.1-8B-Instruct`; empty: the breed texts are quoted.",
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR."
    )

    log_format: Literal["text", "json"] = Field(
        default="text",
        description="`text`: lines for people; `json`: one object per line, and a line for each request. "
        "Each line has the id of its request (`X-Request-Id`).",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            ipaddress.ip_network(part)
        return value

    @property
    def home_dir(self) -> Path:
        return expanded(self.home).absolute()

    @property
    def proxies(self) -> str:
        """Networks of proxies whose forwarded addresses are trusted, separated by commas."""
        return self.trusted_proxies or (_SPACE_PROXIES if os.environ.get("SPACE_ID") else "")

    @property
    def publishing(self) -> str:
        """Which flags are published: ``reviewed``, ``all`` or ``off``."""
        return self.publish or ("reviewed" if os.environ.get("SPACE_ID") else "all")

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home_dir / 'smartbreed.db'}"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingError: a variable has an invalid value; the message names it
            and what was received.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = [
            f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}. Received: {e['input']!r}"
            for e in error.errors()
        ]
        raise SettingError("; ".join(problems)) from None
