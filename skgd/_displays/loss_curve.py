"""Loss curves of one or several fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.validation import check_is_fitted

from skgd._data.array_api import refuse_elsewhere
from skgd._data.moments import Moments
from skgd._displays._matplotlib import (
    Style,
    axes_or_new,
    line_styles,
    python_number,
    require_matplotlib,
)
from skgd._displays.objective import Data, least_objective
from skgd._regressor import GDLinearRegressor
from skgd._settings import settings_of
from skgd._typing import ArrayLike, SparseLike
from skgd.callback import DescentHistory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

# Excess losses are differences of sums that round: so many units in the last place of
# the largest of these.
_ROUNDINGS = 16

# How near losses in float32 on the same data are to those in float64.
_SAME_LOSS = 1e-4

_MOST_MARKERS = 30

# Axes end where their margins would leave the range of float64.
_LARGEST = 1e200


class LossCurveDisplay:
    """Loss curves of gradient descent.

    Use :meth:`from_estimator` or :meth:`from_history` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    epochs : ndarray of shape (n_epochs,) or list of such
        Epochs; a list holds those of several fits.
    loss : ndarray of shape (n_epochs,) or list of such
        The loss (the whole objective) of each epoch, or its excess over the smallest
        possible loss. Nan is not drawn.
    excess : bool, default=False
        Whether `loss` is the excess over the smallest possible loss.
    name : str, list of str or None, default=None
        Name of each fit, for the legend. None draws no legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure with the curves.
    line_ : matplotlib Line2D or list of such
        The curve, or a list of the curves where `loss` is a list.

    See Also
    --------
    DescentPathDisplay : The path of the coefficients.
    skgd.callback.DescentHistory : Records the loss at each epoch, and more.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDLinearRegressor, LossCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = [
    ...     GDLinearRegressor(learning_rate=rate, max_iter=200, tol=None).fit(X, y)
    ...     for rate in (0.1, 0.9)
    ... ]
    >>> display = LossCurveDisplay.from_estimator(models, excess=True)
    >>> display.name
    ['learning_rate=0.1', 'learning_rate=0.9']
    >>> plt.close(display.figure_)
    """

    ax_: Axes
    figure_: Figure | SubFigure
    line_: Line2D | list[Line2D]

    def __init__(
        self,
        *,
        epochs: np.ndarray | list[np.ndarray],
        loss: np.ndarray | list[np.ndarray],
        excess: bool = False,
        name: str | Sequence[str] | None = None,
    ) -> None:
        self.epochs = epochs
        self.loss = loss
        self.excess = excess
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator | Sequence[BaseEstimator] | Mapping[str, Any],
        *,
        X: ArrayLike | SparseLike | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        excess: bool = False,
        name: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        curve_kwargs: Style | Sequence[Style] | None = None,
    ) -> LossCurveDisplay:
        """Plot `loss_curve_` of one or several fitted estimators against the epochs.

        Parameters
        ----------
        estimator : estimator, list of estimators or dict of str -> estimator
            A fitted `GDLinearRegressor`, or a fitted pipeline that ends in one, a
            search (`GDLinearRegressorCV`, GridSearchCV, ...) whose `best_estimator_` is
            one, or a TransformedTargetRegressor around one. The keys of a dict are the
            names in the legend.
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features), default=None
            With `excess`, and needed if the regressor has no `moments_`: the rows that
            it was fitted to (for a pipeline, those that its last step got). Tensors
            have to be on the CPU.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets of the fit.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the fit. None is a weight of one for each row.
        excess : bool, default=False
            Whether to plot the excess of the loss over the smallest possible loss. On
            the logarithmic axis, a straight line is an excess that falls by the same
            factor in each epoch. The smallest loss is computed for squared error, with
            any penalty, from `moments_` or from X and y. An excess that is no more than
            rounding is not drawn. Nor is an excess below zero, as mini-batches may
            have: their loss is the mean over the batches of an epoch, each before its
            update.
        name : str or list of str, default=None
            Name of each fit, for the legend. None uses the keys of a dict, the
            parameters by which the fits of a list differ, and no name for a single fit.
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        curve_kwargs : dict or list of dict, default=None
            Keyword arguments of ``Axes.plot``: a dict for all curves, or a list with
            one for each.

        Returns
        -------
        display : LossCurveDisplay
            The display, which has been drawn.

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        TypeError
            If an estimator contains no GDLinearRegressor.
        ValueError
            If `excess` is True and the smallest loss cannot be computed; if X and y are
            not the data of the fit (for mini-batches and histories, this is noticed
            only if the descent went below the smallest loss on X and y).
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skgd import GDLinearRegressor, LossCurveDisplay
        >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [10.0, 20.0, 30.0, 50.0]
        >>> model = GDLinearRegressor(learning_rate=0.1, tol=None, max_iter=100)
        >>> display = LossCurveDisplay.from_estimator(model.fit(X, y))
        >>> bool(display.line_.get_ydata()[0] == model.loss_curve_[0])
        True
        >>> plt.close(display.figure_)
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        regressors = [_regressor_of(each) for each in _several(estimator)]
        curves = [
            _Curve(
                regressor,
                np.arange(len(regressor.loss_curve_)),
                np.array(regressor.loss_curve_),
                getattr(regressor, "moments_", None),
            )
            for regressor in regressors
        ]
        data = X, y, sample_weight
        _refuse_half_of_the_data(*data, excess=excess)
        if excess:
            curves = _above_the_least(curves, data)
        display = cls(**_as_given(estimator, curves, name), excess=excess)
        return display.plot(ax, curve_kwargs=curve_kwargs)

    @classmethod
    def from_history(
        cls,
        history: DescentHistory | Sequence[DescentHistory] | Mapping[str, Any],
        *,
        X: ArrayLike | SparseLike | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        excess: bool = False,
        name: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        curve_kwargs: Style | Sequence[Style] | None = None,
    ) -> LossCurveDisplay:
        """Plot the losses that one or several histories recorded, against the epochs.

        Unlike `loss_curve_`, a history holds the loss at the end of the descent, and
        the losses of a descent that diverged.

        Parameters
        ----------
        history : DescentHistory, list of them or dict of str -> DescentHistory
            Histories that recorded "loss". The keys of a dict are the names in the
            legend.
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features), default=None
            With `excess`: the rows of the fit. Tensors have to be on the CPU.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets of the fit.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the fit. None is a weight of one for each row.
        excess : bool, default=False
            Whether to plot the excess of the loss over the smallest possible loss, as
            in :meth:`from_estimator`. It needs X and y.
        name : str or list of str, default=None
            Name of each history, as in :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        curve_kwargs : dict or list of dict, default=None
            Keyword arguments of ``Axes.plot``: a dict for all curves, or a list with
            one for each.

        Returns
        -------
        display : LossCurveDisplay
            The display, which has been drawn.

        Raises
        ------
        NotFittedError
            If a history holds no descent.
        ValueError
            If a history recorded no losses; otherwise as :meth:`from_estimator`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skgd import GDLinearRegressor, LossCurveDisplay
        >>> from skgd.callback import DescentHistory
        >>> history = DescentHistory()
        >>> model = GDLinearRegressor().set_callbacks(history)
        >>> _ = model.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.5])
        >>> display = LossCurveDisplay.from_history(history)
        >>> len(display.loss) == model.n_iter_ + 1
        True
        >>> plt.close(display.figure_)
        """
        require_matplotlib(f"{cls.__name__}.from_history")
        curves = []
        for each in _several(history):
            if not isinstance(each, DescentHistory):
                raise TypeError(
                    "LossCurveDisplay.from_history takes a skgd.callback."
                    f"DescentHistory, or several. Got {each!r} instead. Of an "
                    "estimator that is fitted, use from_estimator."
                )
            records = each.records_
            if "loss" not in records:
                raise ValueError(
                    "The history has no losses: it was to record "
                    f"{', '.join(each.record)}. Use DescentHistory(record=['loss', "
                    "...])."
                )
            curves.append(_Curve(each.estimator_, records["epoch"], records["loss"]))
        data = X, y, sample_weight
        _refuse_half_of_the_data(*data, excess=excess)
        if excess:
            curves = _above_the_least(curves, data)
        display = cls(**_as_given(history, curves, name), excess=excess)
        return display.plot(ax, curve_kwargs=curve_kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | Sequence[str] | None = None,
        curve_kwargs: Style | Sequence[Style] | None = None,
    ) -> LossCurveDisplay:
        """Draw the curves.

        The axis of the losses is logarithmic, and zeros are left out, unless a loss is
        below zero, as a loss of your own may be. Losses above 1e200, which a descent
        that diverges reaches, are not drawn.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None draws on a new figure.
        name : str or list of str, default=None
            Name of each fit, for the legend. None uses the `name` of the display.
        curve_kwargs : dict or list of dict, default=None
            Keyword arguments of ``Axes.plot``: a dict for all curves, or a list with
            one for each.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skgd import LossCurveDisplay
        >>> losses = np.array([4.0, 2.0, 1.0])
        >>> display = LossCurveDisplay(epochs=np.arange(3), loss=losses)
        >>> figure, ax = plt.subplots()
        >>> display.plot(ax, curve_kwargs={"color": "black"}).line_.get_color()
        'black'
        >>> plt.close(figure)
        """
        ax = axes_or_new(ax, f"{type(self).__name__}.plot")
        several = isinstance(self.loss, list)
        epochs = self.epochs if isinstance(self.epochs, list) else [self.epochs]
        losses = self.loss if isinstance(self.loss, list) else [self.loss]
        names = _names(self.name if name is None else name, len(losses))
        styles = line_styles(len(losses), "curve_kwargs", curve_kwargs)
        logarithmic = _suit_a_log_axis(losses)
        lines = []
        for x, loss, label, style in zip(epochs, losses, names, styles, strict=True):
            drawn = np.where(np.abs(loss) < _LARGEST, loss, np.nan)
            if logarithmic:
                drawn[~(loss > 0)] = np.nan
            # A line through few points, or one, is seen by its markers.
            few = np.isfinite(drawn).sum() <= _MOST_MARKERS
            markers = {"marker": "o", "markersize": 3} if few else {}
            lines += ax.plot(x, drawn, **{"label": label, **markers, **style})
        if logarithmic:
            ax.set_yscale("log")
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss above the minimum" if self.excess else "loss")
        if ax.get_xscale() == "linear":
            ax.locator_params(axis="x", integer=True)
        ax.grid(True, which="major", color="0.9")
        ax.set_axisbelow(True)
        if ax.get_legend_handles_labels()[1]:
            ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        self.line_ = lines if several else lines[0]
        return self


class _Curve(NamedTuple):
    """The losses of a descent, of which the estimator tells on what they are."""

    estimator: GDLinearRegressor
    epochs: np.ndarray
    loss: np.ndarray
    moments: Moments | None = None


def _as_given(
    given: object, curves: list[_Curve], name: str | Sequence[str] | None
) -> dict[str, Any]:
    """Return what a display holds of curves: of a list lists, of one fit its own."""
    epochs, losses = [each.epochs for each in curves], [each.loss for each in curves]
    if not isinstance(given, (Mapping, list, tuple)):
        return {"epochs": epochs[0], "loss": losses[0], "name": name}
    if name is None:
        name = list(given) if isinstance(given, Mapping) else _differences(curves)
    return {"epochs": epochs, "loss": losses, "name": name}


def _above_the_least(curves: list[_Curve], data: Data) -> list[_Curve]:
    """Return the excess of each curve over the least loss, on data that were passed.

    Or, where none were, on those of the moments that an estimator has.
    """
    if data[0] is None:
        return [
            _excess(each, (each.moments, None, None), each.moments) for each in curves
        ]
    refuse_elsewhere("pictures are drawn from rows that the CPU reads", X=data[0])
    moments = Moments.from_data(*data)
    return [_excess(each, data, moments) for each in curves]


def _excess(curve: _Curve, data: Data, moments: Moments | None) -> _Curve:
    """Return the excess over the least loss; nan where it is rounding or below."""
    estimator, _, loss, _ = curve
    _refuse_unknown_least(estimator, moments)
    assert moments is not None
    _refuse_other_features(estimator, moments)
    if curve.moments is not None:
        _refuse_other_moments(curve.moments, moments)
    settings = settings_of(
        estimator,
        np.dtype(np.float64),
        n_targets=moments.n_targets,
        y_is_1d=moments.y_is_1d,
    )
    least, largest = least_objective(data, moments, settings)
    excess, rounding = loss - least, _rounding(curve, moments, largest)
    of_batches = settings.batch_size is not None
    if not of_batches and np.nanmin(excess) < -_SAME_LOSS * least - rounding:
        raise ValueError(
            f"The least loss on the data is {least:.6g}, and the descent reached "
            f"{np.nanmin(loss):.6g}: it was on other data, or on columns that repeat "
            "each other so nearly that moments do not tell them apart. Pass the rows, "
            "targets and weights that it was on as X, y and sample_weight."
        )
    return curve._replace(loss=np.where(excess > rounding, excess, np.nan))


def _rounding(curve: _Curve, moments: Moments, largest: float) -> float:
    """Return how far rounding takes a loss from the least one."""
    of_y = np.diag(moments.scatter)[moments.n_features :].sum() / moments.weight
    dtype = getattr(curve.estimator, "coef_", np.empty(0)).dtype
    return float(_ROUNDINGS * np.finfo(dtype).eps * max(of_y, curve.loss[0], largest))


def _several(given: Any) -> list[Any]:
    """Return what was passed, one or several, as a list."""
    if isinstance(given, Mapping):
        given = list(given.values())
    if not isinstance(given, (list, tuple)):
        return [given]
    if not given:
        raise ValueError(f"There is nothing to plot in {given!r}.")
    return list(given)


def _regressor_of(estimator: BaseEstimator) -> GDLinearRegressor:
    """Return the fitted regressor inside an estimator."""
    # Here, as they add some 4% to the time of ``import skgd``.
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import Pipeline

    inner = estimator
    while not isinstance(inner, GDLinearRegressor):
        if isinstance(inner, Pipeline):
            inner = inner.steps[-1][1]
            continue
        if not isinstance(inner, (BaseSearchCV, TransformedTargetRegressor)):
            raise TypeError(
                "There is no GDLinearRegressor, nor a loss_curve_, in "
                f"{estimator!r}. Pass one, a pipeline that ends in one, or a search "
                "for one."
            )
        check_is_fitted(inner)
        name = "best_estimator_" if isinstance(inner, BaseSearchCV) else "regressor_"
        if not hasattr(inner, name):
            raise ValueError(
                f"{inner!r} has no {name}: with refit=False, no estimator was fitted "
                "to all rows. Set refit=True."
            )
        inner = getattr(inner, name)
    check_is_fitted(
        inner,
        msg="This %(name)s is not fitted. Fit it first. Of a fit that raised, a "
        "skgd.callback.DescentHistory that was set on it has the losses: use "
        "from_history.",
    )
    return inner


def _refuse_half_of_the_data(
    X: object, y: object, sample_weight: object, *, excess: bool
) -> None:
    """Raise where data are passed in part, or for nothing."""
    given = {"X": X, "y": y, "sample_weight": sample_weight}
    names = [name for name, value in given.items() if value is not None]
    if names and not excess:
        raise ValueError(
            f"{' and '.join(names)} passed with excess=False, which needs no data. Set "
            "excess=True, or leave them out."
        )
    if names and (X is None or y is None):
        raise ValueError(
            f"{' and '.join(names)} passed without {'X' if X is None else 'y'}. The "
            "least loss is that of features and targets: pass both."
        )


def _refuse_unknown_least(
    estimator: GDLinearRegressor, moments: Moments | None
) -> None:
    """Raise where the least loss is not known."""
    if estimator.loss != "squared_error":
        raise ValueError(
            f"excess=True is for squared error, whose least loss moments tell. Of "
            f"loss={estimator.loss!r} it is not known. Set excess=False."
        )
    if estimator.early_stopping:
        raise ValueError(
            "excess=True with early_stopping=True: the least loss on the rows that "
            "were not held out is not known. Set excess=False."
        )
    if moments is None:
        raise ValueError(
            "excess=True, and the least loss is not known: there are no moments_ of "
            "the rows (mini-batches and histories have none). Pass X and y, the rows "
            "that were fitted to."
        )


def _refuse_other_features(estimator: GDLinearRegressor, moments: Moments) -> None:
    """Raise where the data have another number of features than those of the fit."""
    n_features = getattr(estimator, "n_features_in_", moments.n_features)
    if n_features != moments.n_features:
        raise ValueError(
            f"X has {moments.n_features} features, and the regressor was fitted to "
            f"{n_features}. Pass the rows that it was fitted to (of a pipeline, "
            "pipeline[:-1].transform(X))."
        )


def _refuse_other_moments(fitted: Moments, passed: Moments) -> None:
    """Raise where means or spreads of columns are not those of the fit."""
    same = fitted.mean.shape == passed.mean.shape
    if same:
        spread, other = (
            np.sqrt(np.diag(each.scatter) / each.weight) for each in (fitted, passed)
        )
        off_mean = np.abs(fitted.mean - passed.mean)
        near = _SAME_LOSS * spread + 1e-6 * np.abs(fitted.mean)  # in float32
        same = bool((np.maximum(off_mean, np.abs(spread - other)) <= near).all())
    if not same:
        raise ValueError(
            "X and y are not the data of the fit: their means or spreads are others "
            "than those of moments_. Pass the rows, targets and weights that it was on "
            "(of a pipeline, pipeline[:-1].transform(X)), or none."
        )


def _names(name: str | Sequence[str] | None, n_curves: int) -> list[str | None]:
    """Return the name of each curve."""
    if name is None:
        return [None] * n_curves
    names = [name] if isinstance(name, str) else list(name)
    if len(names) != n_curves:
        raise ValueError(
            f"The 'name' parameter must name each of the {n_curves} curves. Got "
            f"{len(names)} names: {names}."
        )
    return [*names]


def _differences(curves: Sequence[_Curve]) -> list[str]:
    """Return the parameters by which fits differ; numbers where they do not."""
    parameters = [
        {
            name: repr(python_number(value))
            for name, value in each.estimator.get_params().items()
        }
        for each in curves
    ]
    shared = set.intersection(*(set(each) for each in parameters))
    differing = [
        name
        for name in parameters[0]
        if name in shared and len({each[name] for each in parameters}) > 1
    ]
    for chosen in [*([name] for name in differing), differing]:
        names = [
            ", ".join(f"{name}={each[name]}" for name in chosen) for each in parameters
        ]
        if len(set(names)) == len(names):  # one parameter is enough, mostly
            return names
    return [f"fit {number}" for number in range(len(curves))]


def _suit_a_log_axis(losses: Sequence[np.ndarray]) -> bool:
    """Return whether some losses are above zero, and none below."""
    finite = [loss[np.isfinite(loss)] for loss in losses]
    return all((loss >= 0).all() for loss in finite) and any(
        (loss > 0).any() for loss in finite
    )
