"""Log entries hold plain text, and where they are shown as lines, none can pass for another."""

import sys

import pytest

from flowscope import FlowConfig, current_flow, flow

FORGED = "12:00:00.000 | ERROR    | forged"

WRITTEN = {
    "\x1b[1;31mred\x1b[0m": "red",
    "\x9b31mred\x9b0m": "red",
    "\x1b]0;title\x07text": "text",
    "\x1b]8;;http://x\x1b\\link": "link",
    "\x9d0;title\x9ctext": "text",
    "\x1bP1;2|data\x1b\\text": "text",
    "\x90q#0\x9ctext": "text",
    "\x1b(Bplain": "plain",
    "open \x1b]0;title": "open ",
    "open \x1b]0;title\nnext line": "open \nnext line",
    "so-called \xe2\x80\x9dwords\xe2\x80\x9d": "so-called \xe2words\xe2",
    "good\rEVIL": "good\nEVIL",
    "dos\r\nunix\nmac\r": "dos\nunix\nmac\n",
    "form\x0cfeed\x0btab\x85next": "form\nfeed\ntab\nnext",
    "abc\b\b\bEVIL": "abcEVIL",
    "bell\x07 null\x00 delete\x7f escape\x1b": "bell null delete escape",
    "a\ttab, \xa0a space, 日本語, 🎉, e\u0301, \u200fright": "a\ttab, \xa0a space, 日本語, 🎉, e\u0301, \u200fright",
    "half \ud83d": "half \\ud83d",
}


class Named:
    """Has a `repr` that writes to terminals."""

    def __repr__(self) -> str:
        return "\x1b[31mnamed\x07"


@pytest.mark.parametrize("text", WRITTEN)
def test_entries_are_plain_text(text: str) -> None:
    """No control sequence of seven or eight bits, and no control character but tabs and newlines, is in any entry."""

    @flow
    def talk() -> Named:
        current_flow().log_info(text)
        return Named()

    message, returned = (entry.message for entry in talk().execute().captured_logs())
    assert message == WRITTEN[text]
    assert returned == "return value: named"


@pytest.mark.parametrize("text", [f"hello\n{FORGED}", f"hello\r{FORGED}", f"hello\x85{FORGED}", f"hello\u2028{FORGED}"])
def test_no_entry_forges_a_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As text, on the console at once and at the end: the further lines of an entry are indented."""

    @flow(flow_config=FlowConfig(log_to_console=True, print_logs=True))
    def talk() -> None:
        current_flow().log_info(text)

    run = talk().execute().print_log_messages()
    shown = "\n".join(run.log_messages()).splitlines()
    assert shown[0].endswith(" | INFO     | hello")
    assert shown[1:] == [f"             |          | {FORGED}"]
    assert capsys.readouterr().out.splitlines() == shown * 3


def test_waiting_text_is_bounded() -> None:
    """Of a progress bar that never ends its line the newest 65,536 characters are kept; of another task's, too."""

    @flow
    def download() -> None:
        for percent in range(1_000):
            print(f"\r{percent:>999}", end="")
            print("." * 1_000, end="", file=sys.stderr)
        print("\ndone")

    out, done, err = (entry.message for entry in download().execute().captured_logs())
    assert len(out) == 65_536
    assert out.endswith(" 999")
    assert done == "done"
    assert err == "." * 65_536


def test_a_line_that_is_printed_at_once_is_whole() -> None:
    """However long it is: `print` writes its newline as a second piece."""

    @flow
    def talk() -> None:
        print("x" * 1_000_000)
        print("label:", "y" * 1_000_000)

    assert [len(entry.message) for entry in talk().execute().captured_logs()] == [1_000_000, 1_000_007]
