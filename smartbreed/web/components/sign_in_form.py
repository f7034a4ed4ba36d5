"""What a maintainers' page shows to somebody who is not in: the sign-in form, or why it is closed."""

from __future__ import annotations

from smartbreed.accounts.maintainers import Entry
from smartbreed.web.components.html import escape


def gate_html(entry: Entry) -> str:
    """HTML for an entry whose state is not ``in``; ``maintainer.js`` sends the form."""
    if entry.state == "in":
        return ""
    if entry.state == "closed":
        return (
            '<div class="sb-gate"><h2>Only for maintainers</h2>'
            f'<p>{escape(entry.why)}</p><p><a href="./">Back to the front page</a></p></div>'
        )
    return (
        '<form class="sb-gate sb-sign-in"><h2>Only for maintainers</h2>'
        "<p>This page takes decisions about other people’s photos. Please sign in.</p>"
        '<input type="text" name="username" value="maintainer" autocomplete="username" hidden>'
        '<label for="sb-password">Password</label>'
        '<input id="sb-password" type="password" name="password" autocomplete="current-password" required '
        "autofocus>"
        '<p class="sb-problem" role="alert" hidden></p>'
        '<button type="submit">Sign in</button></form>'
    )


def sign_out() -> str:
    """The way out for those who signed in with a password."""
    return '<p class="sb-note"><button type="button" class="sb-sign-out">Sign out</button></p>'
