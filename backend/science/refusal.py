"""When a fit cannot be done and its owner can change that."""


class FitRefused(ValueError):
    """The data or the request do not allow this fit.

    Attributes
    ----------
    column
        Name of the column that is to blame, where one is.
    """

    is_refusal = True

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column
