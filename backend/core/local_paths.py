"""Addresses that people are sent to after signing in: never another host."""

from urllib.parse import quote, urlsplit


def local_path(wanted: str, *, apart_from: str) -> str:
    """The wanted path if it stays on this host and is none below `apart_from`, else `/`."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    is_local = (
        wanted.startswith("/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and wanted.isprintable()
        and not parts.scheme
        and not parts.netloc
        and not parts.path.startswith(apart_from)
    )
    return quote(wanted, safe="/?#&=%:@!$'()*+,;~[]-._") if is_local else "/"
