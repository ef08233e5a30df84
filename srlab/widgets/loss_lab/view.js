// LossLab: weights left; pictures, curves, map, ledger and measures right; runs below.

import {
  button,
  choice,
  color,
  html,
  lineChart,
  live,
  mapChart,
  menu,
  nothing,
  points,
  short,
  slider,
  smallFiles,
  status,
  table,
  tiles,
  trainingButtons,
} from "../kit/js/kit.js";
import { instant, isInstant, modes } from "./instant.js";

const TERMS = ["pixel", "content", "style", "tv"];
const LAYERS = ["relu1_2", "relu2_2", "relu3_3", "relu4_3"];
const WEIGHT = { min: 1e-5, max: 1e4, log: true, off: true };
const RATE = { min: 1e-5, max: 0.1, log: true };
const [PSNR, SHARPNESS] = [6, 7]; // columns of a curve; the terms stand in 2 to 5

export function loss(lab) {
  const sides = lab.get("sides");
  const two = sides.length > 1;
  const side = two ? (lab.local.side ?? "A") : "A"; // whose weights are in hand
  const here = sides[side === "B" ? 1 : 0];
  // One head for both modes, so that the focus stays at the choice between them.
  return html`<div class="lab loss ${two ? "two" : ""} ${isInstant(lab) ? "instant" : ""}">
    ${head(lab, sides)}
    ${isInstant(lab) ? instant(lab) : training(lab, sides, two, side, here)}
  </div>`;
}

function training(lab, sides, two, side, here) {
  return html`
    ${commands(lab, two, side)}
    <div class="split">
      ${weights(lab, two, side, here)}
      <div class="panel pictures">${tiles(lab, shownPictures(lab, two), { columns: 3, most: 256 })}</div>
      <div class="panel below">
        ${charts(lab, sides)}
        <div class="tables">${ledger(lab, two, side, here)}${measures(lab, sides)}</div>
      </div>
    </div>
    ${experiments(lab, sides, side)}`;
}

const names = (sides) => (sides.length > 1 ? ["A", "B"] : ["now"]);
const runColor = (i) => `var(--run-${"ab"[i]})`;

// ---- head

function head(lab, sides) {
  const { text, alarm } = lab.get("message");
  const [{ left, goal, measures: m }] = sides;
  const step = left ? `repeating step ${lab.get("step")} of ${goal}` : `step ${lab.get("step")}`;
  const words = isInstant(lab) ? lab.get("forecast").said : `${sides.map(({ run }) => run).join(" and ")}, ${step}`;
  const data = { run: sides[0].run, left, psnr: m.psnr_y, two: sides.length > 1 };
  return html`<div class="head"><h3 title=${lab.get("heading")}>Loss Lab</h3>${modes(lab)}${status(lab, { words, data })}
    <p class="message" data-name="message" role=${alarm ? "alert" : "status"}>${isInstant(lab) && !alarm ? nothing : (text ?? nothing)}</p></div>`;
}

function commands(lab, two, side) {
  const given = { side };
  return html`<div class="commands">
    ${trainingButtons(lab, { resetTitle: "Keep this run, and begin another at the start, with the weights of now" })}
    <div class="buttons">
      ${button(lab, "fork", { label: "Fork", disabled: two, title: "Keep this run as it is, and go on from it as a new one" })}
      ${button(lab, "snapshot", { label: "Snapshot", given, title: "Keep the present network for comparison" })}
      ${
        two
          ? ["A", "B"].map((keep) =>
              button(lab, `join-${keep}`, {
                label: `Only ${keep}`,
                act: () => lab.press("join", { keep }),
                title: `Go on with ${keep} alone; the other's run is kept`,
              }),
            )
          : button(lab, "split", {
              label: "A | B",
              title: "Put a fork of this network beside it: same state, same batches, other weights",
            })
      }
    </div>
    ${runs(lab, two)}
    ${menu(lab, "photo", { label: "photograph", options: lab.get("photos"), title: "Which one is shown and measured" })}
    ${two ? nothing : besideMenu(lab)}
  </div>`;
}

const runs = (lab, two) =>
  menu(lab, "run", {
    options: lab.get("branches"),
    value: lab.get("sides")[0].run,
    disabled: two,
    title: "Go on with this run where it was left",
    set: (name) => lab.press("go_to", { name }),
  });

function besideMenu(lab) {
  const options = lab.get("beside").map(({ name }) => [name, name]);
  return menu(lab, "beside", {
    options,
    value: besideOf(lab).name,
    title: "Which picture stands beside the network's",
    set: (name) => lab.keep({ beside: name }),
  });
}

// What was kept last, until somebody chooses.
function besideOf(lab) {
  const there = lab.get("beside");
  return there.find(({ name }) => name === lab.local.beside) ?? there[0];
}

function shownPictures(lab, two) {
  const [a, b, truth] = [lab.get("a_picture"), lab.get("b_picture"), lab.get("truth")];
  return two ? [a, b, truth] : [besideOf(lab), a, truth];
}

// ---- weights

function weights(lab, two, side, here) {
  const dial = (name, range, more = {}) => weight(lab, two, side, name, range, more);
  return html`<div class="left side"><div class="panel weights">
    ${two ? choice(lab, "side", { label: "Weights of", options: ["A", "B"], value: side, set: (chosen) => lab.keep({ side: chosen }) }) : html`<h4>Terms of the loss</h4>`}
    ${TERMS.map((name) => dial(name, WEIGHT, { color: color(name), title: `Weight of the term ${name}` }))}
    <h4 title="At which content and style look at a picture">VGG layers</h4>
    <div class="panel compact">
      ${LAYERS.map((name) => dial(name, { ...WEIGHT, max: 100 }, { title: `Weight of the layer ${name}` }))}
      <div class="no-off">${dial("learning_rate", RATE, { label: "learning rate", title: "Step size of the optimizer" })}</div>
    </div>
    </div>${recipes(lab, side, here)}</div>`;
}

function weight(lab, two, side, name, range, more) {
  const [own, other] = side === "A" ? ["a", "b"] : ["b", "a"];
  const elsewhere = lab.get(`${other}_${name}`);
  const differs = two && lab.get(`${own}_${name}`) !== elsewhere;
  return html`<div class="dial" data-differs=${differs}>${slider(lab, `${own}_${name}`, { label: name, ...range, ...more })}
    ${differs ? html`<span class="other">${elsewhere ? short(elsewhere) : "off"} in ${other.toUpperCase()}</span>` : nothing}</div>`;
}

function recipes(lab, side, here) {
  const options = [["", "set by hand"], ...lab.get("presets").map(([name]) => [name, name])];
  return html`<div class="panel recipes"><h4>Recipes</h4>
    ${menu(lab, "preset", {
      options,
      value: here.preset,
      title: here.source,
      set: (name) => (name ? lab.press("preset", { name, side }) : lab.redraw()),
    })}
    ${typed(lab, "shares", { label: "balance", first: "50/40/5/5", title: "Shares of the gradient: pixel/content/style/tv", press: "Balance", act: (shares) => lab.press("balance", { shares, side }) })}
    ${typed(lab, "own", { label: "own", title: "What to call the present weights", press: "Save preset", act: (name) => lab.press("save_preset", { name, side }) })}
    <p class="note source" data-name="source" tabindex="0" role="region" aria-label="Where these weights come from">${here.source}</p></div>`;
}

// A line to type in that only this page knows, and what is done with it.
function typed(lab, name, { label, title, first = "", press, act }) {
  const text = () => lab.local[`typed ${name}`] ?? first;
  return html`<form class="typed" @submit=${(event) => {
    event.preventDefault();
    act(text());
  }}>
    <label class="control field" data-name=${name} title=${title}><span class="label">${label}</span>
      <input type="text" .value=${live(text())} @input=${(event) => {
        lab.local[`typed ${name}`] = event.target.value;
      }} /></label>
    <button class="button" data-name="do-${name}">${press}</button>
  </form>`;
}

// ---- curves and map

function charts(lab, sides) {
  const which = sides.map((side, i) => ({ ...side, name: names(sides)[i], curve: lab.curve("AB"[i]) }));
  return html`<div class="charts">
    ${lineChart({ name: "terms", title: "Terms over steps", label: "", log: true, alt: termsInWords(sides), series: which.flatMap(termSeries) })}
    ${lineChart({
      name: "psnr",
      title: "PSNR over steps, dB",
      label: "",
      alt: lab.get("said"),
      series: which.map(({ name, curve }, i) => ({ name, color: runColor(i), points: points(curve, 0, PSNR) })),
      references: [{ name: "bicubic", value: lab.get("bicubic").psnr_y }],
    })}
    ${mapChart({
      name: "map",
      title: "Sharpness over PSNR",
      alt: lab.get("said"),
      x: { label: "PSNR, dB" },
      y: { label: "sharpness" },
      truth: 1,
      marks: lab.get("marks"),
      paths: [
        ...lab.get("paths").map((path) => ({ ...path, color: "var(--quiet)", quiet: true })),
        ...which.map(({ name, curve }, i) => ({ name, color: runColor(i), points: points(curve, PSNR, SHARPNESS) })),
      ],
    })}
  </div>`;
}

function termSeries({ name, curve }) {
  const [suffix, dash] = name === "B" ? [" B", [5, 4]] : name === "A" ? [" A", undefined] : ["", undefined];
  return TERMS.map((term, i) => ({
    name: `${term}${suffix}`,
    color: color(term),
    dash,
    digits: name === "now" ? 3 : 2, // so that the legend takes one line a network
    points: points(curve, 0, 2 + i),
  })).filter((each) => each.points.length);
}

const termsInWords = (sides) =>
  sides
    .flatMap(({ run, ledger }) => ledger.map(({ term, weighted }) => `${run}, ${term} ${short(weighted)}`))
    .join("; ");

// ---- tables

function ledger(lab, two, side, here) {
  const columns = [
    { key: "term", label: two ? `term of ${side}` : "term" },
    { key: "weight", label: "weight", format: (w) => (w ? short(w) : "off") },
    { key: "raw", label: "raw", title: "The term as it is" },
    { key: "weighted", label: "weighted", title: "Times its weight: what it adds to the loss" },
    {
      key: "share",
      label: "gradient",
      format: percent,
      bar: { max: 1 },
      title: "Share of the gradient: who pulls how hard",
    },
  ];
  const rows = here.ledger.map((row) => ({ ...row, color: color(row.term) }));
  return html`<div>${table(columns, rows, { name: "ledger" })}<p class="note" data-name="sum">${sum(lab, side, here)}</p>
    <p class="note">${aboutSlow(lab)}</p></div>`;
}

const percent = (share) =>
  share >= 0.005 || !share ? `${Math.round(100 * share)} %` : "< 1 %";

// The loss as it is added up; before a step there is none.
function sum(lab, side, here) {
  if (here.loss === null || !lab.get("step")) return nothing;
  const at = (name) => lab.get(`${side.toLowerCase()}_${name}`);
  const layers = LAYERS.filter(at).map((name) => `${short(at(name))} ${name}`);
  const parts = TERMS.filter(at).map((name, i) => {
    const looks = name === "content" || name === "style" ? ` (${layers.join(" + ") || "no layer"})` : "";
    return html`${i ? " + " : ""}${short(at(name))} · <i class="swatch" style="background:${color(name)}"></i> ${name}${looks}`;
  });
  return html`loss ${short(here.loss)} = ${parts.length ? parts : "nothing"}`;
}

function measures(lab, sides) {
  const columns = [
    { key: "measure", label: "" },
    { key: "bicubic", label: "bicubic" },
    ...names(sides).map((name) => ({ key: name, label: name })),
    { key: "truth", label: "truth" },
  ];
  const rows = lab.get("columns").map(({ key, title, about, truth }) => ({
    measure: html`<span title=${about}>${title}</span>`,
    bicubic: written(key, lab.get("bicubic")[key]),
    ...Object.fromEntries(names(sides).map((name, i) => [name, written(key, sides[i].measures[key])])),
    truth: truth === null ? "" : short(truth),
  }));
  return html`<div>${table(columns, rows, { name: "measures" })}</div>`;
}

const aboutSlow = (lab) => {
  const slow = lab.get("columns").filter((each) => each.slow);
  return `${slow.map(({ title }) => title).join(" and ")}: measured at rest; the VGG is the package’s own, so content and style make its distance small by design.`;
};

const written = (key, value) =>
  value === undefined || value === null ? "–" : key === "psnr_y" ? `${value.toFixed(2)} dB` : short(value, 3);

// ---- experiments

function experiments(lab, sides, side) {
  const rows = table_rows(lab, sides);
  const name = lab.get("file_name");
  return html`<details ?open=${lab.local.open} @toggle=${(event) => {
    lab.local.open = event.target.open;
  }}>
    <summary>Experiments: seed, stop, run card, and a table of ${rows.length} ${rows.length === 1 ? "run" : "runs"}</summary>
    <div class="panel">
      <p class="note" data-name="heading">${lab.get("heading")}</p>
      <div class="commands">
        ${whole(lab, "seed", { title: "Of first weights and crops; another one begins a new run" })}
        ${whole(lab, "stop_at", { label: "stop at step", title: "Rest after so many steps; 0: never" })}
        ${typed(lab, `card ${name}`, { label: "run name", title: "Of the run card", first: name, press: "Save card", act: (given) => lab.press("save_card", { name: given, side }) })}
        ${smallFiles(lab, "load_card", { label: "Load card", accept: ".json,application/json", multiple: false, title: "Read a run card, a JSON file; Start then repeats its run" })}
        ${button(lab, "export_code", { label: "Export code", title: "Write this run as a Python program", act: () => lab.press("export_code", { name: lab.local[`typed card ${name}`] ?? name, side }) })}
        ${button(lab, "save_table", { label: "Save table", title: "All runs, as my-runs/loss-lab-runs.csv" })}
      </div>
      <div class="runs" tabindex="0" role="region" aria-label="All runs">${table(RUN_COLUMNS, rows, { name: "runs" })}</div>
    </div>
  </details>`;
}

const RUN_COLUMNS = [
  { key: "name", label: "run" },
  { key: "when", label: "when" },
  { key: "seed", label: "seed" },
  { key: "steps", label: "steps", format: (n) => short(n, 9) },
  ...TERMS.map((key) => ({ key, label: key, format: (w) => (w ? short(w) : "off") })),
  { key: "layers", label: "layers" },
  { key: "learning_rate", label: "rate" },
  { key: "changes", label: "changes", title: "Made while it ran" },
  { key: "psnr", label: "PSNR, dB", format: (value) => value.toFixed(2) },
  { key: "sharpness", label: "sharpness" },
  { key: "ridge", label: "ridge" },
  { key: "checkerboard", label: "checkerboard" },
];

// The latest first; a present run is marked.
function table_rows(lab, sides) {
  const present = new Set(sides.map(({ key }) => key));
  return lab
    .get("runs")
    .map((row) => ({
      ...row,
      ...row.weights,
      ...row.scores,
      name: `${row.card}, ${row.name}`,
      when: row.when.slice(5, 16).replace("T", " "),
      layers: Object.entries(row.layers)
        .filter(([, w]) => w)
        .map(([name, w]) => `${name} ${short(w)}`)
        .join(", "),
      chosen: present.has(row.key),
    }))
    .reverse();
}

function whole(lab, name, { label = name, title }) {
  const take = (event) => {
    const number = Number(event.target.value);
    if (event.target.value !== "" && Number.isInteger(number) && number >= 0) lab.set({ [name]: number });
    else event.target.value = lab.get(name);
  };
  return html`<label class="control whole" data-name=${name} title=${title}><span class="label">${label}</span>
    <input type="number" min="0" step="1" .value=${live(String(lab.get(name)))} @change=${take} /></label>`;
}
