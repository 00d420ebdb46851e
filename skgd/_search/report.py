"""What is said about the fits of a search: which failed, and which fell short."""

from __future__ import annotations

from collections.abc import Sequence
from traceback import format_exception_only

from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from skgd._search.candidates import Candidate
from skgd._search.fits import Failure, Model
from skgd._warn import warn

# A message shows so many candidates, and the error of each on one split.
_MOST_SHOWN = 3


def raise_or_warn_of_failures(
    candidates: Sequence[Candidate],
    fits: Sequence[Sequence[Model | Failure]],
    error_score: float | str,
) -> None:
    """Raise if all fits failed, and warn if some did.

    Parameters
    ----------
    candidates : sequence of Candidate
        The candidates.
    fits : sequence of sequences of Model or callable
        What became of each of them, split by split.
    error_score : float or "raise"
        What those that failed are scored.
    """
    failures = {
        number: [fit for fit in of_candidate if not isinstance(fit, Model)]
        for number, of_candidate in enumerate(zip(*fits, strict=True))
    }
    failures = {number: failed for number, failed in failures.items() if failed}
    if not failures:
        return
    n_failed, n_fits = sum(map(len, failures.values())), len(candidates) * len(fits)
    shown = "".join(
        f"\n{_described(candidates[number])} on {len(failed)} of {len(fits)} splits, "
        f"first by {_in_words(failed[0])}"
        for number, failed in list(failures.items())[:_MOST_SHOWN]
    )
    if len(failures) > _MOST_SHOWN:
        shown += f"\nand {_others(len(failures) - _MOST_SHOWN)}."
    how = "error_score='raise' raises the first of these errors."
    if n_failed == n_fits:
        raise ValueError(f"All the {n_fits} fits failed; {how} These failed:{shown}")
    warn(
        f"{n_failed} fits failed out of a total of {n_fits}, and are scored "
        f"error_score={error_score}; {how} These failed:{shown}",
        FitFailedWarning,
    )


def warn_of_short_fits(
    candidates: Sequence[Candidate], fits: Sequence[Sequence[Model | Failure]]
) -> None:
    """Warn if any fits used up their epochs."""
    short = [
        number
        for of_split in fits
        for number, fit in enumerate(of_split)
        if isinstance(fit, Model) and not fit.converged
    ]
    if not short:
        return
    numbers = sorted(set(short))
    settings = candidates[numbers[0]].settings
    assert settings is not None
    others = f" and {_others(len(numbers) - 1)}" if len(numbers) > 1 else ""
    faster = "" if settings.has_auto_rate else ", or use learning_rate='auto'"
    warn(
        f"{len(short)} of {len(candidates) * len(fits)} fits used up max_iter epochs "
        f"before they reached tol, and are scored where they stood: those of "
        f"{_described(candidates[numbers[0]])} (max_iter={settings.max_iter}, "
        f"tol={settings.tol:g}){others}. Increase max_iter or tol{faster}; with "
        "tol=None all epochs are run, without this warning.",
        ConvergenceWarning,
    )


def _others(number: int) -> str:
    """Return how many other candidates there are, in words."""
    return f"{number} other candidate{'s' if number > 1 else ''}"


def _described(candidate: Candidate) -> str:
    """Return the parameters of a candidate, as they are written in a call."""
    parameters = candidate.parameters.items()
    return ", ".join(f"{name}={value!r}" for name, value in parameters) or "defaults"


def _in_words(failure: Failure) -> str:
    """Return the last lines of a traceback."""
    return "".join(format_exception_only(failure())).strip()
