"""What the roles and scopes allow, in words."""

from typing import Final

ROLES: Final = {
    "viewer": "looks at what is shared",
    "member": "uploads, fits and registers",
    "admin": "also runs the platform, and sees everything",
}
SCOPES: Final = {
    "predict": "ask models for predictions, nothing else",
    "read": "read all that its owner may read, and predict",
    "write": "change all that its owner may change",
}


def role_in_words(role: str) -> str:
    """As an option of a select box."""
    return f"{role}: {ROLES[role]}"


def scope_in_words(scope: str) -> str:
    """As an option of a select box."""
    return f"{scope}: {SCOPES[scope]}"
