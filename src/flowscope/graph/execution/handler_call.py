"""Calling the handler of an activation."""

from ...concurrency.threadsafe_coroutine import LoopCall
from ...engine.definitions.callables import Kind
from ...engine.definitions.deferred import own_kind
from ...engine.scope.context import enter
from ..job.activation import Activation, enter_handler
from ..slots.handler_binding import UNRUN
from ..structure.graph_port import FINAL

__all__ = ["call_handler"]


def call_handler(activation: Activation, loop: object) -> None:
    """Call the handler to its end, in this context: as a task of the job's flow, and in the loop, if it is, or turns out to be, async.

    Raises:
        BaseException: What the handler has raised, or what did not fit it.
    """
    receiver = activation.target.receiver
    if receiver is None:
        return  # a slot that only merges
    enter_handler(activation)
    data = activation.data
    if activation.extras is None and receiver.fits(data):
        value = receiver.call_from(activation, data)
    else:
        enter(activation)
        args, kwargs = receiver.bind(data, activation.problem)
        value = receiver.call(*args, **kwargs)
    if value is None:
        return
    if not receiver.is_async:
        if type(value) not in UNRUN:
            return
        if own_kind(value) is not Kind.ASYNC:
            receiver.refuse(value)
    activation.task = task = LoopCall(value, loop)
    del value  # the loop has it
    try:
        if activation.job.status in FINAL:
            task.cancel()
        task.wait()
    finally:
        activation.task = None  # the record holds the activation, and that would hold the asyncio task
