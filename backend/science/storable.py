"""What text a database and a file can hold; needs no library, so everybody may ask."""


def storable(value: object) -> object:
    """The value itself; a text with U+0000 or half of a surrogate pair is refused.

    Parameters
    ----------
    value
        Anything; only texts are looked at.

    Raises
    ------
    ValueError
        The text cannot be stored.
    """
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("text may not contain the character U+0000")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("text contains an unpaired surrogate") from None
    return value
