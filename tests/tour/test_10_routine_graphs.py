"""Routine graphs: routines that send each other messages, merges, failures, and a job that pauses and moves."""

from pathlib import Path

from flowscope.graph import ConditionalRouter, ErrorHandler, ErrorStrategy, JobState, RoutineGraph, slot

from .shop import Order, Price, build


def test_a_graph_of_routines() -> None:
    """An event of one routine is connected with a slot of another; one message starts a job."""
    graph = RoutineGraph("shop")
    graph.add_routine(Order(), "order")
    graph.add_routine(Price(prices={"tea": 3, "cake": 4}), "price")
    graph.connect("order", "ordered", "price", "input")

    job = graph.execute("order", {"items": ["tea", "cake"]})
    assert job.status == "completed"
    assert [call.task_name for call in job.flow_run.tasks] == ["order.trigger", "price.input", "price.input"]
    assert [entry.message for entry in job.flow_run.logs if entry.source == "stdout"] == ["tea 3", "cake 4"]


def test_messages_are_merged_for_a_slot() -> None:
    """A merge function makes one thing of a message and of those before it, in each job anew."""
    graph = build()
    with graph:
        jobs = [graph.start("order", {"items": items}) for items in (["tea"], ["tea", "cake", "tea"])]
    assert [job.get_shared_data("bill") for job in jobs] == [{"items": 1, "sum": 3}, {"items": 3, "sum": 10}]


def test_stock_routines() -> None:
    """A router sends each message one way, by conditions on it."""
    graph = build()
    graph.add_routine(ConditionalRouter(routes=[("dear", "data['price'] > 3")], default_route="cheap"), "router")
    graph.connect("price", "priced", "router", "input")

    job = graph.execute("order", {"items": ["tea", "cake", "tea"]})
    routed = [record.event_name for record in job.get_execution_history("router")]
    assert [routed.count(name) for name in ("dear", "cheap", "completed")] == [1, 2, 3]


def test_a_failure_fails_the_job_or_not() -> None:
    """Without an error handler the job stops; with one, of a routine or of the graph, it may go on."""
    graph = build()
    job = graph.execute("order", {"items": ["tea", "stone", "cake"]})
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.type == "KeyError"

    graph.routine("price").set_error_handler(ErrorHandler(strategy=ErrorStrategy.CONTINUE))
    job = graph.execute("order", {"items": ["tea", "stone", "cake"]})
    assert job.status == "completed"
    assert job.get_shared_data("bill") == {"items": 2, "sum": 7}


def test_a_job_pauses_and_moves(tmp_path: Path) -> None:
    """Paused, saved, and resumed by a graph that was made again, it does what is left and nothing twice."""

    class Closing(Price):
        @slot(name="input")
        def look_up(self, item: str) -> None:
            super().look_up(item)
            if item == "cake":
                graph.pause(self.job, "closing time")

    graph = build(Closing(prices={"tea": 3, "cake": 4}))
    job = graph.execute("order", {"items": ["tea", "cake", "tea"]})
    assert job.status == "paused"
    assert [work.routine_id for work in job.pending_activations] == ["price", "bill", "bill"]
    job.save(tmp_path / "job.json")

    spec = build().serialize().model_dump_json()
    again = RoutineGraph.deserialize(spec)
    loaded = again.resume(JobState.load(tmp_path / "job.json"))
    assert loaded.status == "completed"
    assert loaded.get_shared_data("bill") == {"items": 3, "sum": 10}
    said = [entry.message for entry in loaded.flow_run.logs if entry.source == "stdout"]
    assert said == ["tea 3", "cake 4", "tea 3"]
