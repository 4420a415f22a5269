"""Shared by all commands: parsing flags, signals, exit statuses, errors in one sentence.

Exit status: 0 done, 1 failed (the reason is on standard error), 2 bad usage, 130 interrupted, 143
terminated.
"""

import contextlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from absl import app, flags

from .. import __version__
from ..utils import RunError, UsageError
from . import log
from .messages import with_flags

FAILED, BAD_USAGE = 1, 2
# Also set by `--debug`, for processes that this one starts.
DEBUG_VARIABLE = "NETWORK_PRUNING_DEBUG"
OUT_OF_MEMORY = "Try a smaller --batch_size, or close other programs. The same command resumes."
INTERRUPTED = "Run the same command again to resume."


class PrintAndExit(Exception):  # noqa: N818 - nothing is wrong
    """A flag such as `--methods=help` only prints something: the message."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run like Ctrl-C, with another exit status."""


def launch(
    doc: str | None,
    define_flags: Callable[[str], object],
    parse: Callable[..., Any],
    work: Callable[[Any], object],
    out_of_memory: str = OUT_OF_MEMORY,
    interrupted: str = INTERRUPTED,
    takes_names: bool = False,
) -> NoReturn:
    """Runs a command and exits.

    Args:
        doc: the text of `--help` above the flags.
        define_flags: defines the absl flags, including `version` and `debug`, under the given
            module name.
        parse: makes a config of the parsed flags, and of a list of names if the command takes
            some; may raise a UsageError.
        work: runs the config; may raise a RunError or UsageError.
        out_of_memory: advice for runs that need more memory.
        interrupted: a sentence on interrupted work.
        takes_names: whether the command line may have words that are not flags.
    """
    streams: Any = sys.stdout, sys.stderr
    for stream in streams:
        stream.reconfigure(errors="replace")  # the model summary draws lines that ASCII lacks
    ignored = use_tensorflow()
    log.show()
    sys.modules["__main__"].__doc__ = doc  # what absl prints above the flags
    define_flags(sys.argv[0])
    terminated = []

    def terminate(*_):
        terminated.append(True)  # a library may replace the exception by its own interrupt
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)

    def run(config):
        # absl resets the level at its start; Keras would warn of HDF5, which checkpoints use.
        logging.getLogger("absl").setLevel(logging.ERROR)
        if ignored:
            print(ignored, file=sys.stderr)
        return status_of(work, config, out_of_memory)

    try:
        with readers_may_leave():
            app.run(
                run,
                argv=["--help" if word == "-h" else word for word in sys.argv],
                flags_parser=lambda argv: parsed(argv, parse, takes_names),
            )
    except KeyboardInterrupt:
        status = 143 if terminated else 130
        sys.exit(fail(f"Interrupted. {interrupted}", status))


def use_tensorflow() -> str | None:
    """Makes TensorFlow the backend of Keras, without its log, before a plugin imports Keras.

    Returns:
        A note that another backend in `KERAS_BACKEND` is ignored; None if there is none.
    """
    named = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if named in (None, "", "tensorflow"):
        return None
    return (
        f"network-pruning: Note: KERAS_BACKEND={named} is ignored: the commands run on TensorFlow; "
        "for other backends use the library (import network_pruning)."
    )


@contextlib.contextmanager
def readers_may_leave() -> Iterator[None]:
    """Ends quietly if standard output is closed early, for example by `head`."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        # Output that Python flushes at its end is discarded.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


def parsed(argv: Sequence[str], parse: Callable[..., Any], takes_names: bool = False) -> Any:
    """The config of a command line; bad usage exits with status 2."""
    try:
        names = flags.FLAGS(argv)[1:]
        if flags.FLAGS.debug:
            os.environ[DEBUG_VARIABLE] = "1"
        if flags.FLAGS.version:
            raise PrintAndExit(f"network-pruning {__version__}")
        if takes_names:
            return parse(flags.FLAGS, names)
        if names:
            hint = did_you_mean(names[0].partition("=")[0], _own_flags())
            raise UsageError(f"{names[0]!r} is not a flag; flags look like --dataset=digits.{hint}")
        return parse(flags.FLAGS)
    except flags.UnrecognizedFlagError as error:
        hint = did_you_mean(error.flagname, _own_flags())
        sys.exit(fail(f"Unknown command line flag {error.flagname!r}.{hint}", BAD_USAGE))
    except (flags.Error, UsageError) as error:
        sys.exit(fail(error, BAD_USAGE))
    except RunError as error:
        sys.exit(fail(error, FAILED))
    except ImportError as error:
        sys.exit(fail(_missing(error), FAILED))
    except PrintAndExit as answer:
        print(with_flags(answer))
        sys.exit(0)
    except SystemExit:
        # absl exits with status 1 after `--help`, although nothing has failed.
        sys.exit(0)


def _own_flags():
    return [flag.name for flag in flags.FLAGS.flags_by_module_dict().get(sys.argv[0], [])]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " Did you mean --learning_rate?" for lr; "" if no flag has a similar name.

    Args:
        name: the given name, without leading dashes.
        known: the names of all flags.
    """
    import difflib  # here, so that `--help` does not import it

    name = name.replace("-", "_").lower()
    initials = [flag for flag in known if _initials(flag) == name]
    longer = [flag for flag in known if name and flag.startswith(name)]
    alike = difflib.get_close_matches(name, known, n=3, cutoff=0.7)
    found = [name] if name in known else initials or longer[:3] or alike
    return f" Did you mean {' or '.join(f'--{flag}' for flag in found)}?" if found else ""


def _initials(flag):
    """lr for learning_rate, l1r for l1_reg."""
    return "".join(word[0] if word.isalpha() else word for word in flag.split("_"))


def status_of(
    work: Callable[[Any], object], config: Any, out_of_memory: str = OUT_OF_MEMORY
) -> int:
    """Runs the work; a failure ends in one sentence on standard error.

    Returns:
        The exit status. Interrupts are handled by `launch`.
    """
    try:
        work(config)
    except UsageError as error:
        return fail(error, BAD_USAGE)
    except RunError as error:
        return fail(error, FAILED)
    except ImportError as error:
        return fail(_missing(error), FAILED)
    except BrokenPipeError:  # standard output is closed, for example by `head`
        sys.stdout = None
        return FAILED
    except OSError as error:
        place = error.filename or getattr(config, "output_dir", None)
        reason = error.strerror or error
        return fail(f"{place}: {reason}" if place else reason, FAILED)
    except Exception as error:
        if _is_out_of_memory(error):
            return fail(f"Out of memory. {out_of_memory}", FAILED)
        raise
    return 0


def fail(message: object, status: int) -> int:
    """Prints on standard error why the command ends, in terms of flags, and returns `status`.

    With `--debug` it prints the traceback of the current error first.
    """
    is_debugged = os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0")
    if is_debugged and isinstance(sys.exception(), Exception):
        traceback.print_exc()
    print(f"network-pruning: {with_flags(message)}", file=sys.stderr, flush=True)
    return status


def _missing(error):
    """Advice on a package that cannot be imported."""
    return (
        f"{error}. The commands need more than the library: pip install "
        "'./network-pruning[runner]', or in a checkout pip install -r requirements.txt"
    )


def _is_out_of_memory(error):
    # By name, because TensorFlow may not have been imported.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
