"""``python -m localhub``: serve a folder as a Hub, and collect its garbage once a day."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from contextlib import closing
from pathlib import Path

from localhub.embedded import DEFAULT_PORT, serve_folder
from localhub.errors import LocalHubError
from localhub.maintenance import GRACE, collect_garbage
from localhub.store import HubStore

log = logging.getLogger("localhub")

_SECRET = "LOCALHUB_WEBHOOK_SECRET"


def main(words: list[str] | None = None) -> int:
    """Run the command; return its exit status: 2 if an option or the folder is unusable, 130 after Ctrl-C."""
    asked = _parser().parse_args(words)
    logging.basicConfig(format="%(name)s: %(message)s")
    try:
        root = asked.root.expanduser()
    except RuntimeError:
        print(
            f"localhub: {asked.root}: this user has no home directory; name a folder in full", file=sys.stderr
        )
        return 2
    threading.Thread(target=_collect_daily, args=(root,), daemon=True).start()
    try:
        serve_folder(
            root,
            host=asked.host,
            port=asked.port,
            token_file=asked.token_file,
            anonymous=asked.anonymous,
            webhooks=asked.webhook,
            webhook_secret=os.environ.get(asked.webhook_secret_env, ""),
        )
    except LocalHubError as error:
        print(f"localhub: {error.message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m localhub",
        description="Serve the repos of a folder to huggingface_hub, datasets and hf; stop it with Ctrl-C.",
        epilog="Clients need HF_ENDPOINT, and HF_HUB_DISABLE_XET=1 to upload large or binary files.",
    )
    add = parser.add_argument
    add("--root", type=Path, default=Path("~/.localhub"), help="folder of the repos (%(default)s)")
    add("--port", type=int, default=DEFAULT_PORT, help="port to listen on (%(default)s)")
    add("--host", default="127.0.0.1", help="address to listen on; other than this machine's it needs tokens")
    add("--token-file", type=Path, help="lines of JSON with name, role (read or write) and secret")
    add(
        "--anonymous",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="with tokens: whether callers without one may read repos that are not private",
    )
    add("--webhook", action="append", default=[], help="address to call after every push; may be repeated")
    add(
        "--webhook-secret-env",
        default=_SECRET,
        metavar="NAME",
        help="environment variable with the secret sent along as X-Webhook-Secret (%(default)s)",
    )
    return parser


def _collect_daily(root: Path) -> None:
    while True:
        try:
            with closing(HubStore(root)) as store:
                collect_garbage(store)
        except LocalHubError as error:
            log.warning("%s", error.message)
        except Exception:
            # Whatever was wrong may be right tomorrow; an exception would end this thread for good.
            log.exception("The collection of garbage failed")
        threading.Event().wait(GRACE)


if __name__ == "__main__":
    sys.exit(main())
