"""Paths of descents, on the objective that they descend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import _check_feature_names_in

from skgd._data.dask_collections import refuse_collections
from skgd._data.user_input import check_values, naming_columns, validated_rows
from skgd._displays._matplotlib import (
    MINIMUM_COLOR,
    PATH_COLOR,
    Style,
    axes_or_new,
    require_matplotlib,
    styled,
)
from skgd._displays.objective import Objective, View, profile, profile_needs_fits
from skgd._divergence import DivergenceError
from skgd._regressor import GDLinearRegressor
from skgd._settings import settings_of
from skgd._typing import ArrayLike, SparseLike
from skgd._warn import warn
from skgd.callback import DescentHistory

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

#: A feature by its index or its name.
Feature: TypeAlias = int | str

# Points of the grid along each axis: of a curve; of contours that are known in closed
# form, or a target each of one fit to condensed rows, or of a fit to all rows.
_CURVE_POINTS, _POINTS, _PATH_POINTS, _FIT_POINTS = 201, 121, 41, 21

# What is around the path, as a share of its extent.
_MARGIN = 0.2

# Of a path that leads away, what is shown exceeds the minimum by so many times what the
# start does; but at least so many iterates are shown.
_MOST_RISE, _FEWEST = 10.0, 4

# The excess over the minimum from one contour line to the next: distances from the
# minimum grow by its square root.
_LEVEL_RATIO, _N_LEVELS = 2.0, 16

# Of more iterates, markers are drawn where they are this share of the axes apart.
_MOST_MARKERS, _MARKER_DISTANCE = 80, 0.02

_MOST_FRAMES = 60


class DescentPathDisplay:
    """Path of a descent over the objective that it descends.

    Of two parameters (coefficient and intercept of one feature, or the coefficients of
    two features), the picture has contours of the objective, loss and penalty, and the
    iterates on them; of one parameter, the objective as a curve. All parameters that it
    does not show are at their optimum in each point of the contours or the curve: it is
    the least objective that models with the shown values have.

    It is recommended to use :meth:`from_estimator` or :meth:`from_history` to create
    one. All parameters are stored as attributes.

    Parameters
    ----------
    path : ndarray of shape (n_iterates, n_parameters)
        Iterates: one or two parameters of each.
    path_loss : ndarray of shape (n_iterates,)
        Objective of each iterate; of the whole model, so that it may be above the curve
        of a single feature.
    epochs : ndarray of shape (n_iterates,)
        Epoch that begins at each iterate.
    grid : tuple of ndarray
        Values of each parameter for which the objective was evaluated.
    loss : ndarray of shape (n_values,) or (n_values of the second, of the first)
        The objective there; not finite where a bound is overstepped.
    minimum : ndarray of shape (n_parameters,)
        Parameters at the minimum.
    minimum_loss : float
        The least objective.
    parameter_names : list of str
        What to write at the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the path.
    figure_ : matplotlib Figure
        Figure with the path.
    line_ : matplotlib Line2D
        The path.
    start_, end_, minimum_ : matplotlib Line2D
        Markers of the first and the last iterate, and of the minimum.
    contour_ : matplotlib QuadContourSet or None
        The contours, of two parameters.
    curve_ : matplotlib Line2D or None
        The curve, of one parameter.

    See Also
    --------
    LossCurveDisplay : The loss from epoch to epoch.
    skgd.callback.DescentHistory : Records the iterates.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skgd import DescentPathDisplay, GDLinearRegressor
    >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [10.0, 20.0, 30.0, 50.0]
    >>> model = GDLinearRegressor(learning_rate=0.1, max_iter=50, tol=None)
    >>> display = DescentPathDisplay.from_estimator(model, X, y)
    >>> display.path.shape
    (51, 2)
    >>> display.minimum.round(3)
    array([13., -5.])
    >>> plt.close(display.figure_)
    """

    ax_: Axes
    figure_: Figure
    line_: Line2D
    start_: Line2D
    end_: Line2D
    minimum_: Line2D
    contour_: QuadContourSet | None
    curve_: Line2D | None

    def __init__(
        self,
        *,
        path: np.ndarray,
        path_loss: np.ndarray,
        epochs: np.ndarray,
        grid: tuple[np.ndarray, ...],
        loss: np.ndarray,
        minimum: np.ndarray,
        minimum_loss: float,
        parameter_names: list[str],
    ) -> None:
        self.path = path
        self.path_loss = path_loss
        self.epochs = epochs
        self.grid = grid
        self.loss = loss
        self.minimum = minimum
        self.minimum_loss = minimum_loss
        self.parameter_names = parameter_names

    @classmethod
    def from_estimator(
        cls,
        estimator: GDLinearRegressor,
        X: ArrayLike | SparseLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        features: Feature | Sequence[Feature] | None = None,
        ax: Axes | None = None,
        contour_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
    ) -> DescentPathDisplay:
        """Fit a clone of an estimator, and plot the path of its descent.

        Parameters
        ----------
        estimator : GDLinearRegressor
            A clone of it is fitted to X and y; it need not be fitted, and is not
            changed.
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, 1)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.
        features : int, str or sequence of two of these, default=None
            Which features to show, by index or name. None: the one that there is, with
            the intercept, if there is one; or both of two.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: those of a new figure.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.

        Returns
        -------
        display : DescentPathDisplay
            The display, which has been drawn.

        Raises
        ------
        TypeError
            If the estimator is not a GDLinearRegressor, but a pipeline, say.
        ValueError
            If y has several targets; if `features` are needed, or not features of X;
            if the loss is one of the user's own and some parameters are not shown; and
            on what `fit` raises.
        ImportError
            If matplotlib is not installed.

        Warns
        -----
        UserWarning
            If the descent diverges. The picture then has its beginning.

        Notes
        -----
        For squared error, contours are computed from the moments of the rows. For
        Huber's loss with parameters that are not shown, each of some 400 points is a
        fit to all rows.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_diabetes
        >>> from skgd import DescentPathDisplay, GDLinearRegressor
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> model = GDLinearRegressor(learning_rate=0.9, max_iter=100, tol=None)
        >>> display = DescentPathDisplay.from_estimator(
        ...     model, X, y, features=("bmi", "s5")
        ... )
        >>> display.ax_.get_xlabel()
        'coefficient of bmi'
        >>> plt.close(display.figure_)
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        if not isinstance(estimator, GDLinearRegressor):
            raise TypeError(
                "DescentPathDisplay.from_estimator shows the descent of a "
                f"GDLinearRegressor on X. Got {estimator!r} instead. Of a pipeline, "
                "transform X first, X = pipeline[:-1].fit_transform(X, y), and pass "
                "the regressor, pipeline[-1]."
            )
        refuse_collections(X=X, y=y, sample_weight=sample_weight)
        history = DescentHistory(record=["loss", "coef", "intercept"])
        model = clone(estimator).set_callbacks(history)
        try:
            model.fit(X, y, sample_weight=sample_weight)
        except DivergenceError as error:
            first = str(error).partition(". ")[0]
            warn(f"{first}. The picture has the first iterates.", UserWarning)
        return cls.from_history(
            history,
            X,
            y,
            sample_weight=sample_weight,
            features=features,
            ax=ax,
            contour_kwargs=contour_kwargs,
            line_kwargs=line_kwargs,
        )

    @classmethod
    def from_history(
        cls,
        history: DescentHistory,
        X: ArrayLike | SparseLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        features: Feature | Sequence[Feature] | None = None,
        ax: Axes | None = None,
        contour_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
    ) -> DescentPathDisplay:
        """Plot the path of a descent that was recorded.

        Parameters
        ----------
        history : DescentHistory
            Records "coef" and "intercept" of a descent on X and y.
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Rows that were fitted to.
        y : array-like of shape (n_samples,) or (n_samples, 1)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights.
        features : int, str or sequence of two of these, default=None
            Which features to show, as in :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: those of a new figure.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.

        Returns
        -------
        display : DescentPathDisplay
            The display, which has been drawn.

        Raises
        ------
        NotFittedError
            If the history holds no descent.
        ValueError
            If the history has no coefficients, or is of another model or of other data;
            otherwise as :meth:`from_estimator`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skgd import DescentPathDisplay, GDLinearRegressor
        >>> from skgd.callback import DescentHistory
        >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [2.0, 4.0, 6.0, 8.0]
        >>> history = DescentHistory()
        >>> model = GDLinearRegressor(
        ...     learning_rate=0.1, fit_intercept=False, max_iter=20, tol=None
        ... ).set_callbacks(history)
        >>> _ = model.fit(X, y)
        >>> display = DescentPathDisplay.from_history(history, X, y)
        >>> display.path[:3].ravel()
        array([0. , 3. , 1.5])
        >>> plt.close(display.figure_)
        """
        require_matplotlib(f"{cls.__name__}.from_history")
        refuse_collections(X=X, y=y, sample_weight=sample_weight)
        descent = _descent_of(history, X, y, sample_weight)
        view, names = _view_of(features, descent)
        display = cls(**_picture(descent, view), parameter_names=names)
        return display.plot(ax, contour_kwargs=contour_kwargs, line_kwargs=line_kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        contour_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
    ) -> DescentPathDisplay:
        """Draw the objective and the path.

        From each contour line to the next one outwards, the excess of the objective
        over the minimum doubles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: those of a new figure.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.

        Returns
        -------
        display : DescentPathDisplay
            The display itself.
        """
        ax = axes_or_new(ax, f"{type(self).__name__}.plot")
        self.ax_, self.figure_ = ax, ax.figure
        self.contour_, self.curve_ = None, None
        if len(self.grid) == 2:
            self.contour_ = self._contours(contour_kwargs)
            heights = [self.path[:, 1], self.minimum[1]]
            ax.set_ylabel(self.parameter_names[1])
        else:
            style = {"color": "0.45", "linewidth": 1.5, "zorder": 1}
            (self.curve_,) = ax.plot(
                self.grid[0], self.loss, **styled(style, contour_kwargs)
            )
            heights = [self.path_loss, self.minimum_loss]
            ax.set_ylabel("loss")
        ax.set_xlabel(self.parameter_names[0])
        self._draw_path(self.path[:, 0], heights[0], heights[1], line_kwargs)
        return self

    def animate(
        self,
        ax: Axes | None = None,
        *,
        interval: float = 200,
        n_frames: int | None = None,
        contour_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
    ) -> FuncAnimation:
        """Draw the path iterate by iterate, in a new picture.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: those of a new figure.
        interval : float, default=200
            Milliseconds from frame to frame.
        n_frames : int, default=None
            Number of frames, at most that of the iterates. None: one for each iterate
            up to 60. Where there are fewer frames than iterates, the first iterates,
            whose steps are the longest, have one each, and later ones are further and
            further apart. The last frame is the picture that :meth:`plot` draws.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.

        Returns
        -------
        animation : matplotlib.animation.FuncAnimation
            Keep it until it is shown or saved: ``animation.save("path.gif",
            writer="pillow")`` needs nothing but matplotlib.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skgd import DescentPathDisplay, GDLinearRegressor
        >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [10.0, 20.0, 30.0, 50.0]
        >>> model = GDLinearRegressor(learning_rate=0.1, max_iter=5, tol=None)
        >>> display = DescentPathDisplay.from_estimator(model, X, y)
        >>> animation = display.animate()
        >>> animation.save(getfixture("tmp_path") / "path.gif", writer="pillow")
        >>> plt.close("all")
        """
        if n_frames is not None and n_frames < 1:
            raise ValueError(f"n_frames={n_frames!r} must be at least 1, or None.")
        self.plot(ax, contour_kwargs=contour_kwargs, line_kwargs=line_kwargs)
        from matplotlib.animation import FuncAnimation

        x, y = (np.array(each, float) for each in self.line_.get_data())

        def show(last: int) -> list[Line2D]:
            self.line_.set_data(x[: last + 1], y[: last + 1])
            self.end_.set_data(x[[last]], y[[last]])
            self._end_text.set_text(self._end_label(last))
            return [self.line_, self.end_]

        frames = _frames(len(x), n_frames or min(len(x), _MOST_FRAMES))
        return FuncAnimation(self.figure_, show, frames, interval=interval)

    def _contours(self, kwargs: Style | None) -> QuadContourSet:
        """Draw the contours, and return them."""
        x, y = self.grid
        loss = np.ma.masked_invalid(self.loss)
        highest = float(loss.max()) - self.minimum_loss
        levels = highest * _LEVEL_RATIO ** -np.arange(_N_LEVELS, 0.0, -1)
        levels = np.unique(self.minimum_loss + levels)
        style = {"levels": levels, "colors": "0.55", "linewidths": 0.8, "zorder": 1}
        contour: QuadContourSet = self.ax_.contour(x, y, loss, **styled(style, kwargs))
        self.ax_.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        return contour

    def _draw_path(
        self, x: np.ndarray, y: np.ndarray, lowest: float, kwargs: Style | None
    ) -> None:
        """Draw the iterates, the start, the end and the minimum, with a legend."""
        ax, spacing = self.ax_, np.diff(self.epochs)
        label = "iterates"
        if len(spacing) and spacing[0] > 1:
            label = f"iterates, one in {spacing[0]}"
        style = {
            "color": PATH_COLOR,
            "linewidth": 1.2,
            "marker": "o",
            "markersize": 3.5,
            "markevery": None if len(x) <= _MOST_MARKERS else _MARKER_DISTANCE,
            "label": label,
            "zorder": 3,
        }
        (self.line_,) = ax.plot(x, y, **styled(style, kwargs))
        dot = {"linestyle": "none", "marker": "o", "markersize": 8, "clip_on": False}
        color = self.line_.get_color()
        (self.start_,) = ax.plot(
            x[:1],
            y[:1],
            **dot,
            color=color,
            mfc="white",
            mew=1.8,
            zorder=4,
            label=f"epoch {self.epochs[0]}, loss {self.path_loss[0]:.4g}",
        )
        (self.end_,) = ax.plot(
            x[-1:],
            y[-1:],
            **dot,
            color=color,
            zorder=4,
            label=self._end_label(len(x) - 1),
        )
        (self.minimum_,) = ax.plot(
            self.minimum[:1],
            [lowest],
            linestyle="none",
            marker="*",
            markersize=13,
            mfc=MINIMUM_COLOR,
            mec="white",
            clip_on=False,
            zorder=5,
            label=f"minimum, loss {self.minimum_loss:.4g}",
        )
        legend = ax.legend(
            handles=[self.start_, self.line_, self.end_, self.minimum_],
            loc=self._free_corner(x, y),
            fontsize="small",
            framealpha=0.9,
        )
        legend.set_zorder(6)
        self._end_text = legend.get_texts()[2]

    def _end_label(self, last: int) -> str:
        """Return what the legend calls an iterate that is the last one so far."""
        return f"epoch {self.epochs[last]}, loss {self.path_loss[last]:.4g}"

    def _free_corner(self, x: np.ndarray, y: np.ndarray) -> str:
        """Return the corner of the axes that the path is the farthest from."""
        along = np.linspace(0, len(x) - 1, 10 * len(x))
        index = np.arange(len(x))
        points = np.column_stack([np.interp(along, index, each) for each in (x, y)])
        if self.curve_ is not None:
            points = np.vstack([points, self.curve_.get_xydata()])
        points = self.ax_.transLimits.transform(points)
        corners = {
            "upper right": (0.8, 0.85),
            "upper left": (0.2, 0.85),
            "lower right": (0.8, 0.15),
            "lower left": (0.2, 0.15),
        }
        # A legend is wider than it is high.
        distances = {
            name: np.hypot(*((points - corner) * (0.7, 1.0)).T).min()
            for name, corner in corners.items()
        }
        return max(distances, key=lambda name: distances[name])


@dataclass(frozen=True)
class _Descent:
    """What was recorded of a descent on data of one target."""

    objective: Objective
    coef: np.ndarray  # (n_iterates, n_features)
    intercept: np.ndarray
    loss: np.ndarray
    epochs: np.ndarray
    feature_names: list[str]


def _descent_of(
    history: DescentHistory,
    X: ArrayLike | SparseLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
) -> _Descent:
    """Return what a history has of a descent on these data."""
    records, model = history.records_, clone(history.estimator_)
    needed = ["coef", "intercept"] if model.fit_intercept else ["coef"]
    missing = [name for name in needed if name not in records]
    if missing:
        raise ValueError(
            f"The history has no {' and no '.join(missing)}: it was to record "
            f"{', '.join(history.record)}. Use DescentHistory(record=['loss', 'coef', "
            "'intercept'])."
        )
    with naming_columns(X):
        rows, dtype, y_is_1d = validated_rows(model, X, y, sample_weight, reset=True)
        check_values(rows)
    if rows.n_targets > 1:
        raise ValueError(
            f"y has {rows.n_targets} targets, each with a path of its own. Pass one "
            "target, and the history of a fit to it."
        )
    names = _check_feature_names_in(model).tolist()
    _refuse_other_features(history.feature_names_, names)
    coef = records["coef"]
    if coef.ndim == 3 and coef.shape[1] > 1:
        raise ValueError(
            f"The history is of {coef.shape[1]} targets, and y has one. Fit that one "
            "with a history of its own."
        )
    settings = settings_of(model, dtype, n_targets=1, y_is_1d=y_is_1d)
    objective = Objective.of_rows(settings, rows)
    coef = coef.reshape(len(coef), -1)
    intercept = records.get("intercept", np.zeros(len(coef))).reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = objective.value(coef, intercept)
    if settings.batch_size is None and "loss" in records:
        _refuse_other_data(records["loss"], loss)
    return _Descent(objective, coef, intercept, loss, records["epoch"], names)


def _refuse_other_features(recorded: list[str], passed: list[str]) -> None:
    """Raise where the features of a history are not those of X."""
    if recorded != passed:
        raise ValueError(
            "The history is of another model: its features are "
            f"{_listed(recorded)}, and those of X are {_listed(passed)}."
        )


def _refuse_other_data(recorded: np.ndarray, computed: np.ndarray) -> None:
    """Raise where the first loss of a history is not that on X and y."""
    if np.isclose(recorded[0], computed[0], rtol=1e-3, atol=1e-6 * np.ptp(recorded)):
        return
    raise ValueError(
        f"The history is of other data: the loss where it begins is {recorded[0]:.6g}, "
        f"and on X and y it is {computed[0]:.6g}. Pass the rows, targets and weights "
        "that were fitted to; with early_stopping, those that were not held out."
    )


def _listed(names: Sequence[str]) -> str:
    """Return the number of names, and the first of them."""
    shown = ", ".join(names[:10])
    return f"{len(names)} ({shown}{', ...' if len(names) > 10 else ''})"


def _view_of(
    features: Feature | Sequence[Feature] | None, descent: _Descent
) -> tuple[View, list[str]]:
    """Return the parameters to show, and what to write at their axes."""
    names, settings = descent.feature_names, descent.objective.settings
    if features is None:
        if len(names) > 2:
            raise ValueError(
                f"There are {_listed(names)} features, and a picture shows one or two. "
                "Pass features=(i, j), two of them by index or name, or one."
            )
        index: tuple[int, ...] = tuple(range(len(names)))
        view = View(index, intercept=len(names) == 1 and settings.fit_intercept)
    else:
        given = [features] if isinstance(features, (str, Integral)) else [*features]
        index = tuple(_index_of(each, names) for each in given)
        if len(set(index)) != len(index) or len(index) not in (1, 2):
            raise ValueError(
                f"features={features!r} must be one feature, or two different ones, of "
                f"{_listed(names)}."
            )
        view = View(index, intercept=False)
    labels = [f"coefficient of {names[j]}" for j in view.features]
    return view, labels + ["intercept"] * view.intercept


def _index_of(feature: Feature, names: list[str]) -> int:
    """Return the index of a feature that is given by its index or its name."""
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    if isinstance(feature, Integral) and -len(names) <= feature < len(names):
        return range(len(names))[feature]
    raise ValueError(f"{feature!r} is not a feature of {_listed(names)}.")


def _picture(descent: _Descent, view: View) -> dict[str, Any]:
    """Return what a display shows of a descent."""
    objective = descent.objective
    hidden = objective.n_features > len(view.features) or (
        objective.settings.fit_intercept and not view.intercept
    )
    if hidden and objective.settings.loss.kind == "custom":
        raise ValueError(
            "For a loss of your own, all parameters have to be in the picture: X has "
            "to have one feature, and features to be None. The least loss over other "
            "parameters is known of squared error and of Huber's loss."
        )
    finite = np.isfinite(descent.loss)
    best = np.where(finite, descent.loss, np.inf).argmin()
    near = np.append(descent.coef[best], descent.intercept[best])
    minimiser = objective.minimiser(near)
    least = float(objective.value(*minimiser)[0])
    n_shown = _n_shown(descent.loss - least)
    path = view.of(descent.coef, descent.intercept)[:n_shown]
    minimum = view.of(*minimiser)[0]
    grid = _grid(np.vstack([path, minimum]), _n_points(objective, view))
    if objective.settings.positive:
        for axis in grid[: len(view.features)]:
            axis[:] = np.linspace(max(axis[0], 0.0), axis[-1], len(axis))
    points = np.stack(np.meshgrid(*grid), axis=-1)
    loss = profile(objective, view, points.reshape(-1, len(grid)))
    return {
        "path": path,
        "path_loss": descent.loss[:n_shown],
        "epochs": descent.epochs[:n_shown],
        "grid": grid,
        "loss": loss.reshape(points.shape[:-1]),
        "minimum": minimum,
        "minimum_loss": least,
    }


def _n_shown(excess: np.ndarray) -> int:
    """Return how many iterates are shown: the first few of a path that leads away."""
    n_finite = int(np.cumprod(np.isfinite(excess)).sum())
    if n_finite == len(excess) and excess[-1] <= excess[0]:
        return len(excess)
    far = np.flatnonzero(excess[:n_finite] > _MOST_RISE * excess[0])
    return max(int(far[0]) if len(far) else n_finite, min(_FEWEST, n_finite))


def _n_points(objective: Objective, view: View) -> int:
    """Return how many values of each parameter the objective is evaluated at."""
    if profile_needs_fits(objective, view):
        return _FIT_POINTS
    n_parameters = len(view.features) + view.intercept
    if n_parameters == 1:
        return _CURVE_POINTS
    hides = objective.n_features > len(view.features)
    return _PATH_POINTS if hides and objective.settings.has_prox else _POINTS


def _grid(points: np.ndarray, n_points: int) -> tuple[np.ndarray, ...]:
    """Return values of each parameter that reach beyond some points."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(abs(low), abs(high))
    # Where a parameter hardly moves, a tenth of its size is shown.
    extent = np.maximum(high - low, 1e-3 * size)
    extent[extent == 0] = 1.0
    margin = _MARGIN * extent
    return tuple(
        np.linspace(first, last, n_points)
        for first, last in zip(low - margin, high + margin, strict=True)
    )


def _frames(n_iterates: int, n_frames: int) -> list[int]:
    """Return the last iterate of each frame."""
    if n_frames >= n_iterates:
        return list(range(n_iterates))
    if n_frames == 1:
        return [n_iterates - 1]
    numbers = np.geomspace(1, n_iterates, n_frames).round().astype(int) - 1
    for k in range(1, n_frames):
        numbers[k] = max(numbers[k], numbers[k - 1] + 1)
    return [int(number) for number in np.minimum(numbers, n_iterates - 1)]
