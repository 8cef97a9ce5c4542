"""Is this stream a text at all? Checked while it passes; needs no library."""

import codecs


class TableProblem(ValueError):
    """The file is not a table; says where.

    Attributes
    ----------
    line
        1-based line of the file, where one line is to blame.
    column
        Name of the column, where one is to blame.
    """

    def __init__(self, message: str, *, line: int | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class TextCheck:
    """Checks a byte stream for UTF-8 and NUL while it passes, without keeping it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._lines = 0
        self._bytes = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        """Take the next bytes.

        Raises
        ------
        TableProblem
            At the first NUL or the first byte that is not UTF-8, with its line.
        """
        pending = len(self._decoder.getstate()[0])
        nul = chunk.find(b"\x00")
        try:
            self._decoder.decode(chunk if nul < 0 else chunk[:nul], final)
        except UnicodeDecodeError as error:
            line = self._lines + chunk.count(b"\n", 0, max(0, error.start - pending)) + 1
            position = self._bytes - pending + error.start + 1
            raise TableProblem(
                f"The file is not UTF-8 (line {line:,}, byte {position:,}). Save it as UTF-8.",
                line=line,
            ) from None
        if nul >= 0:
            line = self._lines + chunk.count(b"\n", 0, nul) + 1
            raise TableProblem(
                f"Line {line:,} contains a NUL byte, so this is not a text file.", line=line
            )
        self._lines += chunk.count(b"\n")
        self._bytes += len(chunk)
