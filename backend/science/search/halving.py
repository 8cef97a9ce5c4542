"""Successive halving: many combinations on few rows, the best third of them on three times more.

Jamieson, Talwalkar (2016), AISTATS 51.
"""

import math
from collections.abc import Iterable
from functools import partial
from typing import Final

from backend.science.search.bench import Bench
from backend.science.search.ledger import Ledger, Params, Trial

FACTOR: Final = 3
# Fewer rows tell too little to drop anything.
FEWEST_ROWS: Final = 60


def rounds(candidates: int, rows: int) -> list[float]:
    """Shares of the rows in each round; the last is 1.

    Parameters
    ----------
    candidates
        How many combinations there are.
    rows
        How many rows there are to learn from.
    """
    by_candidates = math.floor(math.log(max(candidates, 1), FACTOR) + 1e-9)
    by_rows = math.floor(math.log(max(rows / FEWEST_ROWS, 1.0), FACTOR) + 1e-9)
    last = min(by_candidates, by_rows)
    return [float(FACTOR) ** (step - last) for step in range(last + 1)]


def halve(candidates: Iterable[Params], bench: Bench, ledger: Ledger) -> None:
    """Try all on a share of the rows, and the best ones again on more.

    Parameters
    ----------
    candidates, bench, ledger
        What to try, where it is scored, and where it is noted.
    """
    waiting = list(candidates)
    shares = rounds(len(waiting), bench.fewest_rows)
    alive: list[Trial] = []
    for params in waiting:
        if ledger.out_of_time:
            break
        trial = ledger.open(params)
        if ledger.work(trial, partial(bench.scores, params, shares[0])):
            alive.append(trial)
    for share, following in zip(shares, [*shares[1:], None], strict=True):
        rows = math.ceil(bench.fewest_rows * share)
        ranked = ledger.ranked(alive)
        if following is None or ledger.out_of_time:
            _finish(ledger, ranked, None if share == 1.0 else f"Scored by {rows:,} rows only")
            return
        kept = math.ceil(len(ranked) / FACTOR)
        for trial in ranked[kept:]:
            ledger.close(trial, "pruned", f"Dropped after learning from {rows:,} rows")
        alive = _again(ranked[:kept], following, bench, ledger)


def _again(trials: list[Trial], share: float, bench: Bench, ledger: Ledger) -> list[Trial]:
    return [
        trial for trial in trials if ledger.work(trial, partial(bench.scores, trial.params, share))
    ]


def _finish(ledger: Ledger, trials: list[Trial], message: str | None) -> None:
    for trial in trials:
        ledger.close(trial, "scored", message)
