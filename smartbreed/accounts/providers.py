"""Sign-in with Google, GitHub or another OpenID provider, for those configured in the settings.

Authlib keeps state, nonce and PKCE verifier in the session it is given, here a signed cookie that lasts for
one sign-in. It checks the ID token's signature, issuer, audience, expiry and nonce.
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
#: Timeout for each answer of a provider, in seconds.
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Provider:
    """An identity provider and our credentials there.

    Attributes:
        key: its name in our URLs.
        name: its name on the button.
        issuer: its base URL.
    """

    key: str
    name: str
    issuer: str
    client_id: str
    client_secret: str


def configured(settings: Settings) -> list[Provider]:
    """Return the providers that have a client id and an issuer in the settings."""
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
    """True when Gradio can sign people in with Hugging Face; outside a Space it only offers a mock."""
    needed = ("SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")
    return os.environ.get("SYSTEM") == "spaces" and all(os.environ.get(name) for name in needed)


class SignIn:
    """The OAuth client of one provider.

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
            request: has a ``session`` that is kept until `finish`.
            back: our URL that the provider redirects the browser to.

        Raises:
            AccountError: ``provider_down`` or ``provider_answer``.
        """
        try:
            answer: Response = await self._client.authorize_redirect(request, back)
        except Exception as error:
            raise self._explained(error) from error
        return answer

    async def finish(self, request: Request) -> Claim:
        """Complete the sign-in when the browser returns, and return the provider's claim.

        Raises:
            AccountError: ``provider_refused``, ``provider_down`` or ``provider_answer``.
        """
        try:
            token = await self._client.authorize_access_token(request)
            if self.provider.issuer == GITHUB:
                return await self._of_github(token)
            if "id_token" not in token:  # without it, "userinfo" is an unsigned statement
                raise ValueError("no id token")
            return claim_of(self.provider.name, self.provider.issuer, token["userinfo"])
        except Exception as error:
            raise self._explained(error) from error

    async def _of_github(self, token: Any) -> Claim:
        """Return the claim from GitHub's API, because GitHub is not an OpenID provider."""
        user, mails = [
            (await self._client.get(path, token=token)).raise_for_status().json()
            for path in ("user", "user/emails")
        ]
        # Only the primary address counts, and only if GitHub has verified it, whatever the profile shows.
        mail = next((one for one in mails if one["primary"] is True and one["verified"] is True), None)
        name = str(user.get("name") or user.get("login") or "")
        return Claim("GitHub", GITHUB, str(user["id"]), str(mail["email"]) if mail else "", bool(mail), name)

    def _explained(self, error: Exception) -> AccountError:
        from authlib.integrations.base_client.errors import MismatchingStateError, OAuthError

        name = self.provider.name
        # A provider's answer may hold names and addresses, so only the type is logged.
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
    """Convert OpenID claims to a `Claim`.

    Args:
        name: of the provider.
        issuer: its base URL.
        userinfo: the claims of the ID token.

    Raises:
        KeyError: the claims have no subject.
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
