"""How the tests see what a condition says of a message."""

from typing import Any

from flowscope.graph import Filter, JobState, Routine, RoutineGraph, event, slot

__all__ = ["Feed", "Inbox", "job_of", "judged", "sent_by"]


class Feed(Routine):
    """Sends each of its messages, as it is."""

    out = event()

    _messages: list[dict[str, Any]]

    def __init__(self, *messages: dict[str, Any]) -> None:
        super().__init__()
        self._messages = list(messages)

    @slot
    def trigger(self) -> None:
        """Send them all."""
        for message in self._messages:
            self.emit("out", **message)


class Inbox(Routine):
    """Writes down what arrives."""

    name: str = ""

    @slot(name="input")
    def take(self, **message: Any) -> None:
        """Write it down."""
        self.job.append_to_shared_log({"name": self.name, "message": message})


def job_of(routine: Routine, *messages: dict[str, Any], **options: Any) -> JobState:
    """The job in which a routine has got these messages, and each of its events has an inbox of its name."""
    with RoutineGraph(**options) as graph:
        graph.add_routine(Feed(*messages), "feed")
        graph.add_routine(routine, "routine")
        graph.connect("feed", "out", "routine", "input")
        for number, name in enumerate(routine.events):
            graph.connect("routine", name, graph.add_routine(Inbox(name=name), f"inbox-{number}"), "input")
        return graph.execute("feed")


def sent_by(routine: Routine, *messages: dict[str, Any], **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """What a routine sends for these messages: events and their data."""
    job = job_of(routine, *messages, **options)
    assert job.status == "completed", job.error
    return [(entry["name"], entry["message"]) for entry in job.shared_log]


def judged(condition: Any, message: dict[str, Any]) -> bool:
    """Whether a condition holds for a message."""
    [(name, _)] = sent_by(Filter(condition=condition), message)
    return name == "passed"
