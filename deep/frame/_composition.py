"""Parameters of named regularizers, as ``regularizers__NAME__PARAM``."""

from typing import Any, Self

from skreg._estimator import Estimator

from ._regularizer import NamedRegularizers, Regularizer

PREFIX = "regularizers__"


def named_pairs(regularizers):
    """The pairs in what may not have been checked yet."""
    listed = regularizers if isinstance(regularizers, list | tuple) else ()
    return [pair for pair in listed if isinstance(pair, tuple) and len(pair) == 2]


class RegularizerParameters(Estimator):
    """``get_params`` and ``set_params`` for a class with a parameter `regularizers`."""

    regularizers: NamedRegularizers | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Include the regularizers and their parameters.

        Returns
        -------
        dict
            Values by name.
        """
        params = super().get_params(deep=deep)
        if deep:
            for name, regularizer in named_pairs(self.regularizers):
                params[PREFIX + name] = regularizer
                if regularizer is not None:
                    for key, value in regularizer.get_params().items():
                        params[f"{PREFIX}{name}__{key}"] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Values; ``regularizers__NAME`` replaces a regularizer, ``regularizers__NAME__PARAM``
            sets one of its parameters.

        Returns
        -------
        object
            This object.

        Raises
        ------
        ValueError
            If there is no such regularizer or parameter.
        """
        ours = {key: params.pop(key) for key in list(params) if key.startswith(PREFIX)}
        super().set_params(**params)
        for key in sorted(ours, key=lambda key: key.count("__")):
            name, _, parameter = key.removeprefix(PREFIX).partition("__")
            named = dict(named_pairs(self.regularizers))
            if name not in named:
                raise ValueError(
                    f"{type(self).__name__} has no regularizer {name!r}; it has {list(named)}"
                )
            if parameter and named[name] is None:
                raise ValueError(f"regularizer {name!r} is None and has no parameter {parameter!r}")
            if parameter:
                named[name].set_params(**{parameter: ours[key]})
            else:
                self.regularizers = [*(named | {name: ours[key]}).items()]
        return self

    def check_regularizers(self) -> None:
        """Check the list of regularizers.

        Raises
        ------
        TypeError
            If it is not a list of pairs of a name and a `Regularizer` or None.
        ValueError
            If a name occurs twice or contains two underscores in a row.
        """
        pairs = self.regularizers or ()
        for pair in pairs:
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise TypeError(f"regularizers must be pairs (name, regularizer), got {pair!r}")
            if not (pair[1] is None or isinstance(pair[1], Regularizer)):
                raise TypeError(
                    f"regularizer {pair[0]!r} must be an instance of skreg.deep.Regularizer, "
                    f"got {pair[1]!r}"
                )
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise ValueError(f"names of regularizers must differ, got {names}")
        if any("__" in name or not name for name in names):
            raise ValueError(
                f"names of regularizers must not be empty or contain '__', got {names}"
            )
