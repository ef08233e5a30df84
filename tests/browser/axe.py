"""axe-core: what on a page a screen reader or a keyboard could not use."""

from dataclasses import dataclass
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.lab import LabPage

OUTPUTS = ".jp-OutputArea"
GRAVE = ("serious", "critical")
OPTIONS = {"resultTypes": ["violations"]}
RUN = "async ([css, options]) => (await axe.run(css ?? document, options)).violations"
# JupyterLab's body is 0 px high and hides what overflows, so axe takes all in it for
# invisible and never looks at colors; what is shown stays where it is.
BODY = "() => void (document.body.style.height = '100vh')"
LONGEST = 300  # characters of an element's HTML in a message


@dataclass(frozen=True)
class Violation:
    """One element that breaks one rule.

    Args:
        rule: axe's name for it, such as ``image-alt``.
        help: the rule in words.
        selector: CSS that finds the element.
        html: its beginning.
    """

    rule: str
    help: str
    selector: str
    html: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.help}; at {self.selector}: {self.html}"


def grave_violations(lab: LabPage, css: str = OUTPUTS) -> list[Violation]:
    """The serious and critical violations in what ``css`` selects.

    Raises:
        playwright.sync_api.Error: if it selects nothing, so no check passes
            because nothing was there.
    """
    lab.page.evaluate(BODY)
    return grave_violations_on(lab.page, css)


def grave_violations_on(page: Page, css: str | None = None) -> list[Violation]:
    """Those of any page, or of what ``css`` selects on it."""
    if not page.evaluate("() => 'axe' in window"):  # axe's own run loads it each time
        page.evaluate(Axe().axe_script)
    results = page.evaluate(RUN, [css, OPTIONS])
    return [
        _violation(rule, node)
        for rule in results
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


def _violation(rule: dict[str, Any], node: dict[str, Any]) -> Violation:
    # a target is nested where an element lies inside a frame or a shadow root
    selector = " ".join(str(part) for part in node["target"])
    html = " ".join(node["html"].split())
    return Violation(rule["id"], rule["help"], selector, html[:LONGEST])
