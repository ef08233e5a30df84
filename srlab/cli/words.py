"""What the command says: an error as one sentence, names that can be printed."""

from collections.abc import Sequence


def one_line(error: BaseException) -> str:
    """The error's sentence; of the system's own errors with the file named.

    Example:
        >>> one_line(ValueError("too   much room"))
        'too much room'
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'} could not be used: {error.strerror.lower()}."
    return " ".join(str(error).split()) or type(error).__name__


def printable(text: str) -> str:
    """Text with file names in it, whose bytes that are no UTF-8 become marks."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def and_others(names: Sequence[object]) -> str:
    """The first name, and how many more there are.

    Example:
        >>> and_others(["a.png"]), and_others(["a.png", "b.png", "c.png"])
        ('a.png', 'a.png and 2 more')
    """
    return f"{names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
