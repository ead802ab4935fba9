"""Files and Python functions that a suite names: found beside it, inside the project, loaded once.

A function is named `./checks.py:no_refund` (a path beside the suite) or `package.module:function` (installed code).
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from importlib.abc import SourceLoader
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, TypeVar, cast

T = TypeVar("T")
Function: TypeAlias = Callable[..., Any]


class Escaped(Exception):
    """Somebody's code raised what would end the event loop, or what it takes for its own cancellation."""


async def awaited(value: Awaitable[T]) -> T:
    """Await somebody's code.

    Raises:
        Escaped: It raised what is no `Exception`, such as `SystemExit`, or a `CancelledError` of its own.
    """
    try:
        return await value
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Escaped(told(error)) from error
    except (Exception, GeneratorExit):
        # The latter is Python's own: it tidies up what was left behind.
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            # A person's, not the code's own.
            raise
        raise Escaped(told(error)) from error


async def in_thread(call: Callable[[], T]) -> T:
    """Run code that may block in a thread of its own, inside the caller's context, and return what it returns.

    The thread is a daemon and nobody's but this call's: code that hangs takes no other trial's place, and keeps no
    process from ending.

    Raises:
        Escaped: The code raised something that no future can carry.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def settle(value: T | None, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(cast("T", value))
        else:
            future.set_exception(error)

    def work() -> None:
        value: T | None = None
        error: Exception | None = None
        try:
            value = context.run(call)
        except BaseException as raised:  # noqa: BLE001 (somebody's code may raise anything)
            if isinstance(raised, Exception) and not isinstance(raised, StopIteration):
                error = raised
            else:
                error = Escaped(told(raised))
                error.__cause__ = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, name="harness-call", daemon=True).start()
    return await future


def told(error: BaseException) -> str:
    """Return an exception of somebody's code as messages tell it."""
    if isinstance(error, Escaped):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def own_line(error: BaseException, function: Function) -> str:
    """Return the last line of a function's file that an exception passed, as ` (line 3)`; empty where there is none."""
    code = inspect.unwrap(function)
    path = inspect.getsourcefile(code) if inspect.isfunction(code) else None
    cause = error.__cause__ if isinstance(error, Escaped) and error.__cause__ else error
    lines = [frame.lineno for frame in traceback.extract_tb(cause.__traceback__) if frame.filename == path]
    return f" (line {lines[-1]})" if lines else ""


class ReferenceProblem(ValueError):
    """A file or function that a suite names cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where references are looked up.

    Args:
        root: the project's folder; nothing outside is read.
        folder: the folder of the suite; relative paths start here.
        allow_outside: read outside `root` all the same.
    """

    root: Path
    folder: Path
    allow_outside: bool = False

    def file(self, reference: str) -> Path:
        """Return the resolved path of an existing regular file.

        Raises:
            ReferenceProblem: it is missing, no regular file, or (symlinks resolved) outside the project.
        """
        try:
            path = (self.folder / reference).resolve()
            inside = self.allow_outside or path.is_relative_to(self.root.resolve())
            if not inside:
                raise ReferenceProblem(f"'{reference}' is outside the project")
            if path.is_file():
                return path
            there = path.exists()
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, ReferenceProblem):
                raise
            raise ReferenceProblem(f"'{reference}' cannot be read: {error}") from None
        if there:
            raise ReferenceProblem(f"'{reference}' is not a regular file")
        raise ReferenceProblem(f"no file '{reference}' in {self.shown(self.folder)}{_near(path)}")

    def shown(self, path: Path) -> str:
        """Return a path as users know it: relative to the project where it lies inside."""
        try:
            return str(path.resolve().relative_to(self.root.resolve()))
        except ValueError:
            return str(path)


class Functions:
    """Loads functions; a file is imported once, however often it is named."""

    def __init__(self) -> None:
        self._given: dict[str, Function] = {}
        self._refused: str | None = None
        self._modules: dict[Path, ModuleType] = {}
        self._broken: dict[Path, str] = {}
        self._lock = threading.RLock()

    def give(self, reference: str, function: Function) -> None:
        """Let a reference name a function that is at hand already."""
        self._given[reference] = function

    def refuse(self, why: str) -> None:
        """Load nothing more; `why` is said wherever a function is named."""
        self._refused = why

    def load(self, reference: str, *, place: Place) -> Function:
        """Return the callable that a reference names.

        Args:
            reference: What was given, or `path.py:name`, relative to the suite, or `package.module:name`; `name` may be
                dotted.

        Raises:
            ReferenceProblem: malformed, missing, outside the project, the file has an error, or it is no callable.
        """
        if reference in self._given:
            return self._given[reference]
        if self._refused is not None:
            raise ReferenceProblem(f"'{reference}' is Python code: {self._refused}")
        target, colon, name = reference.rpartition(":")
        if not colon or not target or not all(part.isidentifier() for part in name.split(".")):
            raise ReferenceProblem(f"'{reference}' is no function; write ./file.py:function or package.module:function")
        if target.endswith(".py") or "/" in target or "\\" in target:
            path = place.file(target)
            module = self._file(path, place.shown(path))
        else:
            module = self._installed(target)
        found: Any = module
        for part in name.split("."):
            if part.startswith("__") or not hasattr(found, part):
                raise ReferenceProblem(f"'{target}' has no '{name}'{_similar(part, found)}")
            found = getattr(found, part)
        if not callable(found):
            raise ReferenceProblem(f"'{reference}' is a {type(found).__name__}, not a function")
        return found  # type: ignore[no-any-return]  # it is callable, as just seen

    def _file(self, path: Path, shown: str) -> ModuleType:
        with self._lock:
            if path in self._broken:
                raise ReferenceProblem(self._broken[path])
            if path not in self._modules:
                try:
                    self._modules[path] = _import_file(path)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - code of users may raise anything
                    self._broken[path] = _import_message(error, path, shown)
                    raise ReferenceProblem(self._broken[path]) from None
            return self._modules[path]

    def _installed(self, target: str) -> ModuleType:
        try:
            return importlib.import_module(target)
        except ModuleNotFoundError as error:
            if error.name is not None and (target == error.name or target.startswith(f"{error.name}.")):
                hint = "; a file beside the suite is written ./file.py:function"
                raise ReferenceProblem(f"no module '{error.name}' is installed{hint}") from None
            raise ReferenceProblem(f"'{target}' cannot be imported: {error}") from None
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of users may raise anything
            raise ReferenceProblem(f"'{target}' cannot be imported: {type(error).__name__}: {error}") from None


class _Source(SourceLoader):
    """Runs a file without leaving byte code beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_filename(self, fullname: str) -> str:
        return str(self._path)

    def get_data(self, path: str) -> bytes:
        if path != str(self._path):
            raise OSError(path)
        return self._path.read_bytes()


def _import_file(path: Path) -> ModuleType:
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    name = f"_harness_{path.stem}_{digest}" if path.stem.isidentifier() else f"_harness_{digest}"
    spec = importlib.util.spec_from_loader(name, _Source(path), origin=str(path))
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, pickling and typing look modules up by name.
    sys.modules[name] = module
    try:
        with _importing_beside(path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


@contextmanager
def _importing_beside(folder: Path) -> Iterator[None]:
    """Let a file import its neighbours while it is loaded."""
    entry = str(folder)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        if entry in sys.path:
            sys.path.remove(entry)


def _import_message(error: BaseException, path: Path, shown: str) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{shown}:{error.lineno}:{error.offset}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f"{shown}:{lines[-1]}" if lines else shown
    return f"{where}: {type(error).__name__} while importing: {error}"


def _near(path: Path) -> str:
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _similar(part: str, owner: Any) -> str:
    close = difflib.get_close_matches(part, [name for name in dir(owner) if not name.startswith("_")], n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
