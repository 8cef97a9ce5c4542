"""Text that a spreadsheet would run as a formula.

Reference: OWASP, CSV Injection.
"""

import re
from typing import Final

FORMULA: Final = r"^[=+\-@\t\r]"
NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def safe_text(text: str) -> str:
    """The text, with an apostrophe before it where it begins like a formula and is no number."""
    risky = re.match(FORMULA, text) is not None and re.fullmatch(NUMBER, text) is None
    return f"'{text}" if risky else text
