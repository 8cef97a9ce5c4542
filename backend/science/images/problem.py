"""What is wrong with an image or an archive of images; needs no library."""


class ImageProblem(ValueError):
    """The file cannot be used; says why and where.

    Attributes
    ----------
    entry
        1-based number of the archive's entry that is to blame, where one is.
    line
        1-based line of the labels that is to blame, where one is.
    """

    def __init__(self, message: str, *, entry: int | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.entry = entry
        self.line = line
