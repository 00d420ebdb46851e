"""Names for the types that several modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike as ArrayLike
from scipy.sparse import sparray, spmatrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Method = TypeVar("Method", bound=Callable[..., Any])

    def _fit_context(
        *, prefer_skip_nested_validation: bool
    ) -> Callable[[Method], Method]: ...
    def available_if(check: Callable[[Any], bool]) -> Callable[[Method], Method]: ...
    def with_callbacks(method: Method) -> Method: ...

else:  # scikit-learn ships no types: its decorators would hide those of the methods
    from sklearn.base import _fit_context as _fit_context
    from sklearn.callback import with_callbacks as with_callbacks
    from sklearn.utils.metaestimators import available_if as available_if

#: A NumPy array or a torch tensor; within one descent all are of one library.
Array: TypeAlias = Any

#: The same, or sparse rows: an array of SciPy, a ShiftedMatrix, or a SparseMatrix.
Matrix: TypeAlias = Any

#: (coef,) or (coef, intercept), of shapes (n_features, n_targets) and (n_targets,).
#: Gradients have the same form.
Parameters: TypeAlias = tuple[Array, ...]

#: The same in NumPy.
NumpyParameters: TypeAlias = tuple[np.ndarray, ...]

#: SciPy's sparse matrices and arrays of every layout.
SparseLike: TypeAlias = sparray | spmatrix

#: One number for all targets, or an array of shape (n_targets,).
PerTarget: TypeAlias = float | np.ndarray
