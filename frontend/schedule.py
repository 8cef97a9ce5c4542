"""Schedules in words: the usual ones as a choice, any other as a cron expression."""

import re
from dataclasses import dataclass
from datetime import time
from typing import Final, Literal

Every = Literal["hour", "day", "weekday", "week", "month"]
DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
WORKING_DAYS: Final = "1-5"
# For all months: the 29th is not in each of them.
LAST_DAY: Final = 28
_PLAIN: Final = re.compile(r"(\d{1,2}) (\d{1,2}|\*) (\d{1,2}|\*) \* (\d|1-5|\*)")


@dataclass(frozen=True)
class Schedule:
    """When something is done again and again."""

    every: Every
    at: time = time(6, 0)
    weekday: int = 1
    """0 is Sunday, as in cron."""
    day: int = 1

    def cron(self) -> str:
        """The five fields."""
        minute, hour = self.at.minute, self.at.hour
        match self.every:
            case "hour":
                return f"{minute} * * * *"
            case "day":
                return f"{minute} {hour} * * *"
            case "weekday":
                return f"{minute} {hour} * * {WORKING_DAYS}"
            case "week":
                return f"{minute} {hour} * * {self.weekday}"
            case "month":
                return f"{minute} {hour} {self.day} * *"

    def words(self) -> str:
        """In a sentence's middle."""
        at = f"{self.at:%H:%M}"
        match self.every:
            case "hour":
                return f"every hour at minute {self.at.minute}"
            case "day":
                return f"every day at {at}"
            case "weekday":
                return f"Monday to Friday at {at}"
            case "week":
                return f"every {DAYS[self.weekday]} at {at}"
            case "month":
                return f"on day {self.day} of every month at {at}"


def read_cron(cron: str) -> Schedule | None:
    """The usual schedule that a cron expression stands for; None for any other."""
    found = _PLAIN.fullmatch(" ".join(cron.split()))
    if found is None:
        return None
    minute, hour, day, weekday = found.groups()
    if int(minute) > 59 or (hour != "*" and int(hour) > 23):
        return None
    if hour == "*":
        return Schedule("hour", time(0, int(minute))) if (day, weekday) == ("*", "*") else None
    return _read_days(time(int(hour), int(minute)), day, weekday)


def _read_days(at: time, day: str, weekday: str) -> Schedule | None:
    if day == "*":
        if weekday == "*":
            return Schedule("day", at)
        if weekday == WORKING_DAYS:
            return Schedule("weekday", at)
        return Schedule("week", at, weekday=int(weekday) % len(DAYS))
    if weekday == "*" and 1 <= int(day) <= LAST_DAY:
        return Schedule("month", at, day=int(day))
    return None


def in_words(cron: str) -> str:
    """A cron expression as a person says it, where it is a usual one."""
    schedule = read_cron(cron)
    return f"by cron {cron}" if schedule is None else schedule.words()
