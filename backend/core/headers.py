"""Headers that tell a browser what our answers may not do."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# An answer of the API is data; nothing in it may load, run or be framed.
DATA_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PERMISSIONS_POLICY: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
# Two years, as the preload lists ask for; other names below the domain are not ours to decide on.
TRANSPORT_SECURITY: Final = "max-age=63072000"


def security_headers(
    public_url: str, *, content_policy: str | None = DATA_POLICY
) -> Mapping[str, str]:
    """What every answer carries; browsers keep to HTTPS where the public address has it."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": PERMISSIONS_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if content_policy is not None:
        headers["Content-Security-Policy"] = content_policy
    if public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = TRANSPORT_SECURITY
    return MappingProxyType(headers)
