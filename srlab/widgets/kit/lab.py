"""A lab: one widget whose traits are its state, drawn by the kit's JavaScript."""

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

import anywidget
from traitlets import Dict, Unicode

from srlab.files import PACKAGE
from srlab.require import require_known

STATIC = PACKAGE / "widgets" / "kit" / "static"
CURVE_LIMIT = 400
"""Points of a curve; beyond, every second one is dropped."""


class Lab(anywidget.AnyWidget):
    """The base of every lab; what a page shows is a function of the traits.

    A trait tagged ``setting=True`` is a person's to move: a new value, from the
    page or from Python, goes to ``changed``. What ``tell`` sets does not, so a
    lab that follows itself never answers its own words.

    A press arrives as ``{"press": name, ...arguments}`` and calls
    ``presses[name]``. It may come on any thread: it leaves a note, no more.
    """

    _esm = STATIC / "labs.js"
    _css = STATIC / "labs.css"

    view = Unicode(help="which view of the bundle draws it").tag(sync=True)
    error = Unicode(help="what went wrong, said at once").tag(sync=True)
    curves = Dict(help="curve -> {count, rows}, whole").tag(sync=True)
    added = Dict(help="curve -> {from, rows}, what came last").tag(sync=True)

    def __init__(self, **traits: Any):
        self.presses: dict[str, Callable[..., object]] = {}
        self._sending = threading.RLock()
        self._teller: int | None = None  # the thread that tells
        self._fresh: dict[str, list[list[float | None]]] = {}  # points not told yet
        self._last: dict[str, float] = {}  # curve -> where it ends
        self._gone: set[str] = set()  # curves that begin anew
        super().__init__(**traits)
        self.observe(self._on_setting, self.trait_names(setting=True))
        self.on_msg(self._on_message)

    def summary(self) -> str:
        """One sentence with the number, for readers without a kernel."""
        raise NotImplementedError

    def changed(self, name: str, value: Any) -> None:
        """A person, or a notebook, moved a setting; here nothing follows."""

    def tell(self, **values: Any) -> None:
        """Set traits that belong together; they travel in one message.

        Settings among them are not told to ``changed``. Curves that grew by
        ``add`` go along.
        """
        with self._sending, self.hold_sync():
            self._teller = threading.get_ident()
            try:
                self._grow_curves()
                for name, value in values.items():
                    self.set_trait(name, value)
            finally:
                self._teller = None

    def add(self, curve: str, *row: float) -> None:
        """Note a point of a curve, such as ``(step, loss, psnr)``, for the next ``tell``.

        A point of the step that was added last is left out.
        """
        if self._last.get(curve) != row[0]:
            self._last[curve] = row[0]
            self._fresh.setdefault(curve, []).append([finite(number) for number in row])

    def begin(self, curve: str) -> None:
        """Begin a curve anew, at the next ``tell``."""
        self._gone.add(curve)
        self._fresh.pop(curve, None)
        self._last.pop(curve, None)

    def cut(self, curve: str, last: float) -> None:
        """Forget what a curve has beyond ``last``, at the next ``tell``."""
        whole = self.curves.get(curve, {}).get("rows", []) if curve not in self._gone else []
        rows = [row for row in [*whole, *self._fresh.get(curve, [])] if row[0] <= last]
        self.begin(curve)
        if rows:
            self._fresh[curve], self._last[curve] = rows, rows[-1][0]

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what a page sends; not while something is told."""
        with self._sending:
            super().set_state(sync_data)

    def __repr__(self) -> str:
        # The usual text holds an address, so no two runs of a notebook agree.
        return self.summary()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        self.send_state("curves")  # a page keeps pieces in views; one that opens now has none
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        page = {"text/markdown": page} if (page := self._page()) else {}
        return {**data, "text/plain": self.summary(), **page}, metadata

    def _page(self) -> str:
        """Markdown that stands for it on pages that are only read; "" for none."""
        return ""

    def _should_send_property(self, key: str, value: Any) -> bool:
        with self._sending:  # or a change could slip into another thread's message
            return super()._should_send_property(key, value)

    def _on_setting(self, change: Any) -> None:
        if self._teller != threading.get_ident():
            self.changed(change["name"], change["new"])

    def _on_message(self, _: Any, content: Mapping[str, Any], buffers: Any) -> None:
        arguments = {**content, **({"buffers": buffers} if buffers else {})}
        name = str(arguments.pop("press", ""))
        try:
            require_known([name], self.presses, "press")
            self.presses[name](**arguments)
        except (ValueError, TypeError, OSError) as error:  # it would reach no cell
            self.tell(error=f"{error}")

    def _grow_curves(self) -> None:
        """Take the fresh points into the whole, and tell what was added.

        The whole is changed in place, which no trait notices: it travels to a
        page that opens later, and to all only when it was thinned.
        """
        if gone := self._gone & self.curves.keys():
            self.curves = {n: curve for n, curve in self.curves.items() if n not in gone}
        self._gone = set()
        fresh, self._fresh = self._fresh, {}
        added = {}
        for name, rows in fresh.items():
            curve = self.curves.setdefault(name, {"count": 0, "rows": []})
            added[name] = {"from": curve["count"], "rows": rows}
            curve["rows"] += rows
            curve["count"] += len(rows)
        if added:
            self.added = added
        long = [name for name in added if len(self.curves[name]["rows"]) > CURVE_LIMIT]
        if long:
            thin = {name: _thinned(self.curves[name]) for name in long}
            self.curves = {**self.curves, **thin}


def given(**settings: Any) -> dict[str, Any]:
    """Those of some settings that are not None."""
    return {name: value for name, value in settings.items() if value is not None}


def finite(number: float) -> float | None:
    """The number, or None for NaN and infinity, which no message can carry."""
    return number if math.isfinite(number) else None


def finite_each(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """The same for each of several numbers by name."""
    return {name: finite(number) for name, number in numbers.items()}


def _thinned(curve: Mapping[str, Any]) -> dict[str, Any]:
    """Every second point, but the first and the last one."""
    rows = curve["rows"]
    return {"count": curve["count"], "rows": [*rows[:-1:2], rows[-1]]}
