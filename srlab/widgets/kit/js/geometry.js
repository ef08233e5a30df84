// Where a zoomed picture lies: all in fractions, 0 is left or top, 1 right or bottom.

import { clamp } from "./numbers.js";

export const MOST_ZOOM = 32;
export const ZOOMS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];

// The part that is shown never reaches over an edge.
export function centered(zoom, x, y) {
  const half = 0.5 / zoom;
  return [clamp(x, half, 1 - half), clamp(y, half, 1 - half)];
}

// The next whole zoom up (+1) or down (−1).
export function nextZoom(zoom, direction) {
  const beyond = ZOOMS.filter((each) => (direction > 0 ? each > zoom : each < zoom));
  return (direction > 0 ? beyond[0] : beyond.at(-1)) ?? clamp(zoom, 1, MOST_ZOOM);
}

// Zoom to `to`, so that what lies at (u, v) of the frame stays there.
export function zoomedAt({ zoom, center_x, center_y }, to, [u, v] = [0.5, 0.5]) {
  const [x, y] = centered(zoom, center_x, center_y);
  const apart = 1 / zoom - 1 / to;
  const [newX, newY] = centered(to, x + (u - 0.5) * apart, y + (v - 0.5) * apart);
  return { zoom: to, center_x: newX, center_y: newY };
}

export function panned({ zoom, center_x, center_y }, dx, dy) {
  const [x, y] = centered(zoom, center_x, center_y);
  const [newX, newY] = centered(zoom, x + dx / zoom, y + dy / zoom);
  return { center_x: newX, center_y: newY };
}

// A place (u, v) in the frame -> (x, y) in the picture.
export function placeIn({ zoom, center_x, center_y }, u, v) {
  const [x, y] = centered(zoom, center_x, center_y);
  return [x + (u - 0.5) / zoom, y + (v - 0.5) / zoom];
}

// Left, top and side of the square under the lens, px, always inside.
export function lensBox(width, height, x, y, pixels = 32) {
  const side = Math.min(pixels, width, height);
  const left = clamp(Math.round(x * width - side / 2), 0, width - side);
  const top = clamp(Math.round(y * height - side / 2), 0, height - side);
  return { left, top, side };
}

// Where a name stands nearest to its dot at (x, y): right of it, else left, else
// some lines up or down; clear of the taken boxes and inside the area. Where that
// is nowhere, right of it. Boxes are {left, top, width, height}.
export function nameBox([x, y], { width, height }, gap, taken, area) {
  const most = Math.ceil(area.height / height);
  const shifts = Array.from({ length: 2 * most + 1 }, (_, i) => Math.ceil(i / 2) * (i % 2 ? 1 : -1));
  const boxes = shifts.flatMap((lines) =>
    [x + gap, x - gap - width].map((left) => ({ left, top: y + (lines - 0.5) * height, width, height })),
  );
  const inside = boxes.filter((box) => holds(area, box));
  const places = inside.length ? inside : boxes; // a long name may fit on neither side
  return places.find((box) => !taken.some((other) => overlap(box, other))) ?? places[0];
}

const holds = (area, box) =>
  box.left >= area.left &&
  box.top >= area.top &&
  box.left + box.width <= area.left + area.width &&
  box.top + box.height <= area.top + area.height;

const overlap = (one, other) =>
  one.left < other.left + other.width &&
  other.left < one.left + one.width &&
  one.top < other.top + other.height &&
  other.top < one.top + one.height;
