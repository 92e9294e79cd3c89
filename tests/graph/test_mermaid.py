"""Graphs as Mermaid text."""

import re
from html import unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph
from support.graph.routines import called, graph_of


def _fail() -> None:
    raise ValueError


def test_a_graph_is_a_flowchart() -> None:
    """A node for each routine with its id and class, an arrow for each connection with its event and slot."""
    graph = graph_of(called(_fail, "out"), called(_fail))
    graph.connect("a", "out", "a", "trigger")
    graph.connect("a", "out", "b", "trigger")
    assert graph.to_mermaid().splitlines() == [
        "flowchart LR",
        '  r0["a<br/>Routine"]',
        '  r1["b<br/>Routine"]',
        '  r0 -- "out → trigger" --> r1',
        '  r0 -- "out → trigger" --> r0',
        '  r0 -- "out → trigger" --> r1',
    ]
    assert RoutineGraph().to_mermaid() == "flowchart LR\n"


@pytest.mark.parametrize(
    ("strategy", "state"),
    [(ErrorStrategy.CONTINUE, "error_continued"), (ErrorStrategy.SKIP, "skipped"), (ErrorStrategy.STOP, "failed")],
)
def test_a_job_shows_its_states(strategy: ErrorStrategy, state: str) -> None:
    """In the nodes, with a style for each; what has not run is pending."""
    graph = graph_of(called(_fail, "out"), called(_fail))
    graph.add_routine(called(lambda: None), "c")
    graph.set_error_handler(ErrorHandler(strategy=strategy))
    job = graph.execute("a")
    lines = graph.to_mermaid(job).splitlines()
    assert lines[1:4] == [
        f'  r0["a<br/>Routine<br/>{state}"]:::{state}',
        '  r1["b<br/>Routine<br/>pending"]:::pending',
        '  r2["c<br/>Routine<br/>pending"]:::pending',
    ]
    styled = [line.split()[1] for line in lines if line.startswith("  classDef ")]
    assert styled == ["pending", "running", "completed", "failed", "error_continued", "skipped"]
    assert ":::completed" in graph.to_mermaid(graph.execute("c"))


def test_the_job_of_another_graph_is_refused() -> None:
    """States of routines that are no longer there are harmless."""
    graph = graph_of(called(lambda: None), flow_id="g")
    with pytest.raises(GraphError, match="belongs to graph 'other', not to 'g'"):
        graph.to_mermaid(JobState(flow_id="other"))
    assert "completed" not in RoutineGraph("g").to_mermaid(graph.execute("a")).split("classDef")[0]


_NASTY = [
    'say "hi"', "a]b[c", "(x){y}", "<b>bold</b>", "<script>alert(1)</script>", "two\nlines", "end", "%% no comment",
    "%%{init: {}}%%", "`code`", "a;b", "#35;", "#quot;", "&amp;", "1. first", "- item", "# head", "> quote", "_em_",
    "__init__", "style:#a;", "classDef a:#1;", "fa:fa-home", "$$x$$", "C:\\new", "A:::b", "@{ shape: x }", "🎉", "日本",
    "\ud800", "\x00", "[a](http://b)", "a-->b", "  spaces  ", "subgraph", "\u2028", "e\u0301",
]  # fmt: skip
_TAKEN_APART = "\u2060"
_LABELS = re.compile(r'"([^"]*)"')


def _drawn(label: str) -> str:
    """What a browser shows of a label."""
    return unescape(re.sub(r"#(\d+);", r"&#\1;", label)).replace(_TAKEN_APART, "")


def _shown(name: str) -> str:
    return unescape("".join(f"&#{ord(char)};" for char in name)).replace(_TAKEN_APART, "")


@given(st.text(min_size=1, max_size=12) | st.text('#;:&"`\\n$_ -.fa', min_size=1))
@example("ok")
def test_any_name_is_drawn_as_it_is(name: str) -> None:
    """In nodes and at arrows, in one line, with nothing raw that Mermaid, HTML or Markdown reads as its own."""
    routine = Routine()
    routine.define_slot(name)
    routine.define_event(name)
    graph = RoutineGraph()
    graph.add_routine(routine, name)
    graph.connect(name, name, name, name)
    text = graph.to_mermaid()
    text.encode()
    node, arrow = text.splitlines()[1:]
    assert re.fullmatch(r'  r0\["[^"]*"\]', node)
    assert re.fullmatch(r'  r0 -- "[^"]*" --> r0', arrow)
    shown, kind = _LABELS.findall(node)[0].split("<br/>")
    source, target = _LABELS.findall(arrow)[0].split(" → ")
    assert (_drawn(shown), kind) == (_shown(name), "Routine")
    assert _drawn(source) == _drawn(target) == _shown(name)
    plain = re.sub(r"#\d+;", "", shown)
    assert all(char.isalnum() or char in "_ " for char in plain)


for _name in _NASTY:
    test_any_name_is_drawn_as_it_is = example(_name)(test_any_name_is_drawn_as_it_is)


def test_what_mermaid_reads_as_a_pair_is_parted() -> None:
    """Line breaks, formulas and icons are read even where they are written as numbers; other names stay readable."""
    graph = RoutineGraph()
    for name in ("C:\\new", "$$x$$", "fa:fa-home", "my_step two", "_x_"):
        graph.add_routine(Routine(), name)
    assert [_LABELS.findall(line)[0].split("<")[0] for line in graph.to_mermaid().splitlines()[1:]] == [
        "C#58;#92;#8288;new",
        "#36;#8288;#36;x#36;#8288;#36;",
        "fa#58;#8288;fa#45;home",
        "my_step two",
        "#95;x#95;",
    ]
