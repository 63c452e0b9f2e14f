"""Errors whose message is one printable line, whatever a stranger put into it."""

LONGEST_LINE = 480
"""Characters of a message."""


class OneLine(ValueError):
    """An error whose message is one printable line for a terminal; too long a one without its middle."""

    def __init__(self, message: str) -> None:
        """Keep `message` so."""
        if len(message) > 2 * LONGEST_LINE:
            message = message[:LONGEST_LINE] + message[-LONGEST_LINE:]
        line, half = printable(message), LONGEST_LINE // 2 - 5
        super().__init__(line if len(line) <= LONGEST_LINE else f"{line[:half]} ... {line[-half:]}")


class BadFile(OneLine):
    """A profile, journal, suite or published set that cannot be used; the message names file, field and mend."""


def absent(error: ModuleNotFoundError) -> str:
    """What to do about a package that is not installed. Raises the error again for a module of this suite."""
    package = (error.name or "").partition(".")[0]
    if package in ("", "bench", "kernels", "reports"):
        raise error
    return f"{package} cannot be imported ({error}): make venv installs what is needed"


def printable(text: str) -> str:
    """Text with every character that steers a terminal, or is none, as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
