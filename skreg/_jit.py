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
stale code after an edit of a body elsewhere. Here the cache of a kernel is stamped with the
contents of every *kernel source* that its module reaches by imports: files that import this module
or register a body (see `skreg._kernel_sources`). A constant that a kernel reads must therefore
stand in a kernel source. Bodies that a user registers from outside the package enter the key of
exactly those compiled versions that their NamedTuple takes part in.

What keeps the first fit short, as compilation takes as long as the code that numba has to read:
kernels assign slices of arrays in loops (numba spells out an error message for each dimension of a
slice that might not fit, two seconds of unicode functions), a constant argument makes no version of
its own, and no version gets a wrapper for C.
"""

import contextlib
import functools
import gc
import hashlib
import inspect
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import overload

from skreg._compiling import notice
from skreg._kernel_sources import PACKAGE, kernel_sources_stamp

_OPTIONS: Any = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
# digests of the files outside the package that hold the bodies for a class
_OUTSIDE_BODIES: defaultdict[type, list[str]] = defaultdict(list)


def _digest_of_outside_body(body: Callable, source: Path) -> str:
    content = source.read_bytes() if source.exists() else inspect.getsource(body).encode()
    return hashlib.sha256(content).hexdigest()


class _Index(IndexDataCacheFile):
    """numba's index of compiled versions, as pickled signatures."""

    def _load_index(self) -> dict:
        try:
            return super()._load_index()
        except (AttributeError, ImportError):
            return {}  # it names a class that has moved since: as stale as an old stamp


class _Cache(FunctionCache):
    """numba's disk cache of one function, valid while no kernel source of it changes.

    Every compiled version has an index of its own. One index for all would lose entries, or name
    the file of another version, when two processes write it at once; and as a signature is pickled
    with the classes of its NamedTuples, a process that lacks one of them could not read it.
    """

    def __init__(self, py_func: Callable) -> None:
        super().__init__(py_func)
        source = Path(inspect.getfile(py_func)).resolve()
        self._stamp = self._impl.locator.get_source_stamp(), kernel_sources_stamp(source)

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        with self._at_index_of(sig):
            return super()._load_overload(sig, target_context)

    def _save_overload(self, sig: Any, data: Any) -> None:
        with self._at_index_of(sig):
            super()._save_overload(sig, data)

    @contextlib.contextmanager
    def _at_index_of(self, sig: Any) -> Iterator[None]:
        names = [f"{cls.__module__}.{cls.__qualname__}" for cls in _named_tuple_classes(sig)]
        digest = hashlib.sha256("\n".join([str(sig), *names]).encode()).hexdigest()[:16]
        of_no_version = self._cache_file
        self._cache_file = _Index(
            cache_path=self.cache_path,
            filename_base=f"{self._impl.filename_base}-{digest}",
            source_stamp=self._stamp,
        )
        try:
            yield
        finally:
            self._cache_file = of_no_version

    def _index_key(self, sig: Any, codegen: Any) -> tuple:
        classes = _named_tuple_classes(sig)
        digests = [digest for cls in classes for digest in _OUTSIDE_BODIES.get(cls, ())]
        return super()._index_key(sig, codegen) + tuple(digests)


def _named_tuple_classes(sig: Any) -> list[type]:
    """Classes of the NamedTuples among the arguments."""
    classes = map(_named_tuple_class, sig)
    return [cls for cls in classes if cls is not None]


def _named_tuple_class(argument: Any) -> type | None:
    """Class of an argument that is a NamedTuple, in numba's types; None if it is not."""
    if not isinstance(argument, types.BaseNamedTuple):
        return None
    return argument.instance_class  # type: ignore[attr-defined]


def kernel(
    function: Callable | None = None, *, reassociate: bool = False, inline: bool = False
) -> Any:
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
    options = dict(_OPTIONS)
    if reassociate:
        options["fastmath"] = {"reassoc", "contract"}
    if inline:
        options["inline"] = "always"
    compiled: Any = numba.njit(**options)(function)
    if compiled is function:  # NUMBA_DISABLE_JIT is set
        return compiled
    _ignore_literals(compiled)
    _tell_of_compilation(compiled)
    try:
        compiled._cache = _Cache(function)
    except RuntimeError as error:
        warnings.warn(
            f"skreg compiles its kernels anew in this process: {error}. "
            "Set NUMBA_CACHE_DIR to a writable folder to keep them.",
            RuntimeWarning,
            stacklevel=2,
        )
    return compiled


def _ignore_literals(compiled: Any) -> None:
    """Let callers with a constant argument share the version that is compiled for its type."""
    resolve = compiled.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        kws = {name: types.unliteral(argument) for name, argument in dict(kws).items()}
        return resolve([types.unliteral(argument) for argument in args], kws)

    compiled.get_call_template = get_call_template


def _tell_of_compilation(compiled: Any) -> None:
    compile_arguments = compiled._compiler.compile

    def compile_noticed(args: Any, return_type: Any) -> Any:
        with notice.compiling(), _collector_paused():
            return compile_arguments(args, return_type)

    compiled._compiler.compile = compile_noticed


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cyclic garbage, which takes a tenth of a compilation and finds little."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def generic(declaration: Callable) -> Any:
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
    bodies: dict[Any, Callable] = {}
    signature = inspect.signature(declaration)
    name = declaration.__name__

    @functools.wraps(declaration)
    def dispatch(first: Any, *rest: Any) -> Any:
        body = bodies.get(type(first))
        if body is None:
            known = ", ".join(sorted(cls.__name__ for cls in bodies))
            raise TypeError(f"{name} is not defined for {type(first).__name__}; only for {known}")
        return body(first, *rest)

    def register(cls: type) -> Callable:
        def decorate(body: Callable) -> Callable:
            if list(inspect.signature(body).parameters) != list(signature.parameters):
                raise TypeError(f"the arguments of {name} for {cls.__name__} must be {signature}")
            bodies[cls] = body
            source = Path(inspect.getfile(body)).resolve()
            if not source.is_relative_to(PACKAGE):
                _OUTSIDE_BODIES[cls].append(_digest_of_outside_body(body, source))
            return body

        return decorate

    def compile_for(first: Any, *_: Any) -> Callable | None:
        return bodies.get(_named_tuple_class(first))

    compile_for.__signature__ = signature  # type: ignore[attr-defined]
    overload(dispatch, jit_options=_OPTIONS)(compile_for)
    vars(dispatch).update(register=register, knows=bodies.__contains__)
    return dispatch
