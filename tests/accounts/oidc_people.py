"""People as a provider describes them, for the tests of whose account they get."""

from typing import Any, Final

from backend.accounts.oidc_provider import Person
from backend.settings import OidcSettings

ISSUER: Final = "https://provider.example"
OIDC: Final = OidcSettings(issuer=ISSUER, client_id="goodfit-lab")


def person(subject: str, email: str | None = None, **more: Any) -> Person:
    said = {
        "issuer": ISSUER,
        "email_verified": email is not None,
        "preferred_name": "",
        "display_name": "",
        "groups": frozenset(),
    }
    return Person(subject=subject, email=email, **{**said, **more})
