"""Calling the handler of an activation."""

from ...concurrency.threadsafe_coroutine import LoopCall
from ...engine.scope.context import Handle
from ..job.activation import Activation, enter_handler
from ..routines.merging import snapshot
from ..structure.graph_port import FINAL, GraphPort

__all__ = ["call_handler"]


def call_handler(activation: Activation, graph_port: GraphPort, flow: Handle, loop: object) -> None:
    """Call the handler to its end, in this context: as a task of the job's flow, and in the loop, if it is, or turns out to be, async.

    Raises:
        BaseException: What the handler has raised, or what did not fit it.
    """
    enter_handler(activation, flow)
    receiver = graph_port.receiver(activation.routine_id, activation.slot)
    if receiver is None:
        return  # a slot that only merges
    args, kwargs = receiver.bind(snapshot(activation.data), activation.problem)
    rest = receiver.call(*args, **kwargs)
    if rest is None:
        return
    activation.task = task = LoopCall(rest, loop)
    del rest  # the loop has it
    try:
        if activation.job.status in FINAL:
            task.cancel()
        task.wait()
    finally:
        activation.task = None  # the record holds the activation, and that would hold the asyncio task
