// TrainingLab: what steers the training left; its pictures and its curves right.

import {
  button, choice, color, html, lineChart, mapChart, menu, nothing, points, short, slider, status, table,
  tiles, trainingButtons,
} from "../kit/js/kit.js";

const COLUMNS = 4; // pictures side by side
const COLORS = { A: "var(--run-a)", B: "var(--run-b)" };
const TERMS = ["pixel", "content", "style", "tv"]; // which have a color
const RATE = { label: "learning rate", min: 1e-5, max: 0.1, log: true };

export function training(lab) {
  const numbers = lab.get("numbers");
  const runs = Object.keys(numbers).filter((name) => COLORS[name]);
  const { psnr, formula } = numbers.A;
  return html`<div class="lab">
    <div class="head"><h3>Watch it learn</h3>
      ${trainingButtons(lab, { resetTitle: "Back to the model at the start" })}
      ${button(lab, "snapshot", { label: "Snapshot", title: "Keep the present network for comparison" })}
      ${status(lab, { data: { psnr, bicubic: numbers.bicubic.psnr, formula, rate: lab.get("learning_rate") } })}
      ${diverged(lab)}</div>
    <div class="bench">
      <div class="left">${settings(lab, runs)}
        <div class="panel numbers">${figures(numbers, runs)}<p class="note">${lab.get("setup")}</p></div></div>
      ${pictures(lab, runs)}
      <div class="charts">${charts(lab, runs)}</div>
    </div>
  </div>`;
}

// One press back, before anything overflows.
function diverged(lab) {
  const { run, step, back } = lab.get("diverged");
  if (step === undefined) return nothing;
  return html`<p class="alert diverged" role="alert"><span><b>${run || "It"} diverged at step ${step}.</b>
      Steps that are too large make the loss explode.</span>
    ${button(lab, "back", { label: `Back to step ${back}`, kind: "primary", title: "With a smaller learning rate" })}</p>`;
}

function settings(lab, runs) {
  const photographs = lab.get("photographs");
  return html`<div class="panel side">
    ${runs.length > 1 ? sliders(lab, runs) : lab.get("weights").map((each) => weight(lab, each))}
    ${slider(lab, "learning_rate", { ...RATE, title: "Step size of the optimizer" })}
    ${menu(lab, "photograph", { options: photographs, title: "Which one is shown and measured" })}
    ${runs.length > 1
      ? button(lab, "drop", { label: "A alone", title: "Go on without B" })
      : button(lab, "fork", { label: "Set B beside it", title: "B begins as the network is now, with a loss of its own" })}
  </div>`;
}

// Those of A and B: both where they are few, else one after the other.
function sliders(lab, runs) {
  const weights = lab.get("weights");
  const few = weights.length === 1;
  const shown = lab.local.of ?? "B";
  return html`${few
      ? nothing
      : choice(lab, "of", { label: "weights of", options: runs, value: shown, set: (of) => lab.keep({ of }) })}
    ${(few ? runs : [shown]).map((run) => weights.map((each) => weight(lab, each, run)))}`;
}

function weight(lab, { name, label, ...range }, run = "") {
  const trait = run === "B" ? `${name}_b` : name;
  const shown = run ? COLORS[run] : TERMS.includes(name) ? color(name) : undefined;
  return slider(lab, trait, { label: run ? `${run}: ${label}` : label, color: shown, ...range });
}

function figures(numbers, runs) {
  const names = [...runs, "bicubic"];
  const alone = runs.length === 1;
  const columns = [
    { key: "name", label: "" },
    ...names.map((key) => ({ key, label: alone && key === "A" ? "network" : key })),
  ];
  const row = (name, key, format) => ({
    name,
    ...Object.fromEntries(names.map((run) => [run, format(numbers[run][key])])),
  });
  const rows = [
    row("PSNR, dB", "psnr", (value) => value.toFixed(2)),
    row("sharpness", "sharpness", (value) => value.toFixed(2)),
    row("loss", "loss", (value) => (value === undefined ? "" : short(value))),
  ];
  const formula = (run) => html`<p class="note" data-name="formula-${run}">
    ${alone ? "loss" : `loss of ${run}`} = ${numbers[run].formula}</p>`;
  return html`${table(columns, rows, { name: "numbers" })}${runs.map(formula)}`;
}

// Four: a snapshot takes the place of the input, or of bicubic, whose numbers stand in the
// table. With two networks, a difference is at first the one between them.
function pictures(lab, runs) {
  const alone = runs.length === 1;
  const kept = Boolean(lab.get("kept").data);
  const others = alone ? [kept ? "kept" : "input", "bicubic"] : [kept ? "kept" : "bicubic"];
  const names = [...others, "network", "network_b", "truth"];
  const first = alone ? { first: "network" } : { first: "A", second: "B" };
  lab.local[`looks ${alone}`] ??= first;
  const looks = lab.local[`looks ${alone}`];
  const store = { get: () => looks, set: (changes) => Object.assign(looks, changes) };
  return tiles(
    lab,
    names.map((name) => lab.get(name)),
    { columns: COLUMNS, store },
  );
}

function charts(lab, runs) {
  const { bicubic } = lab.get("numbers");
  const alt = lab.get("said");
  const alone = runs.length === 1;
  const line = (run, points) => ({ name: alone ? "network" : run, color: COLORS[run], points });
  const path = (run) => {
    const places = points(lab.curve(run), 1, 2);
    return { ...line(run, places), name: places.length > 1 ? line(run).name : "" }; // at first it lies on bicubic
  };
  const lines = (suffix, y) => runs.map((run) => line(run, points(lab.curve(run + suffix), 0, y)));
  return html`
    ${lineChart({ name: "loss", title: alone ? "Loss" : "Loss, of each its own", log: true, alt, series: lines(" loss", 1) })}
    ${lineChart({ name: "psnr", title: "PSNR, dB", alt, series: lines("", 1), references: [{ name: "bicubic", value: bicubic.psnr }] })}
    ${mapChart({
      name: "map",
      title: "Sharpness over PSNR",
      alt,
      x: { label: "PSNR, dB" },
      y: { label: "sharpness" },
      truth: 1,
      paths: runs.map(path),
      marks: [{ name: "bicubic", x: bicubic.psnr, y: bicubic.sharpness }],
    })}`;
}
