"""Compiled kernels that are cached to disk, and generic functions that they can call.

`kernel` compiles a function once per machine. `generic` makes a function that chooses its body by
the class of its first argument, a `typing.NamedTuple`, in plain Python and in kernels alike:

    class Quadratic(NamedTuple):
        pass

    @generic
    def loss_value(loss, prediction, target): ...

    @loss_value.register(Quadratic)
    def _(loss, prediction, target):
        return 0.5 * (target - prediction) ** 2

A new loss or penalty is thus one NamedTuple and one body per function; no kernel is edited.

numba keeps machine code fresh by watching only the file in which a kernel stands, so it would run
stale code after an edit of a body elsewhere. Here the cache is stamped with the contents of every
*kernel source* of the package: every file that imports this module or registers a body. A constant
that a kernel reads must therefore stand in a kernel source. Bodies that a user registers from
outside the package enter the key of exactly those compiled versions that their NamedTuple takes
part in.
"""

import contextlib
import functools
import hashlib
import inspect
import warnings
from collections import defaultdict
from pathlib import Path

import numba
from numba.core import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import overload

_PACKAGE = Path(__file__).resolve().parent
_MARKS = b"_jit import", b".register("
_OPTIONS = {"nogil": True, "error_model": "numpy"}
# digests of the files outside the package that hold the bodies for a class
_OUTSIDE_BODIES: defaultdict[type, list[str]] = defaultdict(list)


@functools.cache
def kernel_sources_stamp():
    """Digest of all kernel sources of the package, in hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if path.name == "_jit.py" or any(mark in source for mark in _MARKS):
            digest.update(path.relative_to(_PACKAGE).as_posix().encode())
            digest.update(source)
    return digest.hexdigest()


def _digest_of_outside_body(body, source):
    content = source.read_bytes() if source.exists() else inspect.getsource(body).encode()
    return hashlib.sha256(content).hexdigest()


class _Index(IndexDataCacheFile):
    """numba's index of a function's compiled versions, as pickled signatures."""

    def _load_index(self):
        try:
            return super()._load_index()
        except (AttributeError, ImportError):
            return {}  # it names a class that has moved since: as stale as an old stamp


class _StampedCache(FunctionCache):
    """numba's disk cache of one function, valid while no kernel source changes.

    A signature is pickled with the classes of its NamedTuples. Versions for classes from outside
    the package have an index of their own for each set of them, so that processes that do not know
    those classes never read it.
    """

    def __init__(self, py_func):
        super().__init__(py_func)
        self._cache_file = self._index(self._impl.filename_base)

    def _index(self, name):
        stamp = self._impl.locator.get_source_stamp(), kernel_sources_stamp()
        return _Index(cache_path=self.cache_path, filename_base=name, source_stamp=stamp)

    def _load_overload(self, sig, target_context):
        with self._at_index_of(sig):
            return super()._load_overload(sig, target_context)

    def _save_overload(self, sig, data):
        with self._at_index_of(sig):
            super()._save_overload(sig, data)

    @contextlib.contextmanager
    def _at_index_of(self, sig):
        outside = _outside_classes(sig)
        inside = self._cache_file
        if outside:
            names = [f"{cls.__module__}.{cls.__qualname__}" for cls in outside]
            digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
            self._cache_file = self._index(f"{self._impl.filename_base}-{digest}")
        try:
            yield
        finally:
            self._cache_file = inside

    def _index_key(self, sig, codegen):
        digests = [digest for cls in _outside_classes(sig) for digest in _OUTSIDE_BODIES[cls]]
        return super()._index_key(sig, codegen) + tuple(digests)


def _outside_classes(sig):
    """NamedTuple classes among the arguments that are not the package's own."""
    classes = [
        argument.instance_class for argument in sig if isinstance(argument, types.BaseNamedTuple)
    ]
    package = __name__.partition(".")[0] + "."
    return [cls for cls in classes if not cls.__module__.startswith(package)]


def kernel(function=None, *, reassociate=False, inline=False):
    """Compile `function` with numba: without the GIL, numpy's error model, cached to disk.

    The cache lies beside the source, or in the user's cache folder where the installation is
    read-only, or in ``NUMBA_CACHE_DIR`` if that is set. Compilation happens at the first call with
    each combination of argument types.

    Parameters
    ----------
    function : callable
        A module-level function in numba's subset of Python.
    reassociate : bool, default=False
        Let the compiler sum in any order, so that it can use vector instructions. NaN and
        infinity keep their meaning.
    inline : bool, default=False
        Put the body into every kernel that calls it: a call costs as much as some ten operations,
        which counts for functions of a few.

    Returns
    -------
    callable
        The compiled function; the original is its attribute ``py_func``.
    """
    if function is None:
        return functools.partial(kernel, reassociate=reassociate, inline=inline)
    fastmath = {"reassoc", "contract"} if reassociate else False
    options = {"inline": "always"} if inline else {}
    compiled = numba.njit(**_OPTIONS, **options, fastmath=fastmath)(function)
    try:
        compiled._cache = _StampedCache(function)
    except RuntimeError as error:
        warnings.warn(
            f"skreg compiles its kernels anew in this process: {error}. "
            "Set NUMBA_CACHE_DIR to a writable folder to keep them.",
            RuntimeWarning,
            stacklevel=2,
        )
    return compiled


def generic(declaration):
    """Make a function that dispatches on the NamedTuple class of its first argument.

    Parameters
    ----------
    declaration : callable
        Its signature names the positional arguments; its docstring says what every body computes;
        its own body is never run.

    Returns
    -------
    callable
        The generic function. ``register(cls)`` decorates the body for one NamedTuple class, and
        ``knows(cls)`` says whether there is one. Called from Python it runs that body uncompiled,
        called from a kernel it is compiled into it.

    Raises
    ------
    TypeError
        From ``register``, if the arguments of a body are not named as in the declaration; from a
        call, if no body is registered for the class of the first argument.
    """
    bodies = {}
    signature = inspect.signature(declaration)
    name = declaration.__name__

    @functools.wraps(declaration)
    def dispatch(first, *rest):
        body = bodies.get(type(first))
        if body is None:
            known = ", ".join(sorted(cls.__name__ for cls in bodies))
            raise TypeError(f"{name} is not defined for {type(first).__name__}; only for {known}")
        return body(first, *rest)

    def register(cls):
        def decorate(body):
            if list(inspect.signature(body).parameters) != list(signature.parameters):
                raise TypeError(f"the arguments of {name} for {cls.__name__} must be {signature}")
            bodies[cls] = body
            source = Path(inspect.getfile(body)).resolve()
            if not source.is_relative_to(_PACKAGE):
                _OUTSIDE_BODIES[cls].append(_digest_of_outside_body(body, source))
            return body

        return decorate

    def compile_for(first, *_):
        if isinstance(first, types.BaseNamedTuple):
            return bodies.get(first.instance_class)
        return None

    compile_for.__signature__ = signature
    overload(dispatch, jit_options=_OPTIONS)(compile_for)
    dispatch.register = register
    dispatch.knows = bodies.__contains__
    return dispatch
