"""Capturing prints and standard logging of the code that runs inside flows.

Both read the ContextVar, so that concurrent flows in tasks and threads never mix. `sys.stdout` and `sys.stderr` are
replaced while flows run, also after a test tool has swapped them out and back.
"""

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TextIO, final

from ...concurrency.fork import call_in_forked_children
from ...concurrency.process_locks import LOCKS
from ...model.records import LogSource
from ..run.run import Run
from ..scope.context import current
from .debugger import hook_debugger, reads_for_debugger
from .logging_hook import handling, hook_logging
from .sys_streams import SYS, StreamName, StreamWatch

__all__ = ["begin_capture", "begin_capture_of_block", "end_capture", "write_console"]

_NAMES: Final[tuple[StreamName, ...]] = ("stdout", "stderr")


@final
class StreamProxy:
    """Replaces a standard stream: it records the text of a flow, and passes other text to the stream.

    A program may hold it after its installation; it then only passes text to the stream.
    """

    def __init__(self, name: StreamName, real: TextIO) -> None:
        self._name: StreamName = name
        self.real = real
        """The stream that it replaces."""
        self.flows = 0
        """The number of running flows that use it."""

    def write(self, text: str) -> int:
        """Record the text in the running flow, or write it to the real stream."""
        scope = current.get()
        if scope is None or scope.handle is handling.handle or not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] # the real stream refuses what is not text
            return self._target().write(text)
        run: Run | None = scope.handle.run or scope.handle.ensure_run()
        if run is None or not run.log.captures_stdout:
            return self._target().write(text)
        exact = str.__str__(text)
        if run.config.log_to_console:
            write_console(exact, self._name)
        run.log.write_stream(exact, scope, self._name)
        return len(exact)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the strings."""
        for line in lines:
            self.write(line)

    def _target(self) -> TextIO:
        """The real stream, or, if other code has closed that, the present one."""
        if not getattr(self.real, "closed", False):
            return self.real
        present = SYS.get(self._name)
        if type(present) is StreamProxy:
            present = getattr(sys, f"__{self._name}__")
        return self.real if present is None else present

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def __iter__(self) -> Any:
        return iter(self._target())

    def __enter__(self) -> Any:
        return self._target().__enter__()

    def __exit__(self, *details: Any) -> None:
        self._target().__exit__(*details)

    def __repr__(self) -> str:
        return f"<flowscope proxy of {self.real!r}>"


def begin_capture(run: Run) -> tuple[StreamProxy, ...]:
    """Install the missing hooks and proxies for a flow that starts; return the proxies of its streams."""
    return _begin(captures_logging=run.log.captures_logging, captures_prints=run.config.capture_stdout)


def begin_capture_of_block() -> tuple[StreamProxy, ...]:
    """Install all hooks and proxies, for a `with` block: the config of its run is not final."""
    return _begin(captures_logging=True, captures_prints=True)


def _begin(*, captures_logging: bool, captures_prints: bool) -> tuple[StreamProxy, ...]:
    with LOCKS.installing:
        if captures_logging:
            hook_logging()
        if not captures_prints:
            return ()
        if "pdb" in sys.modules:
            hook_debugger(_write_past_flow)
        proxies = _installed_again()
        if not proxies:
            proxies = tuple(proxy for name in _NAMES if (proxy := _installed(name)) is not None)
            _latest[:] = proxies
        if proxies:
            _watch.start()
        return proxies


def end_capture(proxies: tuple[StreamProxy, ...]) -> None:
    """Restore the streams that no other flow uses; a stream that the user has assigned stays."""
    with LOCKS.installing:
        for proxy in proxies:
            proxy.flows -= 1
            if not proxy.flows:
                if SYS.get("stdout") is proxy:
                    SYS["stdout"] = proxy.real
                if SYS.get("stderr") is proxy:
                    SYS["stderr"] = proxy.real
        if proxies:
            _watch.stop()


_proxies: Final[dict[StreamName, tuple[StreamProxy, ...]]] = dict.fromkeys(_NAMES, ())
"""The proxies of running flows, and the latest one, which is the same from flow to flow.

The latest one stays between flows: `print` looks up `sys.stdout` without a reference to it, so that a print of another
thread would write to a freed object.
"""


_latest: Final[list[StreamProxy]] = []
"""The proxies of the flow that has started last."""


def _installed_again() -> tuple[StreamProxy, ...]:
    """The proxies of the flow that has started last, if the present streams are theirs; else an empty tuple."""
    if len(_latest) != len(_NAMES):
        return ()
    stdout, stderr = SYS.get("stdout"), SYS.get("stderr")
    out, err = _latest
    if not ((stdout is out.real or stdout is out) and (stderr is err.real or stderr is err)):
        return ()
    out.flows += 1
    err.flows += 1
    SYS["stdout"], SYS["stderr"] = out, err
    return out, err


def _installed(name: StreamName) -> StreamProxy | None:
    """The installed proxy of a standard stream; None if the stream does not exist."""
    stream = SYS.get(name)
    if stream is None:
        return None
    proxy = _known_proxy(name, stream)
    if proxy is None:
        proxy = stream if type(stream) is StreamProxy else StreamProxy(name, stream)
        _proxies[name] = (*(known for known in _proxies[name] if known.flows), proxy)
    proxy.flows += 1
    if proxy is not stream:
        SYS[name] = proxy
    return proxy


def _known_proxy(name: StreamName, stream: Any) -> StreamProxy | None:
    """The proxy that is this stream, or replaces it."""
    for proxy in _proxies[name]:
        if proxy.real is stream or proxy is stream:
            return proxy
    return None


def _assign(name: StreamName, stream: Any) -> None:
    """Carry out an assignment to `sys.stdout`: a stream with an active proxy is assigned as that proxy."""
    with LOCKS.installing:
        proxy = _known_proxy(name, stream)
        SYS[name] = proxy if proxy is not None and proxy.flows else stream


def _stream_for(stream: Any, frame: FrameType) -> Any:
    """The stream for a frame that looks up `sys.stdout`: the constructor of a debugger gets the real one."""
    if type(stream) is not StreamProxy or not reads_for_debugger(frame):
        return stream
    hook_debugger(_write_past_flow)
    return stream.real


_watch: Final = StreamWatch(_stream_for, _assign)


@contextmanager
def _write_past_flow() -> Generator[None]:
    """A block in which the flow does not record the writes of this thread."""
    scope, outer = current.get(), handling.handle
    handling.handle = None if scope is None else scope.handle
    try:
        yield
    finally:
        handling.handle = outer


def write_console(text: str, source: LogSource) -> None:
    """Write to the real standard stream, past any flow. An error of the console does not reach the run."""
    stream = SYS.get("stderr" if source == "stderr" else "stdout")
    real: Any = stream.real if type(stream) is StreamProxy else stream
    try:
        try:
            real.write(text)
        except UnicodeEncodeError:
            real.write(text.encode("ascii", "backslashreplace").decode("ascii"))
    except Exception:  # closed, broken, or none at all
        return


@call_in_forked_children
def _forget_in_child() -> None:
    """Restore the streams in a forked process, where no flow is running."""
    for name in _NAMES:
        stream = SYS.get(name)
        if type(stream) is StreamProxy:
            SYS[name] = stream.real
        _proxies[name] = ()
    _latest.clear()
    _watch.forget()
