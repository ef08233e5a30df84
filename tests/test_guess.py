"""A guess is kept, and compared with the truth only when a cell asks."""

import pytest

from srlab.widgets.guess import Guess

CHOICES = ["a clean edge", "the gray ramp"]


def edge() -> Guess:
    return Guess("01/edge", "Which costs least?", CHOICES)


def height() -> Guess:
    return Guess("00/psnr", "How many decibels?", unit="dB")


def test_without_a_guess_the_notebook_runs_on():
    assert edge().against("the gray ramp") == 'You have not guessed yet. It is "the gray ramp".'
    assert height().against(31.2469) == "You have not guessed yet. It is 31.2 dB."


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        (CHOICES[1], 'You guessed "the gray ramp", and so it is.'),
        (CHOICES[0], 'You guessed "a clean edge"; it is "the gray ramp".'),
    ],
)
def test_a_choice_beside_the_truth(guess: str, said: str):
    widget = edge()
    widget.guess = guess
    assert widget.against("the gray ramp") == said


@pytest.mark.parametrize(
    ("unit", "guess", "truth", "said"),
    [
        ("dB", "25", 31.2469, "You guessed 25 dB; it is 31.2 dB."),
        ("dB", "0.001", 0.00123456, "You guessed 0.001 dB; it is 0.00123 dB."),
        ("dB", "65000", 65536, "You guessed 65000 dB; it is 65500 dB."),
        ("dB", "-3", 0, "You guessed -3 dB; it is 0 dB."),
        ("times", "100", 1, "You guessed 100 times; it is 1 time."),
        ("pairs", "1.0", 0, "You guessed 1 pair; it is 0 pairs."),
        ("gray levels", "1", 2, "You guessed 1 gray level; it is 2 gray levels."),
        ("px", "1", 2, "You guessed 1 px; it is 2 px."),
        ("s", "1", 2, "You guessed 1 s; it is 2 s."),
        ("", "1", 2, "You guessed 1; it is 2."),
    ],
)
def test_a_number_beside_the_truth(unit: str, guess: str, truth: float, said: str):
    widget = Guess("05/distance", "How many?", unit=unit)
    widget.guess = guess
    assert widget.against(truth) == said
    assert widget.summary().startswith(f"How many? Your guess: {guess}")


def test_it_is_there_after_a_restart():
    edge().guess = CHOICES[0]
    height().guess = "12.5"
    assert (edge().guess, height().guess) == (CHOICES[0], "12.5")


def test_a_choice_that_a_later_lesson_no_longer_offers_is_dropped():
    edge().guess = CHOICES[0]
    assert Guess("01/edge", "Which costs least?", ["one", "two"]).guess == ""


@pytest.mark.parametrize("text", ["many", "nan", "inf", "1e", "1 2"])
def test_what_is_no_number_is_said_and_not_kept(text: str):
    widget = height()
    widget.guess = text
    assert widget.error == f"A guess here is a number, such as 1.5, but got {text!r}."
    assert widget.against(3.0) == "You have not guessed yet. It is 3 dB."
    assert height().guess == ""


def test_the_truth_must_be_one_of_the_choices():
    with pytest.raises(ValueError, match="There is no truth a blur; there are a clean edge"):
        edge().against("a blur")


def test_no_page_shows_the_truth():
    page = edge()._repr_mimebundle_()[0]
    assert page["text/markdown"] == (
        "**Your guess:** Which costs least?\n\n- a clean edge\n- the gray ramp"
    )
    assert page["text/plain"] == "Which costs least? (a clean edge / the gray ramp)"
