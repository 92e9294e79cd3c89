"""What the command line refuses."""

from ..errors import FlowscopeError

__all__ = ["CommandError", "one_line"]


class CommandError(FlowscopeError):
    """The command cannot be carried out as given; its text is one line, and the exit code is 2."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(text.split())
