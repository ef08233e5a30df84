"""A lab's view without a kernel: the bundle, a plain model, and a page.

The model holds what ``get_state()`` gives, so what is drawn is what JupyterLab
would draw. It notes what the view sends, and takes messages as from a kernel::

    with browser_page(browser) as page:
        still = Still(page, lab)
        still.page.get_by_label("content").press("ArrowRight")
        still.set["content"], still.sent[-1]
        still.receive(step=12)
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ipywidgets import Widget
from ipywidgets.widgets.widget import _remove_buffers
from playwright.sync_api import Browser, Locator, Page, Route

from srlab.widgets.kit.lab import STATIC
from tests.browser.axe import grave_violations_on
from tests.browser.lab import browser_page
from tests.kit import KIT

ADDRESS = "http://srlab.test"

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A lab</title>
<link rel="stylesheet" href="/static/labs.css">
<style>body { margin: 16px; background: var(--jp-layout-color1, light-dark(#fff, #16181d)); }
:root { color-scheme: light dark; }</style>
</head><body><main></main></body></html>"""

# A model with the part of backbone's that anywidget hands to a view.
MODEL = """async ({state, buffers, paths}) => {
    const codes = (text) => Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const bytes = (text) => new DataView(codes(text).buffer);
    const put = (target, path, value) => {
        for (const key of path.slice(0, -1)) target = target[key];
        target[path.at(-1)] = value;
    };
    const unpack = (state, buffers, paths) => {
        paths.forEach((path, i) => put(state, path, bytes(buffers[i])));
        return state;
    };
    const handlers = {};
    const fire = (name) => (handlers[name] ?? []).slice().forEach(act => act());
    const values = unpack(state, buffers, paths);
    const dirty = new Set();
    const take = (changes) => {
        const changed = Object.keys(changes).filter(name => values[name] !== changes[name]);
        Object.assign(values, changes);
        changed.forEach(name => fire(`change:${name}`));
        if (changed.length) fire('change');
    };
    window.still = {
        values, saved: [], sent: [],
        listeners: () => Object.values(handlers).flat().length,
        receive: ({state, buffers, paths}) => take(unpack(state, buffers, paths)),
    };
    const model = {
        get: (name) => values[name],
        set: (name, value) => { dirty.add(name); take({[name]: value}); },
        save_changes: () => {
            still.saved.push(Object.fromEntries([...dirty].map(name => [name, values[name]])));
            dirty.clear();
        },
        send: (content) => still.sent.push(content),
        on: (name, act) => (handlers[name] ??= []).push(act),
        off: (name, act) => { handlers[name] = (handlers[name] ?? []).filter(f => f !== act); },
    };
    const { default: lab } = await import('/static/labs.js');
    const el = document.createElement('div');
    document.querySelector('main').append(el);
    still.remove = lab.render({model, el});
    await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    await Promise.all([...document.images].map(image => image.decode()));
}"""

FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Still:
    """One widget, drawn on ``page`` by the real view.

    Args:
        page: a fresh page of a browser.
        widget: whose state is drawn.
        problems: what the page complained of is put there.
    """

    def __init__(self, page: Page, widget: Widget):
        self.page, self.widget = page, widget
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(f"{error}"))
        open_page(page)
        state = {n: v for n, v in widget.get_state().items() if n not in ("_esm", "_css")}
        draw(page, packed(state))

    @property
    def set(self) -> dict[str, Any]:
        """Trait -> what the view last set, of all it sent to Python.

        A view sends once a frame: what was moved just now is waited for.
        """
        self.frame()
        saved: list[dict[str, Any]] = self.page.evaluate("() => still.saved")
        return {name: value for changes in saved for name, value in changes.items()}

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The presses that it sent, also those of the frame that is being drawn."""
        self.frame()
        return self.page.evaluate("() => still.sent")

    def receive(self, **state: Any) -> None:
        """One message from Python: these traits have changed."""
        self.page.evaluate("(message) => still.receive(message)", packed(state))
        self.frame()

    def follow(self) -> None:
        """One message with all that the widget now is."""
        names = [name for name in self.widget.keys if name not in ("_esm", "_css", "layout")]
        self.receive(**self.widget.get_state(names))

    def must_fit(self, width: int, height: int = 900) -> None:
        """Nothing is wider than a page of this width, nor grave to axe."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.frame()
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        assert grave_violations_on(self.page) == []

    def control(self, name: str) -> Locator:
        """As ``control``."""
        return control(self.page, name)

    def menu(self, name: str, value: str) -> None:
        """Choose in the menu of a trait."""
        self.page.locator(f"[data-name={name}] select").select_option(value)

    def resize(self, width: int) -> None:
        """As a window of this width, px, and 900 px high."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.frame()

    def frame(self) -> None:
        """Wait until what has come is drawn."""
        self.page.evaluate(FRAME)


def drawn(browser: Browser, widget: Widget, width: int = 1400) -> Iterator[Still]:
    """A widget on a page of its own, which must not complain: for fixtures."""
    with browser_page(browser, width=width, height=900) as page:
        still = Still(page, widget)
        yield still
        assert still.problems == []


def control(page: Page, name: str) -> Locator:
    """What a key is pressed on to move a trait; of radio buttons the chosen one."""
    css = ":is([type=radio]:checked, [type=range])"
    return page.locator(
        f".srlab [data-name={name}] {css}, .srlab .toggle[data-name={name}] input"
    )


def open_page(page: Page) -> None:
    """An empty page that can load the bundle and the modules it is made of."""
    page.route(f"{ADDRESS}/**", partial(_answer))
    page.goto(f"{ADDRESS}/")


def draw(page: Page, state: Mapping[str, Any]) -> None:
    """Draw a lab of this state, as ``packed`` gives it, on a page that is open."""
    page.evaluate(MODEL, state)


def packed(state: dict[str, Any]) -> dict[str, Any]:
    """State as it travels: what JSON can say, and the bytes beside it."""
    plain, paths, buffers = _remove_buffers(state)
    texts = [b64encode(bytes(data)).decode() for data in buffers]
    return {"state": json.loads(json.dumps(plain)), "paths": paths, "buffers": texts}


def _answer(route: Route) -> None:
    path = route.request.url.removeprefix(ADDRESS).lstrip("/")
    if path:
        folder, _, name = path.partition("/")
        file = {"static": STATIC, "js": KIT / "js"}[folder] / Path(name).name
        route.fulfill(path=file)
    else:
        route.fulfill(body=PAGE, content_type="text/html")
