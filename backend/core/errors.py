"""Domain errors; the docstring is the default title.

AppError
├── Unauthenticated            401
│   └── CredentialsRejected    401
├── Forbidden                  403
│   ├── ScopeTooLow            403
│   └── PersonRequired         403
├── NotFound                   404
│   └── Absent                 404
├── Conflict                   409
├── PreconditionFailed         412
├── TooLarge                   413
├── UnsupportedMediaType       415
├── Unprocessable              422
├── TooManyRequests            429
└── Unavailable                503
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypedDict


class FieldProblem(TypedDict):
    """One entry of a 422's `errors`, in the shape of FastAPI's own."""

    loc: Sequence[str | int]
    msg: str
    type: str


class AppError(Exception):
    """Something went wrong"""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    # A refused sign-in must still count: its attempt is kept though the request fails.
    keeps_changes: ClassVar[bool] = False
    # Somebody asked for what is not theirs; absent and not theirs cannot be told apart.
    is_denial: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.problem_code = code or self.code

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes; their constructors differ, their content does not."""
        return _restored, (type(self), self.args, self.__dict__)

    @property
    def title(self) -> str:
        return (type(self).__doc__ or "").partition("\n")[0]


def _restored(kind: type[AppError], args: tuple[Any, ...], content: dict[str, Any]) -> AppError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(content)
    return error


class Unauthenticated(AppError):
    """You are not signed in"""

    status = 401
    code = "unauthenticated"

    def __init__(self, detail: str = "Sign in, or send a valid access token.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class CredentialsRejected(Unauthenticated):
    """These credentials were not accepted"""

    code = "credentials_rejected"
    keeps_changes = True


class Forbidden(AppError):
    """Your role does not allow this"""

    status = 403
    code = "forbidden"
    is_denial = True


class ScopeTooLow(Forbidden):
    """This token may not be used for that"""

    code = "scope_too_low"


class PersonRequired(Forbidden):
    """A token cannot do this"""

    code = "person_required"


class NotFound(AppError):
    """There is no such thing, or it is not shared with you"""

    status = 404
    code = "not_found"
    is_denial = True


class Absent(NotFound):
    """There is no such thing"""

    # It would be nobody's own, or part of something that the caller sees.
    is_denial = False


class Conflict(AppError):
    """This conflicts with the present state"""

    status = 409
    code = "conflict"


class PreconditionFailed(AppError):
    """Somebody changed this in the meantime"""

    status = 412
    code = "precondition_failed"


class TooLarge(AppError):
    """This is larger than allowed"""

    status = 413
    code = "too_large"


class UnsupportedMediaType(AppError):
    """This format is not accepted"""

    status = 415
    code = "unsupported_media_type"


class Unprocessable(AppError):
    """The input is not valid"""

    status = 422
    code = "unprocessable"


class TooManyRequests(AppError):
    """Too many tries"""

    status = 429
    code = "too_many_requests"


class Unavailable(AppError):
    """This is not available at the moment"""

    status = 503
    code = "unavailable"

    def __init__(self, detail: str, *, retry_after: int = 5, code: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)}, code=code)


def field_error(*loc: str | int, msg: str, kind: str = "value_error") -> Unprocessable:
    """A 422 about one field of the body."""
    problem = FieldProblem(loc=["body", *loc], msg=msg, type=kind)
    return Unprocessable(msg, errors=[problem])
