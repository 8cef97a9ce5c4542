"""Moments as the reader's clock shows them."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def reader_zone() -> tzinfo:
    """The browser's time zone."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def day_and_time(moment: datetime) -> str:
    """As "28 November 2026, 17:20"."""
    return f"{moment.astimezone(reader_zone()):%-d %B %Y, %H:%M}"
