"""People as a provider describes them, for the tests of whose account they get."""

from typing import Any, Final

from backend.accounts.oidc_provider import Person
from backend.accounts.user_repository import WaysIn
from backend.settings import OidcSettings

ISSUER: Final = "https://provider.example"
OIDC: Final = OidcSettings(issuer=ISSUER, client_id="goodfit-lab")
WAYS: Final = WaysIn(by_password=True, issuer=ISSUER)


def person(subject: str, email: str | None = None, **more: Any) -> Person:
    said = {
        "issuer": ISSUER,
        "email_verified": email is not None,
        "preferred_name": "",
        "display_name": "",
        "groups": frozenset(),
    }
    return Person(subject=subject, email=email, **{**said, **more})
