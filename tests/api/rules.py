"""Who may call a route, as one rule per route; `routes.py` says which.

Callers, beside the anonymous one and two whose sign-in does not hold any more:

=========  ===============================================================
stranger   a member of the platform, and not of the project
reader     reads only, on the whole platform; a viewer of the project
viewer     a member of the platform; a viewer of the project
editor     an editor of the project
owner      the owner of the project
admin      an administrator, who is no member of it
machine    a token of the administrator that may write
read       a token of the owner that may read
predict    a token of the owner that may predict
limited    a token of the owner that may write in the project
other      a token of the owner that may write in another project
=========  ===============================================================
"""

from enum import Enum, unique
from typing import Final

OK: Final = 0
CALLERS: Final = (
    *("stranger", "reader", "viewer", "editor", "owner", "admin", "machine"),
    *("read", "predict", "limited", "other"),
)
# Whose sign-in or token was good once.
GONE: Final = ("disabled", "expired", "revoked")


@unique
class Rule(Enum):
    """What the callers are answered, in the order of CALLERS; OK is none of 401, 403, 404."""

    READ = (404, OK, OK, OK, OK, OK, OK, OK, 403, OK, 404)
    PREDICT = (404, OK, OK, OK, OK, OK, OK, OK, OK, OK, 404)
    WRITE = (404, 403, 403, OK, OK, OK, OK, 403, 403, OK, 404)
    GOVERN = (404, 403, 403, 403, OK, OK, OK, 403, 403, OK, 404)
    # Their own list, profile or history; not one that needs a project.
    OWN = (OK, OK, OK, OK, OK, OK, OK, OK, 403, OK, OK)
    # Only who signed in, about themselves.
    PERSON = (OK, OK, OK, OK, OK, OK, 403, 403, 403, 403, 403)
    # What only the owner has, as a person.
    PERSONAL = (404, 404, 404, 404, OK, 404, 403, 403, 403, 403, 403)
    CREATE = (OK, 403, OK, OK, OK, OK, OK, 403, 403, 403, 403)
    ADMIN = (403, 403, 403, 403, 403, OK, OK, 403, 403, 403, 403)
    ADMIN_PERSON = (403, 403, 403, 403, 403, OK, 403, 403, 403, 403, 403)
    # Only the platform's own processes, with the service key.
    INTERNAL = (401,) * 11
    # No sign-in needed; what is sent may still be refused.
    PUBLIC = (OK,) * 11

    def __init__(self, *answers: int) -> None:
        self.answers = dict(zip(CALLERS, answers, strict=True))
