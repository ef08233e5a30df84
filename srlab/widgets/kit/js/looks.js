// The ways to look at pictures of one scene: what they are called, and the
// sentence that says what is shown.

export const MODES = [
  ["single", "One", "o", "one picture at a time (O)"],
  ["side", "All", "a", "all pictures side by side (A)"],
  ["blink", "Blink", "b", "two pictures in turn (B)"],
  ["swipe", "Swipe", "s", "two pictures with a divider (S)"],
  ["difference", "Difference", "d", "what differs between two pictures (D)"],
];

export const PAIR_NAMES = {
  single: ["Picture"],
  side: [],
  blink: ["First", "Second"],
  swipe: ["Left", "Right"],
  difference: ["First", "Second"],
};

export const HELP =
  "Keys: 1–9 picture (Shift: the second one), O one, A all, B blink, S swipe, D difference, " +
  "L lens (Shift+arrows move it), + − 0 zoom, arrows move the divider, or the picture when zoomed in.";

export const label = ({ name, caption }) => `${name} ${caption ?? ""}`.trim();

// look: the state; figures: of the difference, once they are known.
export function sentence(look, pictures, runs, figures) {
  const named = (name) => label(pictures.find((each) => each.name === name) ?? { name });
  const [first, second] = [named(look.first), named(look.second)];
  const zoomed = look.zoom > 1 ? `; zoom ${look.zoom.toFixed(1)} times` : "";
  const where = `${zoomed}${look.lens ? "; lens on" : ""}.`;
  switch (look.mode) {
    case "single":
      return first + where;
    case "side":
      return `side by side: ${pictures.map(label).join(", ")}${where}`;
    case "blink":
      return `blinking ${first} and ${second}, ${runs ? `every ${look.period.toFixed(1)} s` : "stopped"}${where}`;
    case "swipe":
      return `${first} left, ${second} right; divider at ${Math.round(100 * look.position)} %${where}`;
    default: {
      const { mean = 0, largest = 0 } = figures ?? {};
      return `difference of ${first} and ${second}, times ${look.amplify}; mean ${mean.toFixed(2)}, largest ${largest} of 255${where}`;
    }
  }
}
