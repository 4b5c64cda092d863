"""Everything that skreg imports from private modules of scikit-learn, in one place.

A release of scikit-learn that moves one of these names is answered here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sklearn.model_selection._validation import _fit_and_predict
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import (
    _convert_to_numpy,
    _max_precision_float_dtype,
    check_same_namespace,
    get_namespace,
    get_namespace_and_device,
    move_to,
)
from sklearn.utils._metadata_requests import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils._missing import is_pandas_na
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_method_params, _check_sample_weight

if TYPE_CHECKING:  # scikit-learn has no types, and what it decorates would lose its own
    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

    def _fit_context(
        *, prefer_skip_nested_validation: bool
    ) -> Callable[[Decorated], Decorated]: ...

    def validate_params(
        parameter_constraints: dict[str, Any], *, prefer_skip_nested_validation: bool
    ) -> Callable[[Decorated], Decorated]: ...
else:
    from sklearn.base import _fit_context
    from sklearn.utils._param_validation import validate_params

__all__ = [
    "HasMethods",
    "Interval",
    "MetadataRouter",
    "MethodMapping",
    "StrOptions",
    "_check_method_params",
    "_check_sample_weight",
    "_convert_to_numpy",
    "_fit_and_predict",
    "_fit_context",
    "_max_precision_float_dtype",
    "_raise_for_params",
    "_routing_enabled",
    "_safe_indexing",
    "check_same_namespace",
    "get_namespace",
    "get_namespace_and_device",
    "is_pandas_na",
    "move_to",
    "process_routing",
    "validate_params",
]
