// One slide at a time. Without this script the talk is one long page.

const slides = [...document.querySelectorAll(".slide")];
const [bar, place, back, next] = ["bar", "place", "back", "next"].map(
  (id) => document.getElementById(id)
);
let here = 0;

const later = (slide) => [...slide.querySelectorAll(".fragment")];

function show(number, { whole = false } = {}) {
  here = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, one) => (slide.hidden = one !== here));
  later(slides[here]).forEach((fragment) => (fragment.hidden = !whole));
  fit();
  scrollTo(0, 0);
  history.replaceState(null, "", `#${here + 1}`);
  tell(slides[here]);
}

// On a projector a slide is made smaller to be seen whole, but stays readable.
function fit() {
  const slide = slides[here];
  slide.style.zoom = 1;
  const room = innerHeight - document.getElementById("steps").offsetHeight - 1;
  if (innerWidth >= 1000) slide.style.zoom = Math.min(1, Math.max(0.7, room / slide.offsetHeight));
}

function tell(part) {
  bar.value = here + 1;
  place.textContent = `${here + 1} of ${slides.length}`;
  back.disabled = here === 0;
  next.disabled = here === slides.length - 1 && !waiting();
  // A screen reader goes on from there; a button that was pressed stays at hand.
  if (![back, next].includes(document.activeElement) || document.activeElement.disabled) {
    part.focus({ preventScroll: true });
  }
}

const waiting = () => later(slides[here]).find((fragment) => fragment.hidden);

function goOn() {
  const fragment = waiting();
  if (fragment) {
    fragment.hidden = false;
    fragment.scrollIntoView({ block: "nearest" });
    tell(fragment);
  } else if (here < slides.length - 1) {
    show(here + 1);
  }
}

function goBack() {
  const fragment = later(slides[here]).findLast((one) => !one.hidden);
  if (fragment) {
    fragment.hidden = true;
    tell(slides[here]);
  } else if (here > 0) {
    show(here - 1, { whole: true });
  }
}

// What lies below the window is read before the next slide comes.
const page = document.documentElement;
const moreBelow = () => scrollY + innerHeight < page.scrollHeight - 2;
const moreAbove = () => scrollY > 2;

const keys = {
  ArrowRight: goOn,
  ArrowLeft: goBack,
  PageDown: () => moreBelow() || goOn(),
  PageUp: () => moreAbove() || goBack(),
  " ": (event) => (event.shiftKey ? moreAbove() || goBack() : moreBelow() || goOn()),
  Home: () => show(0),
  End: () => show(slides.length - 1, { whole: true }),
};

// Wide code scrolls by the arrows, a button is pressed by the space bar.
function hasItsOwnUse(event) {
  const box = event.target.closest?.("pre, .box");
  const scrolls = box && box.scrollWidth > box.clientWidth + 1;
  const pressed = event.target.closest?.("a, button, summary, input, select, textarea");
  return event.key.startsWith("Arrow") ? scrolls : event.key === " " && pressed;
}

addEventListener("keydown", (event) => {
  const held = event.ctrlKey || event.altKey || event.metaKey;
  if (held || !(event.key in keys) || hasItsOwnUse(event)) return;
  if (keys[event.key](event) !== true) event.preventDefault();
});
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
addEventListener("resize", fit);
back.addEventListener("click", goBack);
next.addEventListener("click", goOn);

document.getElementById("steps").hidden = false;
page.classList.add("talk");
show(Number(location.hash.slice(1)) - 1 || 0);
