// SkipExplorer: the U with its skips and their sliders left; the pictures right.

import { button, color, figures, html, menu, nothing, short, slider, status, svg, table, tiles } from "../kit/js/kit.js";

const MUTED = 0.005; // a gain below it is written as 0.00
const GAIN = { min: 0, max: 2, step: 0.05, off: true };

export function skips(lab) {
  const { now } = lab.get("figures");
  const changes = lab.get("changes");
  const data = { psnr: now.psnr, sharpness: now.sharpness, "psnr-change": changes.psnr };
  for (const name of ["network", "photograph", ...names(lab).map(gainOf)]) data[name] = lab.get(name);
  return html`<div class="lab skips">
    <div class="head"><h3>What does a skip carry?</h3>${networks(lab)}
      ${menu(lab, "photograph", { options: lab.get("choices").photograph, title: "Which one is enlarged" })}
      ${status(lab, { words: `skips ${names(lab).map((skip) => short(lab.get(gainOf(skip)))).join(", ")}`, data })}</div>
    <div class="split">
      <div class="panel">${sliders(lab)}${drawnU(lab)}${alone(lab)}</div>
      <div class="panel">
        ${lab.get("note") ? html`<p class="alert" data-name="asleep">${lab.get("note")}</p>` : nothing}
        ${tiles(lab, ["trained", "now", "truth", "bicubic", "carried"].map((name) => lab.get(name)), { columns: 2, most: 256, rest: changed(lab) })}
      </div>
    </div>
  </div>`;
}

const names = (lab) => lab.get("skips");
const gainOf = (skip) => skip.replace("skip ", "gain_");
const signed = (value, digits) => {
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(text) ? "−" : "+"}${text}`; // never a minus before zero
};
const dB = (psnr) => `${psnr?.toFixed(2) ?? "–"} dB`;

function networks(lab) {
  const options = lab.get("choices").network;
  return menu(lab, "network", { options, disabled: options.length === 1, title: "Yours is there when SkipExplorer got one" });
}

function sliders(lab) {
  return html`<div class="panel side">
    ${names(lab).map((skip) =>
      slider(lab, gainOf(skip), { label: skip, color: color("content"), ...GAIN, title: `Factor on what ${skip} carries: 0 mutes it, 1 is as trained` }),
    )}
    <div class="buttons">${button(lab, "as_trained", { label: "All as trained", title: "Every gain back to 1" })}</div>
  </div>`;
}

// Mute a skip, or give it back the gain that it had; the slider's switch does the same.
function mute(lab, skip) {
  const name = gainOf(skip);
  const gain = lab.get(name);
  if (gain >= MUTED) lab.local[`last ${name}`] = gain;
  lab.set({ [name]: gain >= MUTED ? 0 : (lab.local[`last ${name}`] ?? 1) });
}

// ---- numbers

function changed(lab) {
  const { psnr, sharpness } = lab.get("changes");
  return html`<div data-name="changes"><h4>now − as trained</h4>
    ${figures([["PSNR, dB", signed(psnr, 2)], ["sharpness", signed(sharpness, 3)]])}</div>`;
}

function alone(lab) {
  const found = Object.entries(lab.get("muted_alone"));
  const column = (key, label, digits) => ({
    key,
    label,
    format: (value) => signed(value, digits),
    bar: { max: Math.max(...found.map(([, change]) => Math.abs(change[key]))) || 1, center: true, color: color("content") },
  });
  const columns = [{ key: "name", label: "muted alone" }, column("psnr", "PSNR, dB", 2), column("sharpness", "sharpness", 3)];
  const rows = found.map(([name, change]) => ({ name, ...change }));
  return table(columns, rows, { name: "muted-alone", caption: `Against as trained, ${lab.get("photograph")}` });
}

// ---- the U: every map with its shape, and what flows in each skip and in the path beside it

const WIDTH = 400;
const ROW = 62;
const BOX = { width: 96, height: 36 };

function drawnU(lab) {
  const depth = names(lab).length;
  const u = { depth, left: (level) => [BOX.width / 2 + 2 + inset(level, depth), 22 + level * ROW] };
  u.right = (level) => [WIDTH - u.left(level)[0], u.left(level)[1]];
  u.bottom = [WIDTH / 2, 22 + (depth + 1) * ROW];
  return html`<figure class="unet" data-name="unet">
    <svg viewBox="0 0 ${WIDTH} ${u.bottom[1] + 24}" role="group" aria-label=${inWords(lab)}>
      ${around(u)}${down(u)}${up(lab, u)}${names(lab).map((skip, i) => drawnSkip(lab, u, skip, i + 1))}${boxes(lab, u)}
    </svg>
    <figcaption class="note">Press a skip to mute it. Brings, carries: mean size of the values that reach a merge from below and through the skip.</figcaption>
  </figure>`;
}

// How far the U narrows: level 0, lr and sr, and level 1 stand at the edges.
const inset = (level, depth) => Math.max(level - 1, 0) * Math.min(30, 50 / Math.max(depth - 1, 1));

const around = (u) => {
  const [[x, y], [x2]] = [u.left(0), u.right(0)];
  return svg`${arrow([[x + BOX.width / 2, y], [x2 - BOX.width / 2, y]], "plain")}${text((x + x2) / 2, y - 5, "bicubic, added at the end")}`;
};

function down(u) {
  const steps = Array.from({ length: u.depth }, (_, level) => {
    const [x] = u.left(level + 1);
    return arrow([[x, u.left(level)[1] + BOX.height / 2], [x, u.left(level + 1)[1] - BOX.height / 2]], "down");
  });
  const [x, y] = u.left(u.depth);
  const corner = [[x, y + BOX.height / 2], [x, u.bottom[1]], [u.bottom[0] - BOX.width / 2, u.bottom[1]]];
  return svg`${steps}${arrow(corner, "down")}`;
}

function up(lab, u) {
  const [x, y] = u.right(u.depth);
  const corner = [[u.bottom[0] + BOX.width / 2, u.bottom[1]], [x, u.bottom[1]], [x, y + BOX.height / 2]];
  const steps = Array.from({ length: u.depth }, (_, level) => {
    const [x] = u.right(level + 1);
    return arrow([[x, u.right(level + 1)[1] - BOX.height / 2], [x, u.right(level)[1] + BOX.height / 2]], "up");
  });
  const sizes = lab.get("sizes");
  const said = Array.from({ length: u.depth }, (_, i) => {
    const [x] = u.right(Math.min(i + 2, u.depth));
    return text(x - 8, u.right(i + 1)[1] + ROW / 2 + 4, `up ${i + 1} brings ${short(sizes[`up ${i + 1}`], 2)}`, "end");
  });
  return svg`${arrow(corner, "up")}${steps}${said}${text(u.right(1)[0] - 8, u.right(0)[1] + ROW / 2 + 4, "detail", "end")}`;
}

// As trained a whole line, the thicker the higher its gain; muted gray and dashed.
function drawnSkip(lab, u, skip, level) {
  const gain = lab.get(gainOf(skip));
  const muted = gain < MUTED;
  const [[x, y], [x2]] = [u.left(level), u.right(level)];
  const [from, to] = [x + BOX.width / 2, x2 - BOX.width / 2];
  const size = short(lab.get("sizes")[skip], 2);
  const said = `${skip}: ${muted ? "muted" : `gain ${short(gain)}`}`;
  const keys = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    mute(lab, skip);
  };
  return svg`<g class="skip ${muted ? "is-muted" : ""}" role="button" tabindex="0" data-name=${skip} aria-pressed=${muted}
      aria-label="Mute ${skip}; ${said}, carries ${size}" @click=${() => mute(lab, skip)} @keydown=${keys}>
    <title>${muted ? "Give it back what it carried" : "Mute it"}</title>
    <rect x=${from + 2} y=${y - 19} width=${to - from - 4} height="38" rx="4"></rect>
    ${arrow([[from, y], [to, y]], "across", muted ? 1.5 : 1 + 1.5 * gain)}
    ${text((from + to) / 2, y - 7, said)}${text((from + to) / 2, y + 15, `carries ${size}`)}
  </g>`;
}

// A line, and the head of an arrow at its last point.
function arrow(path, kind, width = 2) {
  const [[x, y], [tipX, tipY]] = path.slice(-2);
  const length = Math.hypot(tipX - x, tipY - y);
  const [dx, dy] = [(tipX - x) / length, (tipY - y) / length];
  const foot = [tipX - 8 * dx, tipY - 8 * dy];
  const head = [[tipX, tipY], [foot[0] - 4.5 * dy, foot[1] + 4.5 * dx], [foot[0] + 4.5 * dy, foot[1] - 4.5 * dx]];
  return svg`<g class="arrow ${kind}"><polyline points=${[...path.slice(0, -1), foot].join(" ")} stroke-width=${width}></polyline>
    <polygon points=${head.join(" ")}></polygon></g>`;
}

const text = (x, y, words, anchor = "middle") => svg`<text x=${x} y=${y} text-anchor=${anchor}>${words}</text>`;

function boxes(lab, u) {
  const levels = Array.from({ length: u.depth }, (_, i) => i + 1);
  const box = ([x, y], kind, title, map) => svg`<g class="box ${kind}" data-map=${map}>
    <rect x=${x - BOX.width / 2} y=${y - BOX.height / 2} width=${BOX.width} height=${BOX.height} rx="4"></rect>
    <text x=${x} y=${y - 3} text-anchor="middle"><tspan class="title">${title}</tspan><tspan x=${x} dy="14">${shape(lab, map)}</tspan></text></g>`;
  return svg`${box(u.left(0), "plain", "lr", "lr")}${box(u.right(0), "plain", "sr", "sr")}${box(u.bottom, "bottom", "bottom", "bottom")}
    ${levels.map((level) => svg`${box(u.left(level), "down", `encoder ${level}`, `skip ${level}`)}${box(u.right(level), "up", `merge ${level}`, `merge ${level}`)}`)}`;
}

function shape(lab, map) {
  const [, channels, height, width] = lab.get("shapes")[map];
  return `${channels} ch, ${height} × ${width}`;
}

function inWords(lab) {
  const sizes = lab.get("sizes");
  const maps = Object.keys(lab.get("shapes")).map((map) => `${map} ${shape(lab, map)}`);
  const merges = names(lab).map((skip, i) => {
    const gain = lab.get(gainOf(skip));
    return `merge ${i + 1} gets ${short(sizes[`up ${i + 1}`], 2)} from below and ${short(sizes[skip], 2)} through ${skip}, ${gain < MUTED ? "muted" : `gain ${short(gain)}`}`;
  });
  return `The UNet's maps: ${maps.join("; ")}. Mean size: ${merges.join("; ")}.`;
}
