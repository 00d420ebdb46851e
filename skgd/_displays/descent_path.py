"""Paths of descents, on the objective that they descend."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._search import BaseSearchCV

from skgd._data.dask_collections import refuse_collections
from skgd._displays._matplotlib import (
    MINIMUM_COLOR,
    PATH_COLOR,
    Style,
    axes_or_new,
    require_matplotlib,
    styled,
)
from skgd._displays.recorded import Feature, descent_of, picture_of, view_of
from skgd._divergence import DivergenceError
from skgd._regressor import GDLinearRegressor
from skgd._typing import ArrayLike, SparseLike
from skgd._warn import warn
from skgd.callback import DescentHistory

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

# The excess over the minimum from one contour line to the next, whose distances from
# the minimum grow by its square root; and of how many points of the grid across the
# innermost line is, as a line around fewer has corners.
_LEVEL_RATIO, _N_LEVELS, _NARROWEST = 2.0, 16, 5

# Of more iterates, markers are drawn where they are this share of the axes apart.
_MOST_MARKERS, _MARKER_DISTANCE = 80, 0.02

# Losses that are smaller, as a share of the first, are none.
_ROUNDING = 1e-14

_OTHERS = ",\nothers at their optimum"

_MOST_FRAMES = 60

# Of a line beside an axis.
_MOST_LETTERS = 36


class DescentPathDisplay:
    """Path of a descent over the objective that it descends.

    For two parameters (coefficient and intercept of one feature, or the coefficients
    of two features), it shows contours of the objective, which is loss plus penalty,
    and the iterates on them. For one parameter, it shows the objective as a curve. At
    each point of the contours or the curve, the parameters that are not shown are at
    their optimum: the value is the smallest objective of all models with the shown
    parameters.

    Use :meth:`from_estimator` or :meth:`from_history` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    path : ndarray of shape (n_iterates, n_parameters)
        The shown parameters, one or two, of each iterate.
    path_loss : ndarray of shape (n_iterates,)
        Objective of each iterate. It is that of the whole model, so that it may be
        above the curve of a single feature.
    epochs : ndarray of shape (n_iterates,)
        Epoch that begins at each iterate.
    grid : tuple of ndarray
        Values of each parameter for which the objective was evaluated.
    loss : ndarray of shape (n_values,) or (n_values of the second, of the first)
        The objective at these values; not finite where a bound is violated.
    minimum : ndarray of shape (n_parameters,)
        Parameters at the minimum.
    minimum_loss : float
        The smallest objective.
    parameter_names : list of str
        Labels of the axes.
    is_profile : bool, default=False
        Whether the model has parameters that are not shown.
    last_epoch : int or None, default=None
        The epoch in which the descent ended, if the path is the beginning of a descent
        that diverged.

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
        The contours, for two parameters.
    curve_ : matplotlib Line2D or None
        The curve, for one parameter.

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
    figure_: Figure | SubFigure
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
        is_profile: bool = False,
        last_epoch: int | None = None,
    ) -> None:
        self.path = path
        self.path_loss = path_loss
        self.epochs = epochs
        self.grid = grid
        self.loss = loss
        self.minimum = minimum
        self.minimum_loss = minimum_loss
        self.parameter_names = parameter_names
        self.is_profile = is_profile
        self.last_epoch = last_epoch

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
        legend: bool = True,
    ) -> DescentPathDisplay:
        """Fit a clone of an estimator, and draw the path of its descent.

        Parameters
        ----------
        estimator : GDLinearRegressor
            The estimator, which need not be fitted. A clone of it is fitted to X and
            y; the estimator is not changed.
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Rows, which have to be on the CPU and not in Dask collections.
        y : array-like of shape (n_samples,) or (n_samples, 1)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights. None is a weight of one for each row.
        features : int, str or sequence of two of these, default=None
            Which features to show, by index or name. None shows all features of X, of
            which there may be two, or one, with the intercept if the model has one.
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.
        legend : bool, default=True
            Whether to draw a legend.

        Returns
        -------
        display : DescentPathDisplay
            The display, which has been drawn.

        Raises
        ------
        TypeError
            If the estimator is not a GDLinearRegressor, such as a pipeline.
        ValueError
            If y has several targets; if `features` is None and X has more than two, or
            if they are not features of X; if rows are held out for early stopping; if
            the loss is one of your own and some parameters are not shown; and where
            `fit` raises.
        ImportError
            If matplotlib is not installed.

        Warns
        -----
        UserWarning
            If the descent diverges. The beginning of the path is then drawn.

        Notes
        -----
        For squared error, contours are computed from the moments of the rows. For
        Huber's loss with parameters that are not shown, each of some 400 points takes a
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
                f"{_advice(estimator)}DescentPathDisplay.from_estimator shows the "
                "descent of a GDLinearRegressor on X. Got an object of type "
                f"{type(estimator).__name__} instead."
            )
        refuse_collections(X=X, y=y, sample_weight=sample_weight)
        if estimator.early_stopping:
            raise ValueError(
                "early_stopping=True: the descent is on rows that are not held out, "
                "and the contours would be those of all. Set early_stopping=False; or "
                "split the rows, pass X_val and y_val to a fit that a DescentHistory "
                "records, and use from_history with the others."
            )
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
            legend=legend,
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
        legend: bool = True,
    ) -> DescentPathDisplay:
        """Draw the path of a descent that was recorded.

        Parameters
        ----------
        history : DescentHistory
            History of a descent on X and y that recorded "coef" and "intercept".
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Rows of the fit, which have to be on the CPU and not in Dask collections.
        y : array-like of shape (n_samples,) or (n_samples, 1)
            Targets of the fit.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the fit. None is a weight of one for each row.
        features : int, str or sequence of two of these, default=None
            Which features to show, as in :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.
        legend : bool, default=True
            Whether to draw a legend.

        Returns
        -------
        display : DescentPathDisplay
            The display, which has been drawn.

        Raises
        ------
        NotFittedError
            If the history holds no descent.
        TypeError
            If `history` is not a DescentHistory.
        ValueError
            If the history has no coefficients, or is of another model or of other data
            (which cannot be noticed for mini-batches); otherwise as
            :meth:`from_estimator`.
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
        if not isinstance(history, DescentHistory):
            raise TypeError(
                "DescentPathDisplay.from_history takes a skgd.callback.DescentHistory. "
                f"Got {history!r} instead. Of an estimator, use from_estimator, which "
                "fits a clone and records its descent."
            )
        refuse_collections(X=X, y=y, sample_weight=sample_weight)
        descent = descent_of(history, X, y, sample_weight)
        display = cls(**picture_of(descent, view_of(features, descent)))
        return display.plot(
            ax,
            contour_kwargs=contour_kwargs,
            line_kwargs=line_kwargs,
            legend=legend,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        contour_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
        legend: bool = True,
    ) -> DescentPathDisplay:
        """Draw the objective and the path.

        From each contour line to the next one outwards, the excess of the objective
        over the minimum doubles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.
        legend : bool, default=True
            Whether to draw a legend.

        Returns
        -------
        display : DescentPathDisplay
            The display itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skgd import DescentPathDisplay, GDLinearRegressor
        >>> X, y = [[1.0], [2.0], [3.0]], [10.0, 20.0, 40.0]
        >>> model = GDLinearRegressor(learning_rate=0.1, max_iter=5, tol=None)
        >>> display = DescentPathDisplay.from_estimator(model, X, y)
        >>> figure, ax = plt.subplots()
        >>> display.plot(ax, line_kwargs={"color": "black"}).line_.get_color()
        'black'
        >>> plt.close("all")
        """
        ax = axes_or_new(ax, f"{type(self).__name__}.plot")
        self.ax_, self.figure_ = ax, ax.figure
        self.contour_, self.curve_ = None, None
        x = self.path[:, 0]
        # A name of a feature may be long, and have dollars, which make no formula.
        names = [fill(name, _MOST_LETTERS) for name in self.parameter_names]
        ax.set_xlabel(names[0], parse_math=False)
        if len(self.grid) == 2:
            self.contour_ = self._contours(contour_kwargs)
            ax.set_ylabel(names[1], parse_math=False)
            self._draw_path(x, self.path[:, 1], self.minimum[1], line_kwargs)
        else:
            self.curve_ = self._curve(contour_kwargs)
            ax.set_ylabel("loss")
            self._draw_path(x, self.path_loss, self.minimum_loss, line_kwargs)
        self._end_text = self._draw_legend() if legend else None
        return self

    def animate(
        self,
        ax: Axes | None = None,
        *,
        interval: float = 200,
        n_frames: int | None = None,
        contour_kwargs: Style | None = None,
        line_kwargs: Style | None = None,
        legend: bool = True,
    ) -> FuncAnimation:
        """Return an animation that draws the path iterate by iterate.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        interval : float, default=200
            Milliseconds from frame to frame.
        n_frames : int, default=None
            Number of frames, at most that of the iterates. None is one for each
            iterate, up to 60. If there are fewer frames than iterates, the first
            iterates, whose steps are the longest, have one frame each, and later frames
            are more and more iterates apart. The last frame is the picture that
            :meth:`plot` draws.
        contour_kwargs : dict, default=None
            Keyword arguments of ``Axes.contour``, or of ``Axes.plot`` for a curve.
        line_kwargs : dict, default=None
            Keyword arguments of ``Axes.plot`` for the path.
        legend : bool, default=True
            Whether to draw a legend.

        Returns
        -------
        animation : matplotlib.animation.FuncAnimation
            The animation. Keep it in a variable until it is shown or saved;
            ``animation.save("path.gif", writer="pillow")`` needs only matplotlib.

        Examples
        --------
        >>> import tempfile
        >>> import matplotlib.pyplot as plt
        >>> from skgd import DescentPathDisplay, GDLinearRegressor
        >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [10.0, 20.0, 30.0, 50.0]
        >>> model = GDLinearRegressor(learning_rate=0.1, max_iter=5, tol=None)
        >>> display = DescentPathDisplay.from_estimator(model, X, y)
        >>> animation, folder = display.animate(), tempfile.mkdtemp()
        >>> animation.save(f"{folder}/path.gif", writer="pillow")
        >>> plt.close("all")
        """
        if n_frames is not None and n_frames < 1:
            raise ValueError(f"n_frames={n_frames!r} must be at least 1, or None.")
        self.plot(
            ax,
            contour_kwargs=contour_kwargs,
            line_kwargs=line_kwargs,
            legend=legend,
        )
        from matplotlib.animation import FuncAnimation

        figure = self.ax_.get_figure(root=True)
        assert figure is not None
        # The display has other artists once it is drawn again.
        line, end, text = self.line_, self.end_, self._end_text
        x, y = (np.array(each, float) for each in line.get_data())
        if legend:
            self._hold_legend(figure)

        def show(last: int) -> list[Line2D]:
            line.set_data(x[: last + 1], y[: last + 1])
            end.set_data(x[[last]], y[[last]])
            if text is not None:
                text.set_text(self._label(last))
            return [line, end]

        frames = _frames(len(x), n_frames or min(len(x), _MOST_FRAMES))
        return FuncAnimation(figure, show, frames, interval=interval)

    def _contours(self, kwargs: Style | None) -> QuadContourSet:
        """Draw the contours, and return them."""
        x, y = self.grid
        loss = np.ma.masked_invalid(self.loss)
        highest = float(loss.max()) - self.minimum_loss
        steps = _LEVEL_RATIO ** -np.arange(_N_LEVELS, 0.0, -1)
        levels = np.unique(self.minimum_loss + highest * steps)
        wide = [_width(loss <= level) >= _NARROWEST for level in levels]
        if any(wide):
            levels = levels[wide]
        style = {"levels": levels, "linewidths": 0.8, "zorder": 1}
        if "cmap" not in (kwargs or {}):
            style["colors"] = "0.55"
        contour = self.ax_.contour(x, y, loss, **styled(style, kwargs))
        self.ax_.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        # A contour set has no entry in a legend: an empty line stands for it.
        label = "equal loss" + _OTHERS * self.is_profile
        self.ax_.plot([], [], color=contour.get_edgecolor()[0], label=label, lw=0.8)
        return contour

    def _curve(self, kwargs: Style | None) -> Line2D:
        """Draw the curve, and return it."""
        label = "loss" + _OTHERS * self.is_profile
        style = {"color": "0.45", "linewidth": 1.5, "zorder": 1, "label": label}
        (curve,) = self.ax_.plot(self.grid[0], self.loss, **styled(style, kwargs))
        return curve

    def _draw_path(
        self, x: np.ndarray, y: np.ndarray, lowest: float, kwargs: Style | None
    ) -> None:
        """Draw the iterates, the start, the end and the minimum."""
        spacing = np.diff(self.epochs)
        every = f"one epoch in {spacing[0]}" if (spacing > 1).any() else "each epoch"
        if len(x) > _MOST_MARKERS:
            every = "path"
        style = {
            "color": PATH_COLOR,
            "linewidth": 1.2,
            "marker": "o",
            "markersize": 3.5,
            "markevery": None if len(x) <= _MOST_MARKERS else _MARKER_DISTANCE,
            "label": every,
            "zorder": 3,
        }
        start = {"markersize": 9, "markerfacecolor": "white", "markeredgewidth": 1.8}
        star = {"markersize": 17, "markeredgecolor": "white", "color": MINIMUM_COLOR}
        self.start_ = self._draw_marker("o", x[0], y[0], self._label(0), **start)
        (self.line_,) = self.ax_.plot(x, y, **styled(style, kwargs))
        last = len(x) - 1
        self.end_ = self._draw_marker("o", x[-1], y[-1], self._label(last))
        for marker in self.start_, self.end_:
            marker.set_color(self.line_.get_color())
        minimum = f"minimum, loss {self._number(self.minimum_loss)}"
        self.minimum_ = self._draw_marker("*", self.minimum[0], lowest, minimum, **star)
        self.minimum_.set_zorder(2)  # which the end of the path, if it is there, covers

    def _draw_marker(
        self, marker: str, x: float, y: float, label: str, **style: Any
    ) -> Line2D:
        """Draw a marker, whole at the edge of the axes."""
        style = {"markersize": 6.5, "clip_on": False, "zorder": 4, **style}
        (line,) = self.ax_.plot(
            [x], [y], linestyle="none", marker=marker, label=label, **style
        )
        return line

    def _draw_legend(self) -> Text:
        """Explain the lines and markers; return what is said of the end."""
        legend = self.ax_.legend(loc="best", fontsize="small", framealpha=0.9)
        legend.set_zorder(6)
        label = self.end_.get_label()
        texts = [each for each in legend.get_texts() if each.get_text() == label]
        return texts[-1]

    def _hold_legend(self, figure: Figure) -> None:
        """Keep the legend where it is, however much of the path is drawn."""
        figure.draw_without_rendering()
        legend = self.ax_.get_legend()
        assert legend is not None
        corner = legend.get_window_extent().p0
        legend.set_loc(tuple(self.ax_.transAxes.inverted().transform(corner)))

    def _label(self, iterate: int) -> str:
        """Return what the legend says of an iterate."""
        epoch = f"epoch {self.epochs[iterate]}"
        if self.last_epoch is not None and iterate == len(self.epochs) - 1:
            epoch += f" of {self.last_epoch}"
        return f"{epoch}, loss {self._number(self.path_loss[iterate])}"

    def _number(self, loss: float) -> str:
        """Return four digits of a loss; 0 where it is but rounding of the first."""
        if abs(loss) < _ROUNDING * abs(self.path_loss[0]):
            return "0"
        rounded = float(f"{loss:.4g}")
        if not 1e-3 <= abs(rounded) < 1e7:
            return f"{rounded:.4g}"
        return np.format_float_positional(rounded, trim="-")


def _advice(estimator: object) -> str:
    """Return what to pass in place of something that is not a regressor of ours."""
    # Here, as it takes long to import.
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, DescentHistory):
        return "Of a history, use from_history. "
    if isinstance(estimator, Pipeline):
        return (
            "Of a pipeline, pass its regressor, pipeline[-1], and X as the steps "
            "before transform it, pipeline[:-1].fit_transform(X, y). To keep the "
            "names of columns, use pipeline.set_output(transform='pandas') first. "
        )
    if isinstance(estimator, BaseSearchCV):
        return "Of a search, pass its best_estimator_. "
    return ""


def _width(inside: np.ndarray) -> int:
    """Return how many points of a grid a region holds across, in rows or columns."""
    return int(min(inside.sum(axis=0).max(), inside.sum(axis=1).max()))


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
