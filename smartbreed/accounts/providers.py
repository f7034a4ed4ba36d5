"""Signing in with Google, GitHub or any OpenID provider, as far as the settings name them.

Authlib keeps state, nonce and PKCE verifier in what it takes for the session: a signed cookie that lasts for
one sign-in. It checks the id token's signature, issuer, audience, expiry and nonce.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartbreed.accounts.members import Claim
from smartbreed.core.errors import AccountError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from smartbreed.core.settings import Settings

log = logging.getLogger(__name__)

GITHUB, GITHUB_API = "https://github.com", "https://api.github.com/"
HUGGING_FACE = "https://huggingface.co"
_METADATA = "/.well-known/openid-configuration"
#: Seconds that a provider has for each answer.
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Provider:
    """Who vouches for people.

    Attributes:
        key: its part of our addresses.
        name: what the button says.
        issuer: its web address.
    """

    key: str
    name: str
    issuer: str
    client_id: str
    client_secret: str


def configured(settings: Settings) -> list[Provider]:
    """Those with a client id in the settings."""
    found = (
        Provider(
            "google", "Google", "https://accounts.google.com",
            settings.google_client_id, settings.google_client_secret,
        ),
        Provider("github", "GitHub", GITHUB, settings.github_client_id, settings.github_client_secret),
        Provider(
            "openid", settings.oidc_name, settings.oidc_issuer.rstrip("/"),
            settings.oidc_client_id, settings.oidc_client_secret,
        ),
    )  # fmt: skip
    return [one for one in found if one.client_id and one.issuer]


def on_space() -> bool:
    """Whether gradio signs people in with Hugging Face; elsewhere it would only pretend to (its mock)."""
    needed = ("SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")
    return os.environ.get("SYSTEM") == "spaces" and all(os.environ.get(name) for name in needed)


class SignIn:
    """Signs people in with one provider.

    Args:
        provider: from `configured`.
    """

    def __init__(self, provider: Provider) -> None:
        from authlib.integrations.starlette_client import OAuth

        self.provider = provider
        how: dict[str, Any] = {"scope": "openid email profile"}
        where: dict[str, Any] = {"server_metadata_url": provider.issuer + _METADATA}
        if provider.issuer == GITHUB:
            how["scope"] = "read:user user:email"
            where = {
                "authorize_url": f"{GITHUB}/login/oauth/authorize",
                "access_token_url": f"{GITHUB}/login/oauth/access_token",
                "api_base_url": GITHUB_API,
            }
        self._client = OAuth().register(
            provider.key,
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            client_kwargs={**how, "code_challenge_method": "S256", "timeout": _PATIENCE_S},
            **where,
        )

    async def begin(self, request: Request, back: str) -> Response:
        """Send the browser to the provider.

        Args:
            request: with a ``session`` that is kept until `finish`.
            back: our address that the provider sends the browser back to.

        Raises:
            AccountError: ``provider_down`` or ``provider_answer``.
        """
        try:
            answer: Response = await self._client.authorize_redirect(request, back)
        except Exception as error:
            raise self._explained(error) from error
        return answer

    async def finish(self, request: Request) -> Claim:
        """Who came back.

        Raises:
            AccountError: ``provider_refused``, ``provider_down`` or ``provider_answer``.
        """
        try:
            token = await self._client.authorize_access_token(request)
            if self.provider.issuer == GITHUB:
                return await self._of_github(token)
            if "id_token" not in token:  # "userinfo" beside the others would be the provider's unsigned word
                raise ValueError("no id token")
            return claim_of(self.provider.name, self.provider.issuer, token["userinfo"])
        except Exception as error:
            raise self._explained(error) from error

    async def _of_github(self, token: Any) -> Claim:
        """GitHub is no OpenID provider: it says who a person is in its API."""
        user, mails = [
            (await self._client.get(path, token=token)).raise_for_status().json()
            for path in ("user", "user/emails")
        ]
        # Only an address that GitHub has verified counts, whatever the profile shows.
        mail = next((one for one in mails if one["primary"] is True and one["verified"] is True), None)
        name = str(user.get("name") or user.get("login") or "")
        return Claim("GitHub", GITHUB, str(user["id"]), str(mail["email"]) if mail else "", bool(mail), name)

    def _explained(self, error: Exception) -> AccountError:
        from authlib.integrations.base_client.errors import MismatchingStateError, OAuthError

        name = self.provider.name
        # What a provider wrote may hold names and addresses, so the log has the type alone.
        log.warning("sign-in with %s failed: %s", self.provider.key, type(error).__name__)
        if isinstance(error, MismatchingStateError):
            text = "This sign-in was not begun in this browser, or too long ago; begin again."
            return AccountError("provider_answer", text, status=403)
        if isinstance(error, OAuthError) and error.error == "access_denied":
            text = f"{name} did not sign you in. You can try again or use another way."
            return AccountError("provider_refused", text, status=403)
        if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2"):
            text = f"{name} cannot be reached at the moment. Try again later or use another way."
            return AccountError("provider_down", text, status=503)
        text = f"The answer of {name} could not be trusted, so you were not signed in."
        return AccountError("provider_answer", text, status=403)


def claim_of(name: str, issuer: str, userinfo: Mapping[str, Any]) -> Claim:
    """OpenID's claims about a person.

    Raises:
        KeyError: there is no subject.
    """
    email, shown = userinfo.get("email"), userinfo.get("name") or userinfo.get("preferred_username")
    return Claim(
        name,
        issuer,
        str(userinfo["sub"]),
        email=email if isinstance(email, str) else "",
        verified=userinfo.get("email_verified") is True,
        name=shown if isinstance(shown, str) else "",
    )
