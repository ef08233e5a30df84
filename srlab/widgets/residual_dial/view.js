// ResidualDial: the dial and what it reads of an untrained network; below, the race of four.

import {
  choice,
  figure,
  html,
  lineChart,
  nothing,
  points,
  short,
  slider,
  status,
  table,
  trainingButtons,
} from "../kit/js/kit.js";

const color = (kind) => `var(--kind-${kind})`;
const DASHES = { plain: undefined, fixed: [9, 4], learned: [3, 3], gates: [9, 3, 3, 3] };
const WEIGHTS = {
  plain: "1 in every block",
  learned: "learned: 0 in every block before training",
  gates: "gates, 0 to 1: anew for each picture and channel",
};

export function dial(lab) {
  return html`<div class="lab dial">
    <div class="head"><h3>What does a weight on the correction do?</h3></div>
    <div class="split">
      <div class="panel side">${settings(lab)}</div>
      <div class="panel">${reading(lab)}</div>
    </div>
    ${race(lab)}
  </div>`;
}

function settings(lab) {
  const options = lab.get("choices");
  const kind = lab.get("kind");
  return html`
    ${choice(lab, "kind", { label: "kind of weight", options: options.kind })}
    ${
      kind === "fixed"
        ? slider(lab, "weight", {
            min: 0,
            max: 2,
            step: 0.05,
            color: color(kind),
            title: "Factor on each correction of the fixed kind, in the running race too",
          })
        : html`<p class="no-slider" data-name="no-weight"><b>weight</b> ${WEIGHTS[kind]}</p>`
    }
    ${slider(lab, "depth", { min: 1, max: 64, step: 1, unit: "blocks", title: "Residual blocks; a race keeps the depth it began with" })}
    ${choice(lab, "init", { label: "start of the convolutions", options: options.init })}`;
}

// What the untrained network does to a batch, block by block.
function reading(lab) {
  const { title, growth, theory, ...n } = lab.get("numbers");
  const blocks = lab.get("blocks");
  const column = (name) => points({ rows: blocks }, "block", name);
  const bars = (name) => ({ name, bars: true, color: color(lab.get("kind")), points: column(name) });
  const expected = theory === null ? [] : [{ name: "theory", color: "var(--ink)", width: 2, points: column("theory") }];
  return html`<h4 data-name="title">Before training: ${title}</h4>
    <div class="charts">
      ${lineChart({
        name: "spread",
        title: "Spread after each block",
        x: "block",
        log: true,
        least: [0.1, 1],
        series: [bars("spread"), ...expected],
        alt: `${short(n.spread_first)} after the first block, ${short(n.spread_last)} after the last: × ${short(growth)}.`,
      })}
      ${lineChart({
        name: "gradient",
        title: "Gradient norm at each block",
        x: "block",
        log: true,
        least: [0.001, 0.1],
        series: [bars("gradient")],
        alt: `${short(n.gradient_first)} at the first block, ${short(n.gradient_last)} at the last.`,
      })}
    </div>
    <dl class="figures">
      ${figure("growth", "spread, last / first", html`× ${short(growth)}`, `${short(n.spread_first)} → ${short(n.spread_last)}`)}
      ${figure("theory", "theory", theory === null ? "–" : html`× ${short(theory)}`, theory === null ? "no formula" : "")}
      ${
        n.gradient_last === null
          ? figure("ratio", "gradient, first / last", "–", "larger than a float32 can be")
          : figure("ratio", "gradient, first / last", html`× ${short(n.gradient_ratio)}`, `${short(n.gradient_first)} and ${short(n.gradient_last)}`)
      }
    </dl>
    <details><summary>Every block in numbers</summary>${table(BLOCKS, blocks, { name: "blocks" })}</details>
    <p class="note">A freshly made network, one batch of photographs, no training. Its last convolution starts at zero and
      would let no gradient through; for this measurement alone it has small random values. Theory is the mean of many
      networks; a narrow one may be off.</p>`;
}

const BLOCKS = ["block", "spread", "theory", "gradient"].map((key) => ({ key, label: key }));

function race(lab) {
  const now = lab.get("race_now");
  const on = now.rows !== undefined;
  return html`<div class="race panel">
    <div class="head"><h3>Race</h3>${trainingButtons(lab, { resetTitle: "Forget the race; the next has the dial’s depth and start" })}
      ${status(lab, { words: on ? now.said : `not started; it will have ${lab.get("depth")} blocks`, data: data(lab) })}</div>
    <p class="note">Four networks from one seed, on the same batches. A race has the dial’s depth and start when it begins;
      Reset takes them anew. ${on ? html`This one: ${now.depth} blocks, ${now.init} start.` : nothing}</p>
    ${
      on
        ? html`<div class="board">${standings(now)}${curves(lab, now)}</div>
          <div class="charts">${weights(now)}</div>`
        : nothing
    }
  </div>`;
}

// For tests: what the dial reads, and where each network stands.
function data(lab) {
  const { spread_first, spread_last, gradient_first, gradient_last } = lab.get("numbers");
  const psnr = (lab.get("race_now").rows ?? []).map(({ kind, psnr }) => [`psnr-${kind}`, psnr]);
  return {
    kind: lab.get("kind"),
    weight: lab.get("weight"),
    depth: lab.get("depth"),
    "race-depth": lab.get("race_now").depth ?? "",
    "spread-first": spread_first,
    "spread-last": spread_last,
    "gradient-first": gradient_first,
    "gradient-last": gradient_last,
    ...Object.fromEntries(psnr),
  };
}

function standings({ rows, bicubic }) {
  const columns = [
    { key: "kind", label: "network" },
    { key: "weight", label: "weight" },
    { key: "step", label: "steps" },
    { key: "loss", label: "loss", format: fixed(4) },
    { key: "psnr", label: "PSNR, dB", format: fixed(2) },
    { key: "gain", label: "to bicubic", title: `bicubic: ${bicubic.toFixed(2)} dB`, format: gain },
    { key: "note", label: "" },
  ];
  const colored = rows.map((row) => ({ ...row, color: color(row.kind) }));
  return table(columns, colored, { name: "race" });
}

const fixed = (digits) => (value) => (value === null ? "–" : value.toFixed(digits));

// Never "−0.00".
function gain(value) {
  if (value === null) return "–";
  const text = Math.abs(value).toFixed(2);
  return `${value < 0 && text !== "0.00" ? "−" : "+"}${text}`;
}

const curves = (lab, { window, said }) =>
  lineChart({
    name: "race",
    title: `Loss / bicubic’s loss, mean of ${window} steps`,
    series: Object.entries(DASHES).map(([kind, dash], i) => ({
      name: kind,
      dash,
      color: color(kind),
      points: points(lab.curve("race"), 0, i + 1),
    })),
    references: [{ name: "bicubic", value: 1 }],
    alt: said,
  });

const weights = (now) =>
  [
    ["learned", "Learned weight of each block"],
    ["gates", "Gates of each block, mean"],
  ].map(([kind, title]) =>
    lineChart({
      name: kind,
      title,
      x: "block",
      least: [0],
      series: [
        { name: kind, bars: true, color: color(kind), points: points({ rows: now[kind].map((value, i) => [i + 1, value]) }) },
      ],
      alt: `First block ${short(now[kind][0])}, last ${short(now[kind].at(-1))}.`,
    }),
  );
