"""The pages for admins."""

from __future__ import annotations

from urllib.parse import urljoin

from net import Operation, Walk

from operations.account import ACCOUNT_PASSWORD
from operations.common import filled, press_all, submit

_SWITCHES = ("Switch off", "Switch on", "Use the app’s setting")


def walk_admin(walk: Walk) -> None:
    """The pages for admins: closed to a visitor and to a member, open to an admin."""
    people = {}
    for role in ("admin", "member"):
        people[role] = f"{role}-{walk.width}@example.org"
        options = ("--admin",) if role == "admin" else ()
        link = walk.stage.command("accounts", "create", *options, people[role]).strip()
        walk.open(link[link.index("account/") :])
        filled(submit("Save the password", "#sessions"), password=ACCOUNT_PASSWORD)(walk)
        if role == "member":
            walk.page.goto(urljoin(walk.stage.url, "admin"))
            walk.page.locator(".sb-problem:has-text('for admins only')").wait_for()
            walk.check("a member at the pages for admins", refused=True, blocked=True)
            walk.open("account")
        submit("Sign out", "#photo-input")(walk)
        walk.settle()
    walk.open("admin")
    assert "/account/sign-in" in walk.page.url
    filled(submit("Sign in", ".sb-page-admin"), email=people["admin"], password=ACCOUNT_PASSWORD)(walk)
    walk.operate({})
    walk.open("contact")
    filled(submit("Send the message", ".sb-sent"), text="A <b>question</b>")(walk)
    walk.open("admin/messages")
    walk.operate({"page: button sb-button": Operation(press_all(
        ("text=Mark as read", "text=Mark as new"), ("text=Mark as new", "text=Mark as read"),
        ("text=Mark as answered", "text=Mark as new"), ("button:text-is('Delete')", ".sb-thanks"),
    ), last=True)})  # fmt: skip

    walk.open("admin/switches")
    off, on, usual = (f"[aria-label='{words}: Quiz']" for words in _SWITCHES)
    caps = {
        "client_flags": "Flags a day from one person or network",
        "total_flags": "Flags a day in total",
        "quota": "Bytes of all flagged photos",
    }
    toggle = {
        f"switch-{name}: button Switch off: {words}": Operation(
            press_all(*[(f"#switch-{name} button >> nth=0", ".sb-thanks")] * 2,
                      (f"#switch-{name} button >> nth=1", ".sb-thanks"))
        )
        for name, words in (("flags", "Collecting flags"), ("sign_up", "New accounts"), ("ask", "Ask"),
                            ("teach", "Teach"), ("contact", "Contact form"))
    }  # fmt: skip

    def quiz_is_gone(walk: Walk) -> None:
        press_all((off, on))(walk)
        for path in ("quiz", "tour"):
            walk.page.goto(urljoin(walk.stage.url, path))
            walk.page.locator("text=How it learns").first.wait_for()
            walk.settle()
            assert not walk.page.locator("nav a[data-page=quiz]:visible").count()
            walk.check("a page while the quiz is off", refused=True, blocked=True)
        walk.open("admin/switches")
        press_all((usual, off))(walk)

    walk.operate({
        **toggle, "switch-quiz: button Switch off: Quiz": Operation(quiz_is_gone),
        **{f"sb-{name}: text": Operation(lambda walk, name=name: walk.page.fill(f"#sb-{name}", "900"))
           for name in caps},
        **{f"switch-{name}: button Save: {words}": Operation(
            filled(press_all((f"#switch-{name} button", ".sb-thanks")), **{name: "900000"})
        ) for name, words in caps.items()},
    })  # fmt: skip
    walk.open("admin/audit")
    show = press_all(("button:text-is('Show')", ".sb-page-admin table"))
    walk.operate({
        "sb-action: select": Operation(lambda walk: walk.page.select_option("#sb-action", "switch")),
        "sb-actor: select": Operation(lambda walk: walk.page.select_option("#sb-actor", "member")),
        "page: button sb-button": Operation(show),
    })  # fmt: skip
    walk_members(walk, people)


def walk_members(walk: Walk, people: dict[str, str]) -> None:
    """Search a member, change role and state, and delete them; the last admin stays."""

    def change(walk: Walk) -> None:
        filled(submit("Search", "text=1 found"), q=people["member"])(walk)
        walk.page.select_option(".sb-people select", "maintainer")
        press_all(
            ("text=Change role", ".sb-thanks"), ("text=Close account >> nth=-1", ".sb-thanks"),
            ("text=Reopen", ".sb-thanks"),
        )(walk)  # fmt: skip

    walk.open("admin/members")
    walk.operate({
        "sb-q: search": Operation(lambda walk: walk.page.fill("#sb-q", "a")),
        "sb-role: select": Operation(lambda walk: walk.page.select_option("#sb-role", "member")),
        "page: select": Operation(lambda walk: walk.page.select_option(".sb-people select", "admin")),
        "page: button sb-button": Operation(change),
    })  # fmt: skip
    walk.open(f"admin/members?q={people['member']}")
    walk.page.click("text=Delete …")
    delete = press_all(("text=Delete the account", ".sb-problem"))
    walk.operate({
        "page: button sb-button": Operation(delete, refused=True, blocked=True),
        "sb-sure: checkbox": Operation(lambda walk: walk.page.check("#sb-sure"), refused=True),
    })  # fmt: skip
    press_all(("text=Delete the account", ".sb-thanks"))(walk)
    assert people["member"] not in walk.page.inner_text(".sb-people")
