"""Ctrl-C in programs whose flows wait."""

from pathlib import Path

import pytest

from support.executors.programs import SECONDS, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("pool", ["thread", "process", "asyncio"])
@pytest.mark.parametrize("form", ["sync", "async"])
def test_an_interrupt_of_the_program(pool: str, form: str, tmp_path: Path) -> None:
    """Ctrl-C while the flow waits for its children cancels them, and the program ends by `KeyboardInterrupt`."""
    name = "forever_there" + ("_async" if form == "async" else "")
    body = f"""
        import signal

        def interrupt():
            wait_for("started")
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        flow = Flow()
        try:
            with flow, use_executor({pool!r}):
                submit({name}, "started")
        finally:
            print(*(task.status for task in flow.flow_run.tasks), flow.status)
    """
    ended = run(tmp_path, body)
    assert ended.out == "cancelled cancelled\n", ended.err
    assert ended.err.count("Traceback (most recent call last)") == 1, ended.err
    assert ended.err.strip().endswith("KeyboardInterrupt"), ended.err
    assert ended.seconds < SECONDS


@pytest.mark.parametrize("pool", ["thread", "process", "asyncio"])
def test_an_interrupt_while_waiting_for_a_result(pool: str, tmp_path: Path) -> None:
    """Ctrl-C while the main thread waits for a `result` comes out of it, and the flow cancels its children."""
    body = f"""
        import signal

        def interrupt():
            wait_for("started")
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        flow = Flow()
        try:
            with flow, use_executor({pool!r}):
                submit(forever_there_async, "started").result()
        except KeyboardInterrupt:
            print(*(task.status for task in flow.flow_run.tasks), flow.status)
    """
    ended = run(tmp_path, body)
    assert (ended.code, ended.out, ended.err) == (0, "cancelled cancelled\n", "")
    assert ended.seconds < SECONDS


@pytest.mark.parametrize("pool", ["thread", "process", "asyncio"])
def test_an_interrupt_of_an_async_program(pool: str, tmp_path: Path) -> None:
    """Ctrl-C in `asyncio.run` cancels the flow, its children, and ends the program."""
    body = f"""
        import signal

        def interrupt():
            wait_for("started")
            os.kill(os.getpid(), signal.SIGINT)

        flow = Flow()

        async def main():
            async with flow:
                with use_executor({pool!r}):
                    await submit(forever_there_async, "started")

        threading.Thread(target=interrupt).start()
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print(*(task.status for task in flow.flow_run.tasks), flow.status)
    """
    ended = run(tmp_path, body)
    assert (ended.code, ended.out, ended.err) == (0, "cancelled cancelled\n", "")
    assert ended.seconds < SECONDS
