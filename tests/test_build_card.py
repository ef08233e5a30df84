"""What a learner builds is handed on if it is right; else srlab's own stands in."""

import json
from pathlib import Path

import pytest

from srlab.checks import check_residual_block, check_variance
from srlab.course.taught import taught_text
from srlab.files import own_folder
from srlab.learner.progress import read_progress
from srlab.models import ResidualBlock
from srlab.widgets.build import BuildCard, built
from srlab.widgets.build import lab as card_lab


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> list[BuildCard]:
    """What `built` displays."""
    shown: list[BuildCard] = []
    monkeypatch.setattr(card_lab, "display", shown.append)
    return shown


class RightBlock(ResidualBlock):
    pass


class BlankBlock(ResidualBlock):
    def forward(self, x): ...  # your turn


class WrongBlock(ResidualBlock):
    def forward(self, x):
        return self.conv2(self.conv1(x).relu())


def test_a_right_build_is_handed_on(cards: list[BuildCard]):
    assert built(RightBlock, check_residual_block) is RightBlock
    assert cards[0].done
    assert cards[0].summary().startswith("✓ ResidualBlock is right. From here on")


@pytest.mark.parametrize("answer", [BlankBlock, WrongBlock, None])
def test_srlabs_own_stands_in_for_any_other(cards: list[BuildCard], answer: type | None):
    assert built(answer, check_residual_block) is ResidualBlock
    assert not cards[0].done
    assert "not built yet. Until it is, the lesson uses srlab's own." in cards[0].summary()


@pytest.mark.parametrize("answer", [BlankBlock, WrongBlock])
def test_what_was_handed_on_is_not_built_by_running_the_cell_again(
    cards: list[BuildCard], answer: type
):
    again = built(built(answer, check_residual_block), check_residual_block)
    assert again is ResidualBlock
    assert not cards[1].done
    assert "This is srlab's own. Run the cell above with your own" in cards[1].summary()
    assert not any(tried.done for tried in read_progress()[0].exercises.values())


def test_a_blank_earns_no_help_and_a_wrong_build_a_nudge(cards: list[BuildCard]):
    built(BlankBlock, check_residual_block)
    built(WrongBlock, check_residual_block)
    names = [[name for name, _ in card.rows] for card in cards]
    assert [row for row in names[0] if row not in ("case", "expected", "got")] == ["begin"]
    assert names[1][-2:] == ["nudge", "next"]


def test_whoever_unfolds_srlabs_own_has_taken_it_unless_theirs_is_right(cards):
    for answer, noted in ((RightBlock, False), (WrongBlock, True)):
        built(answer, check_residual_block)
        cards[-1].taken = True
        known = json.loads((own_folder() / "progress.json").read_text())
        assert known["exercises"]["01/residual_block"]["taken"] is noted


def test_a_page_that_is_only_read_has_srlabs_own_unfolded(cards: list[BuildCard]):
    built(BlankBlock, check_residual_block)
    page = cards[0]._repr_mimebundle_()[0]["text/markdown"]
    assert page.startswith("<details open><summary>srlab's own <code>ResidualBlock</code>")
    own = taught_text(Path("srlab/models.py").read_text(), "ResidualBlock")
    assert f"```python\n{own}\n```" in page
    assert '"""' not in own


def test_only_the_check_of_a_build_will_do():
    with pytest.raises(ValueError, match="takes the check of a build, but got check_variance"):
        built(RightBlock, check_variance)
