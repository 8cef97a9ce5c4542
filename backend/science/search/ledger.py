"""The trials of a search: their budget, their scores, and what is told about them."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backend.science.refusal import FitRefused, in_short
from backend.science.reporting import Report
from backend.science.spec import Search

# The rest is for learning once more with what was found.
SEARCH_ENDS: Final = 0.9
TrialState = Literal["running", "scored", "pruned", "failed"]
Params = Mapping[str, Any]


class Budget:
    """Trials and seconds of a fit, shared between the searches that it makes.

    The clock starts when it is made. A search that leaves time gives it to those after it.

    Parameters
    ----------
    asked
        The search.
    parts
        How many searches are to come.
    """

    def __init__(self, asked: Search, parts: int) -> None:
        if asked.trials < parts:
            raise FitRefused(
                f"{asked.trials} trials are too few for {parts} searches: "
                "one in each fold and one for the last model."
            )
        self.trials = asked.trials
        self.numbered = 0
        self._parts = parts
        self._begun = 0
        self._seconds = asked.seconds
        self._started = time.monotonic()

    def next_part(self) -> tuple[int, float | None]:
        """How many trials the next search has, and until when (monotonic seconds)."""
        self._begun += 1
        trials = self.trials // self._parts
        if self._begun == self._parts:
            trials += self.trials % self._parts
        if self._seconds is None:
            return trials, None
        return trials, self._started + self._seconds * self._begun / self._parts


@dataclass(slots=True)
class Trial:
    """One combination of parameters."""

    number: int
    params: Params
    state: TrialState = "running"
    scores: list[float] = field(default_factory=list)
    message: str | None = None
    seconds: float = 0.0

    @property
    def score(self) -> float:
        """Mean over the folds that were scored; there must be one."""
        return math.fsum(self.scores) / len(self.scores)


class Ledger:
    """What a search has tried.

    Parameters
    ----------
    budget
        Of the fit; the ledger takes the next part of it.
    greater_is_better
        Direction of the metric.
    report
        Told of each trial.
    """

    def __init__(self, budget: Budget, *, greater_is_better: bool, report: Report) -> None:
        self.trials, self._deadline = budget.next_part()
        self.done: list[Trial] = []
        self._budget = budget
        self.greater_is_better = greater_is_better
        self._report = report

    @property
    def out_of_time(self) -> bool:
        """Whether no new trial may begin; there is always one."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return late and bool(self.done)

    def open(self, params: Params) -> Trial:
        """A new trial, told as running."""
        self._budget.numbered += 1
        trial = Trial(self._budget.numbered, dict(params))
        self.done.append(trial)
        share = (len(self.done) - 1) / self.trials
        text = f"Trial {trial.number} of {self._budget.trials}"
        best = self.best()
        if best is not None:
            text += f", best {best.score:.4g}"
        self._report(SEARCH_ENDS * share, text)
        self._tell(trial)
        return trial

    def work(self, trial: Trial, measure: Callable[[], Sequence[float]]) -> bool:
        """Take the scores of a trial; what goes wrong is noted, and False answered."""
        started = time.monotonic()
        try:
            trial.scores = list(measure())
        except MemoryError:
            raise
        except Exception as error:  # one bad combination must not end the search
            known = isinstance(error, FitRefused)
            reason = str(error) if known else in_short(type(error).__name__, str(error))
            self.close(trial, "failed", reason)
            return False
        finally:
            trial.seconds += time.monotonic() - started
        return True

    def close(self, trial: Trial, state: TrialState, message: str | None = None) -> None:
        """The trial is over."""
        trial.state, trial.message = state, message
        if state == "failed":
            trial.scores = []
        self._tell(trial)

    def ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """The best first; of equals the earlier."""
        sign = -1.0 if self.greater_is_better else 1.0
        return sorted(trials, key=lambda trial: (sign * trial.score, trial.number))

    def best(self) -> Trial | None:
        """The best of those that went through."""
        scored = [trial for trial in self.done if trial.state == "scored"]
        return self.ranked(scored)[0] if scored else None

    def _tell(self, trial: Trial) -> None:
        content: dict[str, Any] = {
            "number": trial.number,
            "params": dict(trial.params),
            "state": trial.state,
        }
        if trial.scores:
            content["score"] = trial.score
            content["spread"] = statistics.stdev(trial.scores) if len(trial.scores) > 1 else None
        if trial.state != "running":
            content["seconds"] = round(trial.seconds, 3)
        if trial.message is not None:
            content["message"] = trial.message
        self._report.tell("trial", content)
