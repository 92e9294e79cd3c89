"""The summary, and the graph as Mermaid text."""

import asyncio
import re
from typing import Any

import pytest
from pydantic import ValidationError

from flowscope.coordination import CoordinatorSummary, DependencyType, FlowCoordinator
from support.coordination.flows import boom, forever, named, noop, register_all, taking

NODE = re.compile(r'    (n\d+)\["([^"]*)"\]:::(\w+)')
EDGE = re.compile(r'    (n\d+) (-->|-\.->)(?:\|"([^"]*)"\|)? (n\d+)')
CLASS = re.compile(r"    classDef (\w+) fill:#\w{6},stroke:#\w{6},color:#\w{6}")


class Picture:
    """A Mermaid flow chart of which every line has been understood."""

    def __init__(self, text: str) -> None:
        first, *lines = text.rstrip("\n").split("\n")
        assert first == "flowchart TD"
        self.labels: dict[str, str] = {}
        self.states: dict[str, str] = {}
        self.edges: set[tuple[str, str, str, str | None]] = set()
        self.classes: set[str] = set()
        for line in lines:
            if node := NODE.fullmatch(line):
                label = unescaped(node[2])
                assert node[1] not in self.labels
                self.labels[node[1]] = label
                self.states[label] = node[3]
            elif edge := EDGE.fullmatch(line):
                self.edges.add((self.labels[edge[1]], edge[2], self.labels[edge[4]], edge[3]))
            else:
                found = CLASS.fullmatch(line)
                assert found, line
                self.classes.add(found[1])
        assert self.classes == set(self.states.values())


def unescaped(label: str) -> str:
    """The first line of a label, as a reader sees it."""
    names = {"quot": '"', "lt": "<", "gt": ">", "amp": "&"}
    first = label.split("<br/>")[0]
    return re.sub(r"#(\w+);", lambda found: names.get(found[1]) or chr(int(found[1])), first)


async def test_the_whole_graph_is_drawn() -> None:
    """Every flow is a node of its state's class, every dependency an edge, dashed for optional ones."""
    coordinator = FlowCoordinator()
    register_all(
        coordinator,
        named("a", noop),
        named("b", boom),
        named("c", noop),
        named("d", taking),
        named("e", noop),
    )
    coordinator.register_dependency("a", "b")
    coordinator.register_dependency("b", "c")
    coordinator.register_dependency("b", "d", DependencyType.OPTIONAL)
    coordinator.register_dependency("a", "d", param="x")
    before = Picture(coordinator.to_mermaid())
    assert set(before.states.items()) == {(name, "pending") for name in "abcde"}
    assert before.edges == {
        ("a", "-->", "b", None), ("b", "-->", "c", None), ("b", "-.->", "d", None), ("a", "-->", "d", "x"),
    }  # fmt: skip
    await coordinator.cancel_flow("e")
    await coordinator.execute_all()
    after = Picture(coordinator.to_mermaid())
    assert after.states == {"a": "completed", "b": "failed", "c": "failed", "d": "completed", "e": "cancelled"}
    assert after.edges == before.edges


@pytest.mark.parametrize(
    "name",
    [
        'say "hi"',
        "a\nb",
        "a\r\u2028b",
        "end",
        "<b>&amp;</b>",
        "#quot; #35;",
        "%%{init: {}}%%",
        "`code`",
        "a]b[c{d}e(f)g|h;i",
        "\\",
        "naïve 流れ 🙂",
        "--> x",
        " ",
    ],
)
def test_any_name_is_only_a_label(name: str) -> None:
    """Whatever a name or id contains, the text has the same lines, and the name reads as it is."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named(name, noop), named("other", noop))
    coordinator.register_dependency(name, "other")
    text = coordinator.to_mermaid()
    assert len(text.splitlines()) == 5
    picture = Picture(text)
    assert set(picture.states) == {name, "other"}
    assert picture.edges == {(name, "-->", "other", None)}


def test_flows_of_one_name_are_told_apart() -> None:
    """Nodes have ids of their own, and labels show name and id."""
    coordinator = FlowCoordinator()
    ids = register_all(coordinator, *(named(flow_id, noop) for flow_id in ("first", "second")))
    for flow_id in ids:
        found = coordinator.get_flow(flow_id)
        assert found is not None
        found.flow_name = "twin"
    text = coordinator.to_mermaid()
    assert '["twin<br/>first<br/>pending"]' in text
    assert '["twin<br/>second<br/>pending"]' in text


def test_an_empty_graph_is_drawn() -> None:
    """Nothing registered is an empty chart."""
    assert FlowCoordinator().to_mermaid() == "flowchart TD\n"


async def test_the_summary_counts_every_state() -> None:
    """Each flow is counted once, under its state, at any moment."""
    coordinator = FlowCoordinator()
    assert coordinator.summary() == CoordinatorSummary(
        total=0, pending=0, running=0, completed=0, failed=0, cancelled=0, timed_out=0, skipped=0, success_rate=0.0
    )
    register_all(coordinator, *(named(name, noop) for name in "abc"), named("bad", boom), named("run", forever))
    coordinator.register_flow(named("late", noop), timeout=0)
    coordinator.register_dependency("bad", "c")
    await coordinator.cancel_flow("b")
    assert (coordinator.summary().pending, coordinator.summary().success_rate) == (5, 0.0)
    execution = asyncio.create_task(coordinator.execute_all())
    await coordinator.wait_for_flows({"a", "b", "c", "bad", "late"})
    running = coordinator.summary()
    assert running == CoordinatorSummary(
        total=6, pending=0, running=1, completed=1, failed=2, cancelled=1, timed_out=1, skipped=0, success_rate=0.2
    )
    await coordinator.cancel_flow("run")
    await execution
    counts = coordinator.summary().model_dump(exclude={"total", "success_rate"})
    assert sum(counts.values()) == coordinator.summary().total == 6


def test_the_summary_is_a_frozen_model() -> None:
    """It comes back from its JSON and cannot be changed."""
    summary = FlowCoordinator().summary()
    assert CoordinatorSummary.model_validate_json(summary.model_dump_json()) == summary
    changed: Any = summary
    with pytest.raises(ValidationError):
        changed.total = 1
