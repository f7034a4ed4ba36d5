"""The pages of an account."""

from __future__ import annotations

import re
from collections.abc import Callable

from net import Operation, Walk

from operations.common import filled, submit


def sign_out_and_in(button: str, then: str, email: str) -> Callable[[Walk], None]:
    """Sign out of an account in one of two ways, and in again."""

    def act(walk: Walk) -> None:
        submit(button, then)(walk)
        walk.open("account/sign-in")
        filled(submit("Sign in", "#sessions"), email=email, password=ACCOUNT_PASSWORD)(walk)

    return act


def keep_and_stop(walk: Walk) -> None:
    """Have one's photos kept, and no longer."""
    keep, stop = "Keep them from now on", "Stop keeping them"
    submit(keep, f"button:text-is('{stop}')")(walk)
    submit(stop, f"button:text-is('{keep}')")(walk)


ACCOUNT_PASSWORD = "my two cats sing"


def account_form(
    button: str, then: str, *fields: str, refused: bool = True, **values: str
) -> dict[str, Operation]:
    """Every field of a form with one button, and the button with these values."""
    kinds = {"email": "email", "password": "password", "name": "text"}
    found = {
        f"sb-{name}: {kinds[name]}": Operation(lambda walk, name=name: walk.page.fill(f"#sb-{name}", "x y"))
        for name in fields
    }
    act = filled(submit(button, then), **values)
    return {
        **found,
        "page: button sb-gate": Operation(act, refused=refused, blocked=refused, last=not refused),
    }


def walk_account(walk: Walk) -> None:
    """The pages of accounts, from signing up to the receipt."""
    email = f"rosa-{walk.width}@example.org"
    wrong = {"email": email, "password": "not a password of mine"}
    walk.open("account/sign-in")
    walk.operate(account_form("Sign in", ".sb-problem", "email", "password", refused=True, **wrong))
    walk.follow_links()
    walk.open("account/forgot")
    walk.operate(account_form("Send the link", "text=Check your e-mail", "email", refused=False, email=email))
    walk.open("account/sign-up")
    mine = {"name": "Rosa", "email": email, "password": ACCOUNT_PASSWORD}
    walk.operate(account_form("Create an account", "text=Almost done", *mine, refused=False, **mine))
    links: list[str] = []
    while not links:
        walk.page.wait_for_timeout(50)
        links = re.findall(r"verify link for account \S+: (\S+)", walk.stage.server.log())
    walk.open(links[-1])
    submit("Confirm and sign in", "#sessions")(walk)
    walk.settle()
    walk.check("confirming the address")

    fields = {"old": "not the old password", "new": "a dog under the table"}
    ways = {
        "sb-old: password": Operation(lambda walk: walk.page.fill("#sb-old", "x")),
        "sb-new: password": Operation(lambda walk: walk.page.fill("#sb-new", "x")),
        "password: button Save the password": Operation(
            filled(submit("Save the password", ".sb-problem"), **fields), refused=True, blocked=True
        ),
        "photos: button sb-quiet": Operation(keep_and_stop),
        "sessions: button sb-buttons": Operation(sign_out_and_in("Sign out", "#photo-input", email)),
        "sessions: button sb-quiet": Operation(sign_out_and_in("Sign out everywhere", "#sb-email", email)),
    }
    walk.operate(ways)
    walk.open("account/delete")
    gone = {"password": ACCOUNT_PASSWORD}
    walk.operate(account_form("Delete everything", ".sb-steps", "password", refused=False, **gone))
    walk.follow_links()
