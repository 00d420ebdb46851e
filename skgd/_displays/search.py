"""Scores of a search against one of its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.validation import check_is_fitted

from skgd._displays._matplotlib import (
    MINIMUM_COLOR,
    MOST_LINES,
    Style,
    axes_or_new,
    line_styles,
    python_number,
    require_matplotlib,
)
from skgd._regressor import GDLinearRegressor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

# Where the largest value is more than so many times the least, the axis is logarithmic.
_MOST_OF_A_LINEAR_AXIS = 10

# Points differ in shape, where there are no lines to differ in dashes.
_MARKERS = "osD^vP"

# What a label shows of a value: arrays are long.
_MOST_LETTERS = 24

_WORDS_OF_SCORES = {
    "r2": "R²",
    "neg_mean_squared_error": "negative mean squared error",
    "neg_root_mean_squared_error": "negative root mean squared error",
}


class SearchDisplay:
    """Scores of a search against one parameter.

    It shows the mean test scores, a band of one standard deviation over the splits
    above and below them, and a star at the best candidate. Use :meth:`from_estimator`
    to create a display. All parameters are stored as attributes.

    Parameters
    ----------
    param : str
        Name of the parameter.
    values : list of ndarray
        For each line, values of the parameter, ascending: numbers, or indices of
        `categories`.
    mean_scores, std_scores : list of ndarray
        For each line, the mean and the standard deviation of the test scores at each
        value.
    names : list of str or None
        For each line, its name in the legend.
    best : tuple of (float, float) or None, default=None
        Value and mean score of the best candidate. None if there is none, or if it is
        the best by another score.
    categories : list of str or None, default=None
        Values of the parameter, if they are not numbers.
    joined : bool, default=True
        Whether to join the scores by a line, with a band. If False, they are points
        with bars.
    score_name : str, default="score"
        Name of the score.
    n_splits : int or None, default=None
        Number of splits over which the means are taken.
    n_candidates, n_without_score : int, default=0
        Number of candidates, and of those without a finite score, which are not drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the scores.
    figure_ : matplotlib Figure
        Figure with the scores.
    line_ : list of matplotlib Line2D
        The lines of the mean scores.
    band_ : list of matplotlib PolyCollection or ErrorbarContainer
        The standard deviations, as bands or bars; empty if they are not drawn.
    best_ : matplotlib Line2D or None
        The star at the best candidate.

    See Also
    --------
    sklearn.model_selection.ValidationCurveDisplay : Fits and plots one parameter.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDLinearRegressorCV, SearchDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [1e-4, 1e-3, 1e-2, 1e-1], "l1_ratio": [0.0, 1.0]}
    >>> search = GDLinearRegressorCV(param_grid=grid).fit(X, y)
    >>> display = SearchDisplay.from_estimator(search)
    >>> display.param, display.names
    ('alpha', ['l1_ratio=0.0', 'l1_ratio=1.0'])
    >>> plt.close(display.figure_)
    """

    ax_: Axes
    figure_: Figure | SubFigure
    line_: list[Line2D]
    band_: list[PolyCollection | ErrorbarContainer]
    best_: Line2D | None

    def __init__(
        self,
        *,
        param: str,
        values: list[np.ndarray],
        mean_scores: list[np.ndarray],
        std_scores: list[np.ndarray],
        names: list[str | None],
        best: tuple[float, float] | None = None,
        categories: list[str] | None = None,
        joined: bool = True,
        score_name: str = "score",
        n_splits: int | None = None,
        n_candidates: int = 0,
        n_without_score: int = 0,
    ) -> None:
        self.param = param
        self.values = values
        self.mean_scores = mean_scores
        self.std_scores = std_scores
        self.names = names
        self.best = best
        self.categories = categories
        self.joined = joined
        self.score_name = score_name
        self.n_splits = n_splits
        self.n_candidates = n_candidates
        self.n_without_score = n_without_score

    @classmethod
    def from_estimator(
        cls,
        search: BaseSearchCV,
        *,
        param: str | None = None,
        score_name: str | None = None,
        ax: Axes | None = None,
        std_display_style: Literal["fill_between", "errorbar"] | None = "fill_between",
        line_kwargs: Style | Sequence[Style] | None = None,
    ) -> SearchDisplay:
        """Plot the test scores of a fitted search against one parameter.

        There is a line for each combination of the other parameters, if there are at
        most six. If there are more, the best candidate at each value is drawn, and the
        legend says so. If no two candidates share a value, as in a random search, the
        scores are points.

        Parameters
        ----------
        search : GDLinearRegressorCV, GridSearchCV or RandomizedSearchCV
            A fitted search.
        param : str, default=None
            The parameter, by its name in the grid. None is the parameter with the most
            values, among those whose values are all numbers if there are any.
        score_name : str, default=None
            Which of several scores to plot, by its name. None is the only score, or the
            one that `refit` names.
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        std_display_style : {"fill_between", "errorbar"} or None, \
                default="fill_between"
            Whether to draw the standard deviations over the splits as bands, or as
            bars. Points that no line joins always have bars. None draws neither.
        line_kwargs : dict or list of dict, default=None
            Keyword arguments of ``Axes.plot``: a dict for all lines, or a list with one
            for each.

        Returns
        -------
        display : SearchDisplay
            The display, which has been drawn.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If it is not a search, or if its candidates were scored on different numbers
            of rows (successive halving).
        ValueError
            If `param` or `score_name` is not one of the search's, or no candidate has a
            score.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_diabetes
        >>> from skgd import GDLinearRegressorCV, SearchDisplay
        >>> X, y = load_diabetes(return_X_y=True)
        >>> search = GDLinearRegressorCV(param_grid={"alpha": [0.001, 0.01, 0.1, 1.0]})
        >>> display = SearchDisplay.from_estimator(search.fit(X, y))
        >>> display.ax_.get_ylabel()
        'R² (mean over 5 splits)'
        >>> plt.close(display.figure_)
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        _check_search(search)
        score = _score_of(search, score_name)
        results = search.cv_results_
        means = results[f"mean_test_{score}"]
        stds = results[f"std_test_{score}"]
        candidates = _varied(search)
        param = _param_of(candidates, param)
        x, categories = _positions(candidates[param])
        has_score = np.isfinite(means)
        if not has_score.any():
            raise ValueError(
                f"None of the {len(means)} candidates has a finite mean_test_{score}."
            )
        lines, joined = _lines(candidates, param, means)
        index = [sorted(line, key=lambda i: x[i]) for line in lines.values()]
        best = None
        if _is_by(search, score):
            best = float(x[search.best_index_]), float(means[search.best_index_])
        display = cls(
            param=param,
            values=[x[each] for each in index],
            mean_scores=[means[each] for each in index],
            std_scores=[stds[each] for each in index],
            names=list(lines),
            best=best,
            categories=categories,
            joined=joined and categories is None,
            score_name=_in_words(search, score),
            n_splits=search.n_splits_,
            n_candidates=len(means),
            n_without_score=int((~has_score).sum()),
        )
        return display.plot(
            ax, std_display_style=std_display_style, line_kwargs=line_kwargs
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        std_display_style: Literal["fill_between", "errorbar"] | None = "fill_between",
        line_kwargs: Style | Sequence[Style] | None = None,
    ) -> SearchDisplay:
        """Draw the scores.

        The axis of the parameter is logarithmic if the largest of its values is more
        than 10 times the smallest. If 0 is among the values, the axis is linear from 0
        to the smallest of the others.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        std_display_style : {"fill_between", "errorbar"} or None, \
                default="fill_between"
            Whether to draw the standard deviations over the splits as bands, or as
            bars. Points that no line joins always have bars. None draws neither.
        line_kwargs : dict or list of dict, default=None
            Keyword arguments of ``Axes.plot``: a dict for all lines, or a list with one
            for each.

        Returns
        -------
        display : SearchDisplay
            The display itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skgd import SearchDisplay
        >>> display = SearchDisplay(
        ...     param="alpha",
        ...     values=[np.array([0.1, 1.0, 10.0])],
        ...     mean_scores=[np.array([0.4, 0.5, 0.3])],
        ...     std_scores=[np.array([0.1, 0.1, 0.2])],
        ...     names=[None],
        ... )
        >>> display.plot(std_display_style="errorbar").ax_.get_xscale()
        'log'
        >>> plt.close(display.figure_)
        """
        if std_display_style not in ("fill_between", "errorbar", None):
            raise ValueError(
                "std_display_style must be 'fill_between', 'errorbar' or None. Got "
                f"{std_display_style!r}."
            )
        ax = axes_or_new(ax, f"{type(self).__name__}.plot")
        self.ax_, self.figure_ = ax, ax.figure
        self.line_, self.band_ = [], []
        styles = line_styles(len(self.values), "line_kwargs", line_kwargs)
        for i, style in enumerate(styles):
            self._draw_line(i, style, std_display_style)
        self.best_ = None
        if self.best is not None:
            self.best_ = self._draw_best(*self.best)
        self._label_axes()
        ax.grid(True, which="major", color="0.9")
        ax.set_axisbelow(True)
        if self.best_ is not None or any(self.names):
            ax.legend(fontsize="small")
        return self

    def _draw_line(
        self, i: int, style: dict[str, Any], std_display_style: str | None
    ) -> None:
        """Draw the scores of a line, and their standard deviations."""
        x, mean, std = self.values[i], self.mean_scores[i], self.std_scores[i]
        marker = _MARKERS[i % MOST_LINES]
        style = {"marker": marker, "markersize": 4, "label": self.names[i], **style}
        if not self.joined:
            style["linestyle"] = "none"
        x = x + self._shift(i)
        if std_display_style is None:
            self.line_ += self.ax_.plot(x, mean, **style)
        elif std_display_style == "errorbar" or not self.joined:
            bars = self.ax_.errorbar(x, mean, std, capsize=3, **style)
            self.line_.append(bars.lines[0])
            self.band_.append(bars)
        else:
            self.line_ += self.ax_.plot(x, mean, **style)
            color = self.line_[-1].get_color()
            band = self.ax_.fill_between(
                x, mean - std, mean + std, color=color, alpha=0.15, linewidth=0
            )
            self.band_.append(band)

    def _draw_best(self, x: float, score: float) -> Line2D:
        """Draw a star at the best candidate."""
        for i, (values, scores) in enumerate(
            zip(self.values, self.mean_scores, strict=True)
        ):
            if ((values == x) & (scores == score)).any():
                x += self._shift(i)
                break
        (star,) = self.ax_.plot(
            [x],
            [score],
            linestyle="none",
            marker="*",
            markersize=15,
            markeredgecolor="white",
            color=MINIMUM_COLOR,
            zorder=5,
            label="best candidate",
        )
        return star

    def _shift(self, i: int) -> float:
        """Return how far beside their category the points of a line are."""
        if self.categories is None:
            return 0.0
        return 0.12 * (i - (len(self.values) - 1) / 2)

    def _label_axes(self) -> None:
        """Write at the axes what they are, and how many candidates are not there."""
        ax, label = self.ax_, self.param
        if self.n_without_score:
            label += (
                f"\n({self.n_without_score} of {self.n_candidates} candidates have no "
                "score)"
            )
        ax.set_xlabel(label)
        label = self.score_name
        if self.n_splits is not None:
            between = "\n" if len(label) > _MOST_LETTERS else " "
            label += f"{between}(mean over {self.n_splits} splits)"
        ax.set_ylabel(label)
        if self.categories is not None:
            ax.set_xticks(range(len(self.categories)), self.categories)
            ax.set_xlim(-0.5, len(self.categories) - 0.5)
            return
        values = np.unique(np.concatenate(self.values))
        positive = values[values > 0]
        if not len(positive) or values[0] < 0:
            return
        if positive[-1] > _MOST_OF_A_LINEAR_AXIS * positive[0]:
            if values[0] > 0:
                ax.set_xscale("log")
            else:
                ax.set_xscale("symlog", linthresh=positive[0])


def _check_search(search: BaseSearchCV) -> None:
    """Raise unless this is a fitted search, of scores that may be compared."""
    if not isinstance(search, BaseSearchCV):
        raise TypeError(
            "SearchDisplay shows the cv_results_ of a search: GDLinearRegressorCV, "
            f"GridSearchCV or RandomizedSearchCV. Got {search!r} instead. Of a "
            "pipeline that ends in one, pass pipeline[-1]."
        )
    check_is_fitted(search, "cv_results_")
    if "n_resources" in search.cv_results_:
        raise TypeError(
            f"{type(search).__name__} scores candidates on different numbers of rows, "
            "so that their scores are not to be compared. Use GridSearchCV or "
            "RandomizedSearchCV."
        )


def _score_of(search: BaseSearchCV, score_name: str | None) -> str:
    """Return the name of the score in `cv_results_`."""
    if not search.multimetric_:
        if score_name is not None:
            raise ValueError(
                f"score_name={score_name!r} chooses one of several scores, and the "
                "search has one. Leave it at None."
            )
        return "score"
    names = list(search.scorer_)
    if score_name is None and isinstance(search.refit, str):
        score_name = search.refit
    if score_name is None or score_name not in names:
        raise ValueError(
            f"score_name={score_name!r} must be one of the scores of the search: "
            f"{', '.join(map(repr, names))}."
        )
    return score_name


def _is_by(search: BaseSearchCV, score: str) -> bool:
    """Return whether the search has a best candidate, and not by another score."""
    names_another = search.multimetric_ and isinstance(search.refit, str)
    return hasattr(search, "best_index_") and (
        not names_another or search.refit == score
    )


def _in_words(search: BaseSearchCV, score: str) -> str:
    """Return what the score is called at the axis."""
    scoring = search.scoring
    if search.multimetric_:
        scoring = scoring[score] if isinstance(scoring, Mapping) else score
    if scoring is None:  # of regressors
        scoring = "r2"
    if not isinstance(scoring, str):
        name = getattr(scoring, "__name__", "score")
        return score if search.multimetric_ else name
    return _WORDS_OF_SCORES.get(scoring, scoring.replace("_", " "))


def _varied(search: BaseSearchCV) -> dict[str, list[Any]]:
    """Return the values that each parameter has in the candidates.

    Where grids have different parameters, a candidate has those of the estimator.
    """
    estimator = search.estimator
    if estimator is None:
        estimator = GDLinearRegressor()
    defaults = estimator.get_params()
    candidates = search.cv_results_["params"]
    names = dict.fromkeys(name for each in candidates for name in each)
    return {
        name: [python_number(each.get(name, defaults.get(name))) for each in candidates]
        for name in names
    }


def _param_of(candidates: dict[str, list[Any]], param: str | None) -> str:
    """Return the parameter to plot against."""
    if param is not None:
        if param not in candidates:
            raise ValueError(
                f"param={param!r} is not a parameter of the search: "
                f"{', '.join(map(repr, candidates))}."
            )
        return param
    if not candidates:
        raise ValueError("The search has one candidate, without parameters.")
    numeric = [name for name, values in candidates.items() if _are_numbers(values)]
    return max(numeric or candidates, key=lambda name: _n_values(candidates[name]))


def _are_numbers(values: Sequence[Any]) -> bool:
    """Return whether all values are finite numbers."""
    return all(
        isinstance(each, Real)
        and not isinstance(each, (bool, np.bool_))
        and math.isfinite(each)
        for each in values
    )


def _n_values(values: Sequence[Any]) -> int:
    """Return how many values there are."""
    return len({_key(each) for each in values})


def _key(value: Any) -> float | str:
    """Return what equal values have in common: 0 and 0.0 are one."""
    return float(value) if _are_numbers([value]) else repr(value)


def _positions(values: Sequence[Any]) -> tuple[np.ndarray, list[str] | None]:
    """Return numbers to plot at, and what they stand for if they are not the values."""
    if _are_numbers(values):
        return np.array(values, dtype=np.float64), None
    categories = dict(zip(map(_key, values[::-1]), values[::-1], strict=True))
    keys = list(dict.fromkeys(map(_key, values)))
    positions = np.array([keys.index(_key(each)) for each in values], np.float64)
    return positions, [_shortened(categories[key]) for key in keys]


def _shortened(value: Any) -> str:
    """Return a value in a few letters."""
    text = value if isinstance(value, str) else " ".join(repr(value).split())
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 3]}..."


def _lines(
    candidates: dict[str, list[Any]], param: str, means: np.ndarray
) -> tuple[dict[str | None, list[int]], bool]:
    """Return the candidates of each line that have a score, by what they share.

    And whether there is a line through them, as there is none through candidates that
    share nothing.
    """
    others = [
        name
        for name, values in candidates.items()
        if name != param and _n_values(values) > 1
    ]
    scored = np.flatnonzero(np.isfinite(means)).tolist()
    by_others: dict[tuple[float | str, ...], list[int]] = {}
    by_value: dict[float | str, list[int]] = {}
    for i in scored:
        shared = tuple(_key(candidates[n][i]) for n in others)
        by_others.setdefault(shared, []).append(i)
        by_value.setdefault(_key(candidates[param][i]), []).append(i)
    if len(by_others) <= MOST_LINES:
        index = list(by_others.values())
        names = _names(candidates, others, index, _shortened)
        if len({*names}) < len(names):  # what differs was cut off
            names = _names(candidates, others, index, repr)
        return dict(zip(names, index, strict=True)), True
    if len(by_value) == len(scored):
        return {f"candidates of any {', '.join(others)}": scored}, False
    best = [max(index, key=lambda i: means[i]) for index in by_value.values()]
    return {f"best {', '.join(others)} at each value": best}, True


def _names(
    candidates: dict[str, list[Any]],
    others: list[str],
    lines: list[list[int]],
    text: Callable[[Any], str],
) -> list[str | None]:
    """Return what the candidates of each line share, in words."""
    return [
        ", ".join(f"{name}={text(candidates[name][line[0]])}" for name in others)
        or None
        for line in lines
    ]
