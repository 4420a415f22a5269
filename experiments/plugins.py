"""The user's own modules that register criteria, data sets and the like: `--plugins`."""

import ast
import contextlib
import functools
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..settings.registry import REGISTRIES, is_own
from ..utils import RunError, UsageError, fingerprint

_LOADED = []


def load(names: Iterable[str]) -> None:
    """Imports modules by name, also from the working directory.

    They can import this package as `network_pruning`, whatever its folder is called. Their sources
    are read now, so that `source_digest` is of the code that runs and not of later edits.

    Raises:
        UsageError: if one cannot be imported, or registers something invalid.
    """
    here = str(Path.cwd())
    if names and here not in sys.path:
        sys.path.append(here)
    for name in names:
        try:
            importlib.import_module(name)
        except UsageError:
            raise
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            raise UsageError(_cannot_import(name, error)) from error
        _LOADED.append(name)
        # No warnings of NumPy with lines of source: returned values are checked instead.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=f"{re.escape(name)}$")
    for module in _plugin_modules():
        _sources(module)


def is_plugin(function: Callable) -> bool:
    """Whether a registered function is defined or registered by a plugin."""
    return not all(map(is_own, _modules_of(function)))


def source_digest(function: Callable) -> str:
    """A digest of the code of a plugin's function, 12 hexadecimal digits; "" for the package's own.

    It is of the source of the modules that define and register `function` (a function, a class, a
    `functools.partial` or a callable object), and of all modules beside them that they import, as
    of when the plugin was loaded.
    """
    modules = [name for name in _modules_of(function) if not is_own(name)]
    return _digest(map(_sources, modules)) if modules else ""


def digest_of_layers() -> str:
    """A digest as `source_digest`, of all loaded plugins that register classes and functions with
    Keras, which saved models may need."""
    keras = sys.modules.get("keras")
    kinds = keras.saving.get_custom_objects().values() if keras else ()
    modules = {sys.modules.get(kind.__module__) for kind in kinds}
    files = {str(getattr(module, "__file__", None)) for module in modules}
    sources = [found for found in map(_sources, _LOADED) if files & set(found)]
    return _digest(sources) if sources else ""


def _digest(sources):
    content = sorted({source for found in sources for source in found.values()})
    return fingerprint(repr(content), 12)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Makes one sentence of errors in a plugin's code; can be used as a decorator.

    Raises:
        RunError: instead of any exception that passed through a plugin's code, except a UsageError.
    """
    try:
        yield
    except (UsageError, RunError):
        raise
    except (Exception, SystemExit) as error:
        plugins = _plugin_modules()
        steps = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        theirs = [step for step in steps if step.f_globals.get("__name__") in plugins]
        if not theirs:
            raise
        module, function = theirs[-1].f_globals["__name__"], theirs[-1].f_code.co_name
        raise RunError(f"The plugin {module} failed in {function}: {_line(error)}.") from error


def _cannot_import(name, error):
    text = f"--plugins: {name!r} cannot be imported ({_line(error)})."
    is_missing = isinstance(error, ModuleNotFoundError) and name.startswith(error.name or name)
    if is_missing or not all(part.isidentifier() for part in name.split(".")):
        text += " Give the name of a Python module in this folder or on PYTHONPATH, without .py."
    return text


def _line(error):
    """The exception in one line, without a full stop."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")


def _plugin_modules():
    """The modules that were loaded as plugins, and those that define or register functions."""
    functions = [entry.function for registry in REGISTRIES for entry in registry.entries().values()]
    names = {name for function in functions for name in _modules_of(function)}
    return sorted(name for name in {*_LOADED, *names} if not is_own(name))


def _modules_of(function):
    """The modules that define a function and register it."""
    entries = [entry for registry in REGISTRIES for entry in registry.entries().values()]
    registering = {entry.module for entry in entries if entry.function is function}
    return {getattr(_definition(function), "__module__", None) or "builtins", *registering}


def _definition(function):
    """The function or class with the source: behind partials, wrappers and callable objects."""
    if isinstance(function, functools.partial):
        return _definition(function.func)
    function = inspect.unwrap(function)
    has_source = hasattr(function, "__code__") or inspect.isclass(function)
    return function if has_source else type(function)


@functools.cache
def _sources(module):
    """The source files of a module and, recursively, of modules beside it that it imports.

    Returns:
        By path, the path relative to the folder of the plugins and the bytes. Read once.
    """
    path = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    if not path.is_file():
        return {}
    root = path.parents[module.count(".") + (path.name == "__init__.py")]
    # An installed plugin is beside all other packages: only its own one counts.
    only = module.partition(".")[0] if _is_installed(root) else None
    found, waiting = {}, [(module, path)]
    while waiting:
        name, path = waiting.pop()
        if str(path) not in found:
            content = path.read_bytes()
            found[str(path)] = str(path.relative_to(root)), content
            for other in _imports(name, path, content):
                file = _file_of(other, root)
                if file and not is_own(other) and only in (None, other.partition(".")[0]):
                    waiting.append((other, file))
    return found


def _is_installed(folder):
    import sysconfig

    known = str(folder) in sysconfig.get_paths().values()
    return known or folder.name in ("site-packages", "dist-packages")


def _file_of(module, root):
    """The source file of a module in the folder `root`; None if there is none."""
    base = root.joinpath(*module.split("."))
    candidates = base / "__init__.py", base.with_name(f"{base.name}.py")
    return next((file for file in candidates if file.is_file()), None)


def _imports(name, path, content):
    """All names that a source may import as modules, and the packages that contain them."""
    try:
        tree = ast.parse(content if path.suffix == ".py" else b"")
    except (SyntaxError, ValueError):  # it cannot have been imported
        return set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            with contextlib.suppress(ImportError):  # a relative import beyond its package
                base = "." * node.level + (node.module or "")
                base = importlib.util.resolve_name(base, package)
                found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    parts = [module.split(".") for module in found]
    return {".".join(part[: size + 1]) for part in parts for size in range(len(part))}
