"""What a search may try: values and ranges of parameters. Importable without scikit-learn."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.science.estimator_spec import EstimatorSpec
from backend.science.spec import FitSpec, Group, KFold, Repeated, Search, TimeSeries

FEWEST_POINTS: Final = 2
MOST_POINTS: Final = 5
MOST_VALUES: Final = 1_000
# A finite space is soon tried out; then draws give nothing new.
DRAWS_PER_CANDIDATE: Final = 20
PER_ROW: Final = "a search for each row would take too long; choose kfold or holdout"
Params = dict[str, Any]
Problem = tuple[tuple[str | int, ...], str]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _AskedRange(_Asked):
    low: int | float
    high: int | float
    log: bool = False


class _AskedValues(_Asked):
    values: list[Any] = Field(min_length=1, max_length=MOST_VALUES)


@dataclass(frozen=True, slots=True)
class Values:
    """A parameter that takes one of some values."""

    values: tuple[Any, ...]

    def draw(self, generator: random.Random) -> Any:
        """One of them at random."""
        return generator.choice(self.values)

    def points(self, _most: int) -> Sequence[Any]:
        """All of them."""
        return self.values


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two bounds, both included; `log` spreads the tries over magnitudes."""

    low: float
    high: float
    log: bool
    whole: bool

    def draw(self, generator: random.Random) -> Any:
        """A value at random."""
        return self._at(generator.random())

    def points(self, most: int) -> Sequence[Any]:
        """Values at even distances, so many or fewer where whole numbers meet."""
        found = [self._at(step / (most - 1)) for step in range(most)]
        return list(dict.fromkeys(found))

    def _at(self, share: float) -> int | float:
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp(low + share * (high - low))
        else:
            value = self.low + share * (self.high - self.low)
        # Rounding must not lead out of the bounds.
        inside = min(max(value, self.low), self.high)
        return round(inside) if self.whole else float(inside)


Space = Mapping[str, Values | Range]


def read_space(estimator: EstimatorSpec, search: Search) -> Space:
    """The dimensions that are searched; what was asked must have passed `check_search`.

    Parameters
    ----------
    estimator, search
        Without a space of its own, the search takes the usual one of the estimator.
    """
    asked = estimator.search_space if search.space is None else search.space
    kinds = _kinds(estimator)
    return {name: _dimension(entry, kinds[name]) for name, entry in asked.items()}


def parts_of(spec: FitSpec) -> int:
    """How many searches a fit makes: one, or one for each outer fold and one for the last model.

    Parameters
    ----------
    spec
        Of the fit.
    """
    validation = spec.validation
    if isinstance(validation, Repeated):
        return validation.folds * validation.repeats + 1
    if isinstance(validation, KFold | Group | TimeSeries):
        return validation.folds + 1
    return 1


def check_search(estimator: EstimatorSpec, spec: FitSpec) -> list[Problem]:
    """What is wrong with a search, as (place in the request, what is wrong); empty when nothing is.

    Parameters
    ----------
    estimator, spec
        The request; a spec without a search is right.
    """
    search = spec.search
    if search is None:
        return []
    if estimator.data != "table":
        return [(("search",), "a search is offered for tables only")]
    if spec.validation.kind == "leave_one_out":
        return [(("search",), PER_ROW)]
    problems = check_space(estimator, search)
    return problems or _check_budget(estimator, search, parts_of(spec))


def check_reused(estimator: EstimatorSpec, spec: FitSpec, folds: int) -> list[Problem]:
    """What is wrong with a search over the folds of another fit; as `check_search`.

    Parameters
    ----------
    estimator, spec
        The request; what `check_search` refuses is not told again.
    folds
        How many the other fit has; none where each is a single row.
    """
    if spec.search is None:
        return []
    if folds == 0:
        return [(("search",), PER_ROW)]
    return _check_budget(estimator, spec.search, 1 if folds == 1 else folds + 1)


def check_space(estimator: EstimatorSpec, search: Search) -> list[Problem]:
    """What is wrong with the space alone.

    Parameters
    ----------
    estimator, search
        The request.
    """
    if search.space is None:
        if not estimator.search_space:
            told = f"{estimator.title} has no usual ranges; say in `space` what to try"
            return [(("search", "space"), told)]
        return []
    if not search.space:
        return [(("search", "space"), "name at least one parameter, or leave the space out")]
    properties = estimator.Params.model_json_schema().get("properties", {})
    known = [name for name, entry in properties.items() if entry.get("searchable", True)]
    problems: list[Problem] = []
    for name, asked in search.space.items():
        place = ("search", "space", name)
        if name not in known:
            what = (
                f"{name!r} says what is estimated, which no score can choose"
                if name in properties
                else f"{estimator.title} has no parameter {name!r}"
            )
            problems.append((place, f"{what}; known are {', '.join(known)}"))
            continue
        problems += [((*place, *where), msg) for where, msg in _check_entry(estimator, name, asked)]
    return problems


def _check_entry(estimator: EstimatorSpec, name: str, asked: Any) -> list[Problem]:
    form = _AskedValues if isinstance(asked, list) or _has_values(asked) else _AskedRange
    content = {"values": asked} if isinstance(asked, list) else asked
    if not isinstance(content, dict):
        return [((), "give a list of values, or a range {low, high, log}")]
    try:
        checked = form.model_validate(content)
    except ValidationError as error:
        told = error.errors(include_url=False)
        return [(tuple(entry["loc"]), entry["msg"]) for entry in told]
    if isinstance(checked, _AskedValues):
        return _check_values(estimator, name, checked, in_list=isinstance(asked, list))
    return _check_range(estimator, name, checked)


def _has_values(asked: Any) -> bool:
    return isinstance(asked, dict) and "values" in asked


def _check_values(
    estimator: EstimatorSpec, name: str, asked: _AskedValues, *, in_list: bool
) -> list[Problem]:
    head: tuple[str, ...] = () if in_list else ("values",)
    problems: list[Problem] = []
    for position, value in enumerate(asked.values):
        wrong = _wrong_value(estimator, name, value)
        if wrong is not None:
            problems.append(((*head, position), wrong))
    # 1 and True are equal, but not the same value of a parameter.
    if len({repr(value) for value in asked.values}) < len(asked.values):
        problems.append((head, "a value stands twice"))
    return problems


def _check_range(estimator: EstimatorSpec, name: str, asked: _AskedRange) -> list[Problem]:
    kind = _kinds(estimator)[name]
    if kind is None:
        return [((), "this parameter is no number: give a list of values")]
    bounds = (("low", asked.low), ("high", asked.high))
    wrong = [((where,), _wrong_value(estimator, name, value)) for where, value in bounds]
    problems: list[Problem] = [(place, msg) for place, msg in wrong if msg is not None]
    if asked.low >= asked.high:
        problems.append((("high",), f"must be greater than low, which is {asked.low}"))
    if asked.log and asked.low <= 0:
        problems.append((("low",), "must be greater than 0 for a range over magnitudes (log)"))
    return problems


def _wrong_value(estimator: EstimatorSpec, name: str, value: Any) -> str | None:
    """Why the parameter cannot have this value; combinations with others show in the trial."""
    try:
        estimator.Params.model_validate({name: value})
    except ValidationError as error:
        told = [entry["msg"] for entry in error.errors() if entry["loc"][:1] == (name,)]
        return told[0] if told else None
    return None


def _check_budget(estimator: EstimatorSpec, search: Search, parts: int) -> list[Problem]:
    """Each of the searches needs its share of the trials."""
    among = "" if parts == 1 else f", for each of {parts} searches (outer folds and last model)"
    if search.trials < parts:
        told = f"must be at least {parts}: one trial{among}"
        return [(("search", "trials"), told)]
    if search.kind != "grid":
        return []
    count = grid_size(read_space(estimator, search), search.trials // parts)
    if count * parts > search.trials:
        told = (
            f"the grid has {count:,} combinations{among}; "
            f"at most {search.trials:,} trials are allowed. Raise them, or give fewer values"
        )
        return [(("search", "trials"), told)]
    return []


def grid_size(space: Space, trials: int) -> int:
    """How many combinations the grid has.

    Parameters
    ----------
    space, trials
        Ranges are cut more coarsely where there are few trials.
    """
    points = _points(space, trials)
    sizes = [len(dimension.points(points)) for dimension in space.values()]
    return math.prod(sizes)


def grid(space: Space, trials: int) -> Iterator[Params]:
    """All combinations, with ranges cut into two to five points.

    Parameters
    ----------
    space, trials
        See `grid_size`.
    """
    points = _points(space, trials)
    for values in product(*(dimension.points(points) for dimension in space.values())):
        yield dict(zip(space, values, strict=True))


def _points(space: Space, trials: int) -> int:
    """Points of each range, so that the grid goes into the trials where that is possible."""
    ranges = [name for name, dimension in space.items() if isinstance(dimension, Range)]
    if not ranges:
        return FEWEST_POINTS
    chosen = math.prod(len(d.values) for d in space.values() if isinstance(d, Values))
    # A hair more: the cube root of 27 is not to be 2.
    root: float = max(1.0, trials / chosen) ** (1 / len(ranges))
    room = math.floor(root + 1e-9)
    return min(max(room, FEWEST_POINTS), MOST_POINTS)


def draws(space: Space, count: int, seed: int) -> Iterator[Params]:
    """Different random combinations; fewer than asked for where the space has no more.

    Parameters
    ----------
    space, count, seed
        The same seed gives the same combinations in the same order.
    """
    generator = random.Random(seed)  # noqa: S311  # no secret depends on it
    seen: set[str] = set()
    for _ in range(count * DRAWS_PER_CANDIDATE):
        params = {name: dimension.draw(generator) for name, dimension in space.items()}
        if repr(params) not in seen:
            seen.add(repr(params))
            yield params
        if len(seen) == count:
            return


def _kinds(estimator: EstimatorSpec) -> dict[str, type[int] | type[float] | None]:
    """Each parameter's kind of number; None for what is no number."""
    properties = estimator.Params.model_json_schema().get("properties", {})
    return {name: _kind(entry) for name, entry in properties.items()}


def _kind(entry: Mapping[str, Any]) -> type[int] | type[float] | None:
    types = {part.get("type") for part in (entry, *entry.get("anyOf", ()))}
    if "number" in types:
        return float
    return int if "integer" in types else None


def _dimension(asked: Any, kind: type[int] | type[float] | None) -> Values | Range:
    if isinstance(asked, list):
        return Values(tuple(asked))
    if "values" in asked:
        return Values(tuple(asked["values"]))
    whole = kind is int
    return Range(asked["low"], asked["high"], bool(asked.get("log", False)), whole)
