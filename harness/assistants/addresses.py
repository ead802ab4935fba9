"""Where secrets may go: what is sent with a key is encrypted, stays on this machine, or goes to a host the user trusts."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from harness.errors import CredentialsError
from harness.suites.request import header_variables
from harness.suites.suite import AssistantSpec


def host_of(url: str | None) -> str | None:
    """Return the host of an address, in lower case."""
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:
        return None


def is_loopback(url: str | None) -> bool:
    """Whether an address is on this machine."""
    host = host_of(url)
    if host is None:
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_plain(url: str, *, trusted: Collection[str], secret: str) -> None:
    """Refuse to send a secret where anybody on the way can read it.

    Args:
        url: Where it would go.
        trusted: Hosts of `trusted_hosts`.
        secret: How a message names it.

    Raises:
        CredentialsError: The address is plain http://, on another machine, and not trusted.
    """
    if url.startswith("http://") and not is_loopback(url) and host_of(url) not in trusted:
        raise CredentialsError(
            f"{secret} would go to {host_of(url)} over http://, readable on the way. Use https://, or name the host in "
            "`trusted_hosts` of [tool.harness]."
        )


def check_headers(spec: AssistantSpec, environ: Mapping[str, str], trusted: Collection[str]) -> None:
    """Look up everything that the headers of an `api: http` assistant need.

    Raises:
        CredentialsError: A variable is not set, or would go where it should not.
    """
    for name, header in header_variables(spec.headers).items():
        if not environ.get(name):
            raise CredentialsError(
                f"the environment variable {name} is not set; the header '{header}' for {host_of(spec.url)} needs it, "
                "and recording needs the header; replay does not"
            )
        refuse_plain(spec.url or "", trusted=trusted, secret=f"the value of {name} (header '{header}')")
