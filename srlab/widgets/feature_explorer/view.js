// FeatureExplorer: what to look at on the left, what the network makes of it on the right.

import {
  attributes,
  choice,
  clamp,
  figures,
  html,
  menu,
  nothing,
  pixelsNow,
  short,
  slider,
  table,
  tiles,
} from "../kit/js/kit.js";

export function features(lab) {
  const pair = lab.get("numbers").mode === "pair"; // the setting may be ahead of what was read
  return html`<div class="lab features ${pair ? "of-pair" : ""}">
    <div class="head"><h3>What does the network see?</h3></div>
    <div class="split">
      <div class="panel side settings">${settings(lab)}</div>
      <div class="panel main">${pair ? two(lab) : one(lab)}${legend(lab)}${sentence(lab)}</div>
      ${pair ? differencesHere(lab) : valuesHere(lab)}
      ${pair ? nothing : atlas(lab)}
    </div>
  </div>`;
}

function settings(lab) {
  const options = lab.get("choices");
  const pair = lab.get("mode") === "pair";
  return html`
    ${menu(lab, "photograph", { options: options.photograph, title: "Which picture the network sees" })}
    ${choice(lab, "mode", { label: "look at", options: options.mode })}
    ${
      pair
        ? menu(lab, "other", { label: "against", options: options.other, title: "With what it is compared" })
        : html`${menu(lab, "layer", { options: options.layer, title: "How deep in the network" })}
          ${slider(lab, "channel", {
            min: 0,
            max: lab.get("channels")[lab.get("layer")] - 1,
            step: 1,
            title: "Which of the layer’s maps",
          })}`
    }`;
}

// The strongest channels: press a picture to see it large.
function atlas(lab) {
  const thumbs = lab.get("atlas");
  return html`<div class="panel side strongest">
    <h4>${thumbs.length} strongest of ${lab.get("channels")[lab.get("layer")]} channels</h4>
    <div class="atlas" role="group" aria-label="The strongest channels">${thumbs.map((thumb) => {
      const chosen = thumb.channel === lab.get("channel");
      return html`<button type="button" class="thumb" data-channel=${thumb.channel} aria-pressed=${chosen}
        title="mean ${short(thumb.mean)}" @click=${() => lab.set({ channel: thumb.channel })}>
        <img src=${lab.url(thumb)} alt=${thumb.alt} /><span aria-hidden="true">${thumb.channel}</span></button>`;
    })}</div></div>`;
}

// One zoom and one cursor for all pictures; the maps below stay side by side.
function stages(lab) {
  lab.local.look ??= {};
  lab.local.cursor ??= {
    x: 0.5,
    y: 0.5,
    set(x, y) {
      Object.assign(this, { x, y });
      lab.redraw();
    },
  };
  const set = (changes) => Object.assign(lab.local.look, changes);
  const { cursor } = lab.local;
  return {
    first: { cursor, store: { get: () => lab.local.look, set } },
    below: { cursor, bar: false, store: { get: () => ({ ...lab.local.look, mode: "side" }), set } },
  };
}

const one = (lab) =>
  tiles(lab, [lab.get("photo"), lab.get("activation")], { ...stages(lab).first, columns: 2, most: 400 });

function two(lab) {
  const maps = lab.get("differences");
  const { first, below } = stages(lab);
  return html`${tiles(lab, [lab.get("photo"), lab.get("second")], { ...first, columns: 2, most: 400 })}
    <h4>Where they differ, and how much: mean |other − photograph| / mean |photograph|</h4>
    ${tiles(lab, maps, { ...below, name: "maps", columns: maps.length })}
    ${differences(lab)}`;
}

function valuesHere(lab) {
  const { mean, max, zeros } = lab.get("numbers");
  return figures([
    ["mean", short(mean)],
    ["largest", short(max)],
    ["zeros", `${Math.round(100 * zeros)} %`],
    ["ring at", place(lab).join(", ")],
    ["map there", valueAt(lab, lab.get("activation"))],
    ["photograph there", swatch(colorAt(lab, lab.get("photo")))],
  ]);
}

function differencesHere(lab) {
  const there = lab.get("differences").map((map) => [`${map.name} there`, valueAt(lab, map)]);
  return figures([["ring at", place(lab).join(", ")], ...there]);
}

// A row for each pair so far; the sign says without color which one a column minds most.
function differences(lab) {
  const rows = lab.get("measured").map((row) => ({ ...row, chosen: row.other === lab.get("other") }));
  const names = Object.keys(lab.get("numbers").differences);
  const most = (name) => Math.max(...rows.map((row) => row[name] ?? 0));
  const max = Math.max(...names.map(most)) || 1;
  const mark = (name) => (value) =>
    `${rows.length > 1 && value === most(name) ? "▲ " : ""}${value === null ? "∞" : value.toFixed(3)}`;
  const columns = names.map((name) => ({ key: name, label: name, bar: { max }, format: mark(name) }));
  return html`${table([{ key: "other", label: "relative difference" }, ...columns], rows, { name: "differences" })}
    <p class="note">${
      rows.length > 1
        ? "▲ what this column calls the most different of these. All bars on one scale."
        : "Choose another one to compare: its row comes beside this one."
    }</p>`;
}

const legend = (lab) => {
  const colors = lab.get("colors").filter((_, i) => i % 15 === 0);
  return html`<p class="note ramp">Maps: 0 (or the lowest) <i style="background:linear-gradient(to right,${colors.join()})"></i>
    each map’s largest value. Point at a picture, or move the ring with the arrow keys.</p>`;
};

function sentence(lab) {
  const { shape, differences, ...numbers } = lab.get("numbers");
  const data = { ...numbers, ...differences };
  return html`<p class="unseen" role="status" aria-live="polite" data-name="reading" ${attributes(data)}>${lab.get("said")}</p>
    <p class="waiting" aria-live="polite">${lab.get("waiting")}</p>`;
}

// Where the cursor is, in px of the photograph.
function place(lab) {
  const { width, height } = lab.get("photo");
  const { x, y } = lab.local.cursor;
  return [clamp(Math.floor(x * width), 0, width - 1), clamp(Math.floor(y * height), 0, height - 1)];
}

function colorAt(lab, picture) {
  const pixels = pixelsNow(picture, () => lab.redraw());
  if (!pixels) return null;
  const [x, y] = place(lab);
  return [...pixels.data.slice(4 * (y * pixels.width + x)).slice(0, 3)];
}

// A map's value, from its color: as exact as 256 colors are.
function valueAt(lab, map) {
  const color = colorAt(lab, map);
  if (!color) return "–";
  const hex = `#${color.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  return short(map.low + (lab.get("colors").indexOf(hex) / 255) * (map.high - map.low));
}

const swatch = (color) =>
  color ? html`<i class="swatch" style="background:rgb(${color.join()})"></i> <small>RGB</small> ${color.join(" ")}` : "–";
