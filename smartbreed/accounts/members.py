"""Member accounts: sign-up, sign-in, sessions and roles.

The answers do not reveal whether an address has an account: sign-up, password reset and a wrong password give
the same text after the same amount of work either way. A password is always compared with a hash, a dummy one
if need be. Work that depends on the account (rows, mails) runs afterwards, in a background thread.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import sqlalchemy as sa
from itsdangerous import BadSignature, Signer
from sqlalchemy.orm import Session

from smartbreed.accounts.fields import LONGEST, check_password, normalise
from smartbreed.accounts.link_tokens import LASTS_S as LINK_LASTS_S
from smartbreed.accounts.link_tokens import Link, LinkTokens, Purpose, no_such_link
from smartbreed.accounts.mail import Kind, Mail
from smartbreed.accounts.maintainer_sessions import read_cookie
from smartbreed.accounts.secret import load_secret
from smartbreed.accounts.signed import CLOCKS_DIFFER_S
from smartbreed.accounts.tables import (
    Member,
    MemberFlag,
    MemberIdentity,
    MemberSession,
    UsedToken,
    member_by_email,
)
from smartbreed.admin.switches import FEATURES
from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import AccountError
from smartbreed.core.salt import load_salt
from smartbreed.core.settings import Settings
from smartbreed.core.text import one_line
from smartbreed.throttle.login_throttle import LoginThrottle
from smartbreed.throttle.rate import Rate

if TYPE_CHECKING:
    from pwdlib import PasswordHash

log = logging.getLogger(__name__)

COOKIE = "smartbreed_member"
#: Lifetime of a session, and how long it counts as fresh enough for irreversible actions; both in seconds.
LASTS_S, FRESH_S = 30 * 86_400, 15 * 60
#: Most open sessions of one member; a further sign-in ends the oldest.
_MOST_SESSIONS = 50
#: Most mails to one address per hour (further ones are not sent), and most requests for mails from one
#: network per hour.
_MAILS, _ASKED = 4, 30
#: Most jobs that may be queued or running in the background thread.
_MOST_WAITING = 200
#: Passwords hashed at the same time; each needs 64 MB while it is hashed.
_HASHED_AT_ONCE = 2
#: Age in seconds after which an unconfirmed sign-up is deleted.
UNCONFIRMED_S = 7 * 86_400
_WRONG = "This address and this password do not go together. Try again, or choose a new password."


@dataclass(frozen=True)
class SignedIn:
    """The signed-in member of a request.

    Attributes:
        session: id of the session, which is not the value of the cookie.
        fresh: True if they signed in recently enough to do irreversible things without a password.
        keeps_photos: whether photos that they identify are kept for them.
    """

    id: str
    name: str
    email: str
    role: str
    has_password: bool
    session: str
    fresh: bool
    keeps_photos: bool

    @property
    def shown(self) -> str:
        """The name that pages show: their own, else the local part of the address, else ``My account``."""
        return self.name or self.email.partition("@")[0] or "My account"

    @property
    def maintains(self) -> bool:
        """True for maintainers and admins."""
        return self.role in ("maintainer", "admin")


@dataclass(frozen=True)
class Claim:
    """What an identity provider says about a person who signed in there.

    Attributes:
        provider: its name, for messages.
        email: the address that the provider has; empty if it gives none.
        verified: whether the provider says that the address belongs to the person.
    """

    provider: str
    issuer: str
    subject: str
    email: str = ""
    verified: bool = False
    name: str = ""


class Members:
    """The member accounts of an installation. Thread-safe.

    Args:
        settings: the secret and the mail server.
        sessions: opens the database, on first use.
        clock: returns the time in seconds; replaceable in tests.
        pause: sleeps for a number of seconds; replaceable in tests.
        mail: sends the links; None to use the mail server of the settings.
        takes_new: returns whether new accounts are allowed at the moment.

    Attributes:
        site: the app's base URL, which links begin with, such as ``https://pets.example.org``.
    """

    def __init__(
        self,
        settings: Settings,
        sessions: Callable[[], Sessions],
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        mail: Mail | None = None,
        takes_new: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings, self._takes_new = settings, takes_new
        self._open = sessions
        self._clock = clock
        self._throttle = LoginThrottle("members", sessions, lambda: self._salt, clock, pause)
        self._mail = mail or Mail(settings)
        self._mailed = Rate("mails", _MAILS, sessions, lambda: self._salt, clock)
        self._asked = Rate("requests for mails", _ASKED, sessions, lambda: self._salt, clock)
        self._behind = ThreadPoolExecutor(1, "accounts")
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)
        self._costly = threading.BoundedSemaphore(_HASHED_AT_ONCE)
        self.site = "http://127.0.0.1:7860"

    def close(self) -> None:
        """Finish the queued background work and stop its thread."""
        self._behind.shutdown()

    def settle(self) -> None:
        """Wait until all background work queued so far is done."""
        self._behind.submit(int).result()

    @property
    def mails(self) -> bool:
        """Whether links are mailed; without a mail server they are written to the log."""
        return self._mail.configured

    def write_to_operator(self, subject: str, text: str, reply_to: str) -> None:
        """Mail a text to the operators of this site, in the background, if a mail server is configured."""
        if self.mails:
            with suppress(AccountError):  # the queue is full; the text is in the database anyway
                self.later(lambda: self._mail.forward(self._settings.operator_email, subject, text, reply_to))

    # -- signing up and in

    def sign_up(self, email: str, password: str, name: str, caller: str, browser: str = "") -> None:
        """Request an account; a mailed link confirms the address.

        If the address already has an account, the mail says so. The answer to the caller is the same.

        Args:
            caller: network address of the request.
            browser: mark of the browser, from `browser_mark`. In this browser the link alone confirms the
                address; any other one has to give the password as well. Signing up with another person's
                address therefore gains nothing when that person follows the link.

        Raises:
            AccountError: ``bad_email``, ``bad_password``, ``too_many``, ``no_new_accounts`` or ``busy``.
        """
        self._check_takes_new()
        address = normalise(email)
        check_password(password, address)
        self._asked.check(caller)
        hashed = self._hash_of(password)
        self.later(lambda: self._signed_up(address, hashed, one_line(name), browser))

    def _signed_up(self, address: str, hashed: str, name: str, browser: str) -> None:
        now = self._now()
        with write(self._sessions) as session:
            stale = now - dt.timedelta(seconds=UNCONFIRMED_S)
            session.execute(
                sa.delete(Member).where(
                    Member.verified_at.is_(None), Member.password_hash.is_not(None), Member.created_at < stale
                )
            )
            member = member_by_email(session, address)
            if member is None:
                member = Member(email=address, created_at=now)
                session.add(member)
            # An administrator made it: a password from the form would end the link given out.
            invited = member.id is not None and member.verified_at is None and member.password_hash is None
            if member.verified_at is None and not invited:
                # Only the link of the latest sign-up works, and it lasts as long as that of a first one.
                member.password_hash, member.name, member.created_at = hashed, name, now
            session.flush()
        if invited:
            self._send("reset", member)
        elif member.verified_at is None:
            self._send("verify", member, browser)
        else:
            self._send("known", member)

    def verify(
        self, token: str, browser: str, caller: str, password: str | None = None, agent: str = ""
    ) -> str:
        """Confirm an address by the link that was sent to it, and sign in.

        Returns:
            The value for the cookie.

        Raises:
            AccountError: ``bad_link``, ``disabled`` or ``wrong_password``; ``password_needed`` if another
                browser signed up and no password was given.
            MaintainerError: ``too_many_tries``.
        """
        link = self._tokens.read("verify", token)
        with read(self._sessions) as session:
            member = self._linked(session, link)
            hashed = member.password_hash or ""
        if not (link.browser and hmac.compare_digest(link.browser.encode(), browser.encode())):
            if password is None:
                raise AccountError(
                    "password_needed", "Type the password that you signed up with.", status=403
                )
            self._compare(password, hashed, caller, "")
        with write(self._sessions) as session:
            member = self._linked(session, link, use="verify")
            member.verified_at = self._now()
            return self._open_session(session, member, agent)

    def needs_password(self, token: str, browser: str) -> bool:
        """True when `verify` will ask for the password in this browser.

        Raises:
            AccountError: ``bad_link`` or ``disabled``.
        """
        link = self._tokens.read("verify", token)
        with read(self._sessions) as session:
            self._linked(session, link)
        return not (link.browser and hmac.compare_digest(link.browser.encode(), browser.encode()))

    def log_in(
        self,
        email: str,
        password: str,
        caller: str,
        device: str = "",
        agent: str = "",
        before: str = "",
        browser: str = "",
    ) -> str:
        """Sign in with a password.

        Args:
            caller, device: as in `smartbreed.throttle.login_throttle.LoginThrottle.compare`.
            agent: the ``User-Agent`` of the browser.
            before: value of the cookie that came with the request; that session ends.
            browser: as in `sign_up`, for the confirmation link that is sent again if the address is
                unverified.

        Returns:
            The value for the cookie: always a new one.

        Raises:
            AccountError: ``wrong_password``; with the right one ``unverified``, ``disabled`` or ``busy``.
            MaintainerError: ``too_many_tries``.
        """
        address = ""  # belongs to no account
        with suppress(AccountError):
            address = normalise(email)
        with read(self._sessions) as session:
            member = member_by_email(session, address)
        dummy = self._dummy  # made in either case, so that the time taken reveals nothing
        hashed = member.password_hash if member else None
        self._compare(password, hashed or dummy, caller, device)
        assert member is not None, "no password has the hash of the dummy"
        if member.verified_at is None:
            self.later(lambda: self._send("verify", member, browser))
            raise AccountError(
                "unverified", f"Confirm your address first: {self.where_links_are} once more.", status=403
            )
        with write(self._sessions) as session:
            self._end(session, before)
            current = self._usable(session, member.id)
            if current.password_hash != hashed:  # it was changed while this one was compared
                raise AccountError("wrong_password", _WRONG, status=403)
            if self._passwords.current_hasher.check_needs_rehash(current.password_hash or ""):
                current.password_hash = self._hash_of(password)
            return self._open_session(session, current, agent)

    def _compare(self, password: str, hashed: str, caller: str, device: str) -> None:
        """Compare a password with a hash, throttled by the caller's earlier failures.

        Raises:
            AccountError: ``wrong_password``.
            MaintainerError: ``too_many_tries``.
        """
        if not self._throttle.compare(caller, lambda: self._matches(password, hashed), device):
            raise AccountError("wrong_password", _WRONG, status=403)

    def _matches(self, password: str, hashed: str) -> bool:
        if len(password) > LONGEST:
            password = ""
        with self._costly:
            return self._passwords.verify(password.encode("utf-8", "surrogatepass"), hashed)

    def _hash_of(self, password: str) -> str:
        with self._costly:
            return self._passwords.hash(password.encode("utf-8", "surrogatepass"))

    def enter_with(self, claim: Claim, agent: str = "", before: str = "") -> str:
        """Sign in a person through an identity provider; the first time, create an account.

        The identity is linked to an existing account with the same address only if the provider has verified
        that address. If the account was still unconfirmed, its password is removed.

        Returns:
            The value for the cookie.

        Raises:
            AccountError: ``email_unverified``, ``disabled`` or ``no_new_accounts``.
        """
        address = ""
        with suppress(AccountError):
            address = normalise(claim.email)
        now = self._now()
        # Asked before the write lock is taken: a second connection inside it may never come while others,
        # who hold all connections, wait for the lock.
        takes_new = self._takes_new()
        with write(self._sessions) as session:
            known = session.get(MemberIdentity, (claim.issuer[:200], claim.subject[:200]))
            if known is None:
                if address and not claim.verified:
                    raise AccountError(
                        "email_unverified",
                        f"{claim.provider} has not confirmed your e-mail address. Confirm it there, "
                        "or sign up here with a password.",
                        status=403,
                    )
                member = member_by_email(session, address) if address else None
                if member is None:
                    if not takes_new:
                        raise _no_new_accounts()
                    member = Member(email=address or None, name=one_line(claim.name), created_at=now)
                    session.add(member)
                elif member.verified_at is None:
                    member.password_hash = None
                member.verified_at = member.verified_at or now
                session.flush()
                known = MemberIdentity(
                    issuer=claim.issuer[:200], subject=claim.subject[:200], member_id=member.id, joined_at=now
                )
                session.add(known)
            self._end(session, before)
            return self._open_session(session, self._usable(session, known.member_id), agent)

    # -- passwords

    def forgot(self, email: str, caller: str) -> None:
        """Send a link to choose a new password if the account exists; the answer is the same either way.

        Raises:
            AccountError: ``bad_email``, ``too_many`` or ``busy``.
        """
        address = normalise(email)
        self._asked.check(caller)
        self.later(lambda: self._forgot(address))

    def _forgot(self, address: str) -> None:
        with read(self._sessions) as session:
            member = member_by_email(session, address)
        if member is not None and member.disabled_at is None:
            self._send("reset", member)

    def check_reset(self, token: str) -> None:
        """Check that a link to choose a new password still works.

        Raises:
            AccountError: ``bad_link`` or ``disabled``.
        """
        link = self._tokens.read("reset", token)
        with read(self._sessions) as session:
            self._linked(session, link)

    def reset(self, token: str, password: str, agent: str = "") -> str:
        """Set a new password by a link, end all sessions and open a new one.

        Returns:
            The value for the cookie.

        Raises:
            AccountError: ``bad_link``, ``bad_password`` or ``disabled``.
        """
        link = self._tokens.read("reset", token)
        with read(self._sessions) as session:
            address = self._linked(session, link).email or ""
        check_password(password, address)
        hashed = self._hash_of(password)
        with write(self._sessions) as session:
            member = self._linked(session, link, use="reset")
            member.password_hash = hashed
            member.verified_at = member.verified_at or self._now()  # the link came by mail
            session.execute(sa.delete(MemberSession).where(MemberSession.member_id == member.id))
            return self._open_session(session, member, agent)

    def change_password(self, who: SignedIn, old: str, new: str, caller: str) -> None:
        """Set another password and end every other session.

        Args:
            old: the current password; ignored if the account has none, in which case the sign-in must be
                fresh.

        Raises:
            AccountError: ``wrong_password``, ``bad_password``, ``sign_in_again`` or ``disabled``.
            MaintainerError: ``too_many_tries``.
        """
        self.confirm(who, old, caller)
        check_password(new, who.email)
        hashed = self._hash_of(new)
        with write(self._sessions) as session:
            self._usable(session, who.id).password_hash = hashed
            session.execute(
                sa.delete(MemberSession).where(
                    MemberSession.member_id == who.id, MemberSession.id != who.session
                )
            )

    def confirm(self, who: SignedIn, password: str, caller: str) -> None:
        """Re-authenticate a member: by password, or by a fresh sign-in if the account has no password.

        Raises:
            AccountError: ``wrong_password``, ``sign_in_again`` or ``disabled``.
            MaintainerError: ``too_many_tries``.
        """
        with read(self._sessions) as session:
            hashed = self._usable(session, who.id).password_hash
        if hashed:
            self._compare(password, hashed, caller, "")
        elif not who.fresh:
            raise AccountError("sign_in_again", "Sign out and in again to do this.", status=403)

    # -- sessions

    def of(self, headers: Mapping[str, str]) -> SignedIn | None:
        """Return the member whose session cookie a request carries; None for visitors.

        Raises:
            StorageError: the database refused.
        """
        value = self._unsigned(read_cookie(headers, COOKIE))
        if not value:
            return None
        now = self._now()
        with read(self._sessions) as session:
            row = session.execute(
                sa.select(MemberSession, Member)
                .join(Member, Member.id == MemberSession.member_id)
                .where(MemberSession.id == _hash(value), MemberSession.expires_at > now)
                .where(Member.disabled_at.is_(None), Member.verified_at.is_not(None))
            ).first()
        if row is None:
            return None
        found, member = row
        return SignedIn(
            id=member.id,
            name=member.name,
            email=member.email or "",
            role=member.role,
            has_password=member.password_hash is not None,
            session=found.id,
            fresh=now - found.opened_at < dt.timedelta(seconds=FRESH_S),
            keeps_photos=member.keeps_photos_at is not None,
        )

    def sessions_of(self, member_id: str) -> list[MemberSession]:
        """Return a member's open sessions, newest first."""
        query = (
            sa.select(MemberSession)
            .where(MemberSession.member_id == member_id, MemberSession.expires_at > self._now())
            .order_by(MemberSession.opened_at.desc())
        )
        with read(self._sessions) as session:
            return list(session.scalars(query))

    def end_sessions(self, who: SignedIn, which: str = "") -> None:
        """End one session of the member, given its id, or all of them."""
        query = sa.delete(MemberSession).where(MemberSession.member_id == who.id)
        with write(self._sessions) as session:
            session.execute(query.where(MemberSession.id == which) if which else query)

    def end_session(self, session_id: str) -> None:
        """End one session, in every window."""
        with write(self._sessions) as session:
            session.execute(sa.delete(MemberSession).where(MemberSession.id == session_id))

    @property
    def has_maintainers(self) -> bool:
        """True if at least one enabled account is a maintainer's or an admin's.

        Raises:
            StorageError: the database refused.
        """
        query = sa.select(Member.id).where(Member.role != "member", Member.disabled_at.is_(None)).limit(1)
        with read(self._sessions) as session:
            return session.scalar(query) is not None

    def form_token(self, browser: str, session: str = "") -> str:
        """Return the CSRF token of a form, bound to the browser and to the session."""
        return hmac.digest(self._secret, f"form {browser} {session}".encode(), "sha256").hex()

    def browser_mark(self, browser: str) -> str:
        """Return a keyed hash that identifies a browser in a link: 32 hex digits."""
        return hmac.digest(self._secret, f"browser {browser}".encode(), "sha256").hex()[:32]

    def log_name(self, member_id: str) -> str:
        """Return an account's pseudonym in the log; admins can search by it until the account is deleted."""
        return hmac.digest(self._secret, f"in the log {member_id}".encode(), "sha256").hex()[:12]

    # -- flags

    def own_flag(self, session: Session, flag_id: str, member_id: str) -> None:
        """Record a flag's owner in the transaction that saves it; a flag with an owner keeps that one."""
        if session.get(MemberFlag, flag_id) is None and session.get(Member, member_id) is not None:
            session.add(MemberFlag(flag_id=flag_id, member_id=member_id))

    def member_of(self, session_id: str) -> str:
        """Return the id of the member that a session belongs to; empty if it has ended.

        Raises:
            StorageError: the database refused.
        """
        with read(self._sessions) as session:
            found = session.get(MemberSession, session_id)
        return found.member_id if found and found.expires_at > self._now() else ""

    # -- inside

    def _check_takes_new(self) -> None:
        if not self._takes_new():
            raise _no_new_accounts()

    @property
    def where_links_are(self) -> str:
        """A clause for messages that says where the member finds the link."""
        return "we have mailed you a link" if self.mails else "the administrator finds your link in the log"

    def _send(self, kind: Kind, member: Member, browser: str = "") -> None:
        address = member.email or ""
        if not self._mailed.take(address):
            log.info("account %s has been sent enough links for this hour", self.log_name(member.id))
            return
        purpose: Purpose = "verify" if kind == "verify" else "reset"
        hours = LINK_LASTS_S[purpose] // 3600
        link = self._link(purpose, member, browser)
        self._mail.send(kind, self.log_name(member.id), address, link, hours)

    def password_link(self, member: Member) -> str:
        """Return a link for choosing a password; it works once."""
        return self._link("reset", member)

    def _link(self, purpose: Purpose, member: Member, browser: str = "") -> str:
        token = self._tokens.make(purpose, member.id, self._mark(member), browser)
        return f"{self.site}/account/{purpose}?token={token}"

    def _mark(self, member: Member) -> str:
        """Return a hash that changes with the password and on confirmation, which invalidates older links."""
        text = f"mark {member.id} {member.password_hash} {member.verified_at is not None}"
        return hmac.digest(self._secret, text.encode(), "sha256").hex()[:32]

    def _linked(self, session: Session, link: Link, use: Purpose | None = None) -> Member:
        """Return the member of a link that still works.

        Args:
            use: the link's purpose, to mark it as used in this transaction; None to check it only.

        Raises:
            AccountError: ``bad_link`` or ``disabled``.
        """
        member = session.get(Member, link.member)
        if member is None or not hmac.compare_digest(self._mark(member), link.mark):
            raise no_such_link()
        if session.get(UsedToken, link.id) is not None:
            raise no_such_link()
        if member.disabled_at is not None:
            raise _disabled()
        if use is not None:
            now = self._now()
            session.execute(sa.delete(UsedToken).where(UsedToken.expires_at <= now))
            expires = now + dt.timedelta(seconds=LINK_LASTS_S[use] + CLOCKS_DIFFER_S)
            session.add(UsedToken(id=link.id, expires_at=expires))
        return member

    def _usable(self, session: Session, member_id: str) -> Member:
        member = session.get(Member, member_id)
        if member is None or member.disabled_at is not None:
            raise _disabled()
        return member

    def _open_session(self, session: Session, member: Member, agent: str) -> str:
        now, value = self._now(), secrets.token_urlsafe(32)
        session.execute(sa.delete(MemberSession).where(MemberSession.expires_at <= now))
        mine = sa.select(MemberSession.id).where(MemberSession.member_id == member.id)
        oldest = mine.order_by(MemberSession.opened_at.desc()).offset(_MOST_SESSIONS - 1)
        session.execute(sa.delete(MemberSession).where(MemberSession.id.in_(list(session.scalars(oldest)))))
        session.add(
            MemberSession(
                id=_hash(value), member_id=member.id, opened_at=now, browser=browser_name(agent),
                expires_at=now + dt.timedelta(seconds=LASTS_S),
            )
        )  # fmt: skip
        return self._cookies.sign(value).decode()

    def _end(self, session: Session, cookie: str) -> None:
        if value := self._unsigned(cookie):
            session.execute(sa.delete(MemberSession).where(MemberSession.id == _hash(value)))

    def _unsigned(self, cookie: str) -> str:
        with suppress(BadSignature):
            return self._cookies.unsign(cookie).decode()
        return ""

    def later(self, work: Callable[[], object]) -> None:
        """Run work in the background, so that the time an answer takes reveals nothing.

        Raises:
            AccountError: ``busy`` if the queue is full.
        """
        if not self._waiting.acquire(blocking=False):
            raise AccountError("busy", "The site is busy at the moment; try again in a minute.", status=503)

        def run() -> None:
            try:
                work()
            except Exception as error:  # the answer was sent; values of the request stay out of the log
                log.error("behind an answer about accounts: %s", type(error).__name__)
            finally:
                self._waiting.release()

        self._behind.submit(run)

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), dt.UTC)

    @cached_property
    def _sessions(self) -> Sessions:
        return self._open()

    @cached_property
    def _secret(self) -> bytes:
        return load_secret(self._settings)

    @cached_property
    def _salt(self) -> bytes:
        return load_salt(self._settings)

    @cached_property
    def _tokens(self) -> LinkTokens:
        return LinkTokens(self._secret, self._clock)

    @cached_property
    def _cookies(self) -> Signer:
        return Signer(self._secret, "member session", digest_method=hashlib.sha256)

    @cached_property
    def _passwords(self) -> PasswordHash:
        from pwdlib import PasswordHash

        return PasswordHash.recommended()

    @cached_property
    def _dummy(self) -> str:
        """The hash of a random password, to compare with when there is no account."""
        return self._hash_of(secrets.token_hex(32))


def browser_name(agent: str) -> str:
    """Return browser and operating system of a ``User-Agent``, such as ``Firefox on Linux``."""
    browsers = (
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrom", "Chrome"),
        ("Safari", "Safari"),
    )
    systems = (
        ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
        ("Mac OS", "macOS"), ("Linux", "Linux"),
    )  # fmt: skip
    browser = next((name for sign, name in browsers if sign in agent), "A browser")
    system = next((name for sign, name in systems if sign in agent), "")
    return f"{browser} on {system}" if system else browser


def _disabled() -> AccountError:
    return AccountError("disabled", "This account is closed. Ask the people who run this site.", status=403)


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _no_new_accounts() -> AccountError:
    return AccountError("no_new_accounts", FEATURES["sign_up"].closed, status=403)
