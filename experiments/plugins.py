"""Modules of the user's that register criteria, data sets and the like: `--plugins`."""

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
from pathlib import Path

from ..settings.registry import REGISTRIES, definition, is_own
from ..utils import RunError, UsageError, fingerprint

_LOADED = []


def load(names):
    """Imports modules by name, from the working directory too.

    They find this package as `network_pruning`, whatever its folder is called. Their sources are
    read now, so that `source_digest` tells of what runs, not of what is edited meanwhile.

    Raises:
        UsageError: if one cannot be imported, or registers what cannot be registered.
    """
    here = str(Path.cwd())
    if names and here not in sys.path:
        sys.path.append(here)
    for name in names:
        try:
            importlib.import_module(name)
        except UsageError:
            raise
        except (Exception, SystemExit) as error:  # somebody else's code: anything may happen
            raise UsageError(_cannot_import(name, error)) from error
        _LOADED.append(name)
        # What NumPy would warn of there, with lines of source, is checked when it is returned.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=f"{re.escape(name)}$")
    for module in _plugin_modules():
        _sources(module)


def is_plugin(function):
    """Whether a registered function is somebody else's: defined or registered by a plugin."""
    return not all(map(is_own, _modules_of(function)))


def source_digest(function):
    """What a plugin's function may depend on, as 12 hexadecimal digits; "" for our own functions.

    A digest of the source of the modules that define and register `function` (a function, a class,
    a `functools.partial` or a callable object), and of all that they import from beside them, as it
    was when the plugin was loaded.
    """
    modules = sorted(name for name in _modules_of(function) if not is_own(name))
    content = sorted({source for name in modules for source in _sources(name).values()})
    return fingerprint(repr(content), 12) if modules else ""


def digest_of_layers():
    """The same of all plugins that were loaded and bring what a saved model may be made of: classes
    and functions that are registered with Keras."""
    keras = sys.modules.get("keras")
    kinds = keras.saving.get_custom_objects().values() if keras else ()
    modules = {sys.modules.get(kind.__module__) for kind in kinds}
    files = {str(getattr(module, "__file__", None)) for module in modules}
    sources = [_sources(name) for name in _LOADED]
    content = sorted({s for found in sources if files & set(found) for s in found.values()})
    return fingerprint(repr(content), 12) if content else ""


@contextlib.contextmanager
def explained():
    """Makes a sentence of what goes wrong in a plugin; a decorator, too.

    Raises:
        RunError: instead of any exception but our own that went through a plugin's file.
    """
    try:
        yield
    except (UsageError, RunError):
        raise
    except (Exception, SystemExit) as error:
        sentence = _failure(error)
        if sentence is None:
            raise
        raise RunError(sentence) from error


def _failure(error):
    """Which plugin's function failed, where and how; None if no plugin was on the way."""
    files = {}
    for module in _plugin_modules():
        files |= {path: name for path, (name, _) in _sources(module).items()}
    theirs = [step for step in _steps(error) if step[0].co_filename in files]
    if not theirs:
        return None
    code, line = theirs[-1]
    place = f"{files[code.co_filename]}, line {line}, in {code.co_name}"
    return f"The {_culprit(theirs[0][0])} failed: {place}: {_said(error)}."


def _steps(error):
    """Where an exception went through: (code, line), the innermost last."""
    return [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]


def _culprit(entrance):
    """What a plugin has registered whose code this is: criterion 'mine'."""
    found = [
        (f"{registry.axis} {name!r}", name == registry.latest)
        for registry in REGISTRIES
        for name, entry in registry.entries().items()
        if is_plugin(entry.function) and any(code is entrance for code in _codes(entry.function))
    ]
    # Partials of one function have the same code: the one that was asked for last has run.
    ran = [name for name, is_latest in found if is_latest] or [name for name, _ in found]
    return " or the ".join(ran) or f"plugin {Path(entrance.co_filename).stem!r}"


def _cannot_import(name, error):
    # The first module that runs is the plugin; what it calls elsewhere is not the user's to mend.
    steps = _steps(error)
    while steps and steps[0][0].co_name != "<module>":
        del steps[0]
    begin = f"--plugins: {name!r} cannot be imported"
    if steps:
        folder = Path(steps[0][0].co_filename).parent
        places = [(code, line) for code, line in steps if Path(code.co_filename).parent == folder]
        code, line = places[-1]
        return f"{begin}: {Path(code.co_filename).name}, line {line}: {_said(error)}."
    if isinstance(error, SyntaxError):  # it says file and line itself
        return f"{begin}: {_said(error)}."
    return (
        f"{begin} ({_said(error)}). Give the name of a Python module in this folder or on "
        "PYTHONPATH, without .py."
    )


def _said(error):
    """The exception in one line, without a full stop, and what to do where that is known."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":.")
    if isinstance(error, ValueError) and "read-only" in text:
        text += "; arrays that a plugin is given are read-only, copy them first: array.copy()"
    return text


def _plugin_modules():
    """The modules that were loaded as plugins, and those that define or register their values."""
    functions = [entry.function for registry in REGISTRIES for entry in registry.entries().values()]
    names = {name for function in functions for name in _modules_of(function)}
    return sorted(name for name in {*_LOADED, *names} if not is_own(name))


def _modules_of(function):
    """The modules that define a function and register it."""
    # A pattern's values are objects that its registered class makes.
    known = [
        entry.module
        for registry in REGISTRIES
        for entry in registry.entries().values()
        if entry.function is function or entry.function is type(function)
    ]
    return {getattr(definition(function), "__module__", None) or "builtins", *known}


def _codes(function):
    """The code of a function, or of all methods of a class, and of the functions within."""
    defined = definition(function)
    if inspect.isclass(defined):
        members = [member for base in defined.__mro__ for member in vars(base).values()]
    else:
        members = [function, defined]
    waiting = [getattr(getattr(member, "__func__", member), "__code__", None) for member in members]
    while waiting:
        code = waiting.pop()
        if inspect.iscode(code):
            yield code
            waiting += code.co_consts


@functools.cache
def _sources(module):
    """The source files of a module and of those that it imports from beside it, however far.

    Returns:
        By path, the path below the folder of the plugins and the bytes. Read once.
    """
    path = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    if not path.is_file():
        return {}
    root = path.parents[module.count(".") + (path.name == "__init__.py")]
    # Beside an installed plugin are all other packages: only its own one counts.
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
    """Where the source of a module in the folder `root` is; None if there is none."""
    base = root.joinpath(*module.split("."))
    candidates = base / "__init__.py", base.with_name(f"{base.name}.py")
    return next((file for file in candidates if file.is_file()), None)


def _imports(name, path, content):
    """The modules that a source may import: all that could be one, and the packages they are in."""
    try:
        tree = ast.parse(content if path.suffix == ".py" else b"")
    except (SyntaxError, ValueError):  # so that it cannot have been imported
        return set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            with contextlib.suppress(ImportError):  # it would lead out of its package
                base = "." * node.level + (node.module or "")
                base = importlib.util.resolve_name(base, package)
                found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    parts = [module.split(".") for module in found]
    return {".".join(part[: size + 1]) for part in parts for size in range(len(part))}
