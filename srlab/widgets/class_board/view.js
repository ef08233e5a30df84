// ClassBoard: who is best by each measure, the map beside it, and the table of all below.

import { attributes, button, choice, color, html, mapChart, menu, nothing, short, smallFiles, status, table, toggle } from "../kit/js/kit.js";

const PAGE = 20;
const MOST_SENTENCES = 8;
const COLORS = ["pixel", "content", "style", "tv", "l2"].map(color);
const BADGES = {
  shipped: "comes with srlab",
  recipe: "a recipe: nothing was trained by it yet",
  "adds nothing": "neither closer to the truth nor sharper than bicubic, so it is best by nothing",
  "not comparable": "measured otherwise: see below",
};

export function board(lab) {
  const any = lab.get("scales").length > 0;
  return html`<div class="lab board">
    <div class="head"><h3>Run cards side by side</h3>
      ${smallFiles(lab, "take", { label: "Add run cards", accept: ".json,application/json", most: lab.get("most_bytes"), title: "Open the card.json files of a class, or drop them here" })}
      ${status(lab, { data: { scale: lab.get("scale"), order: lab.get("order"), count: lab.get("count") } })}</div>
    ${sentences("Left out:", lab.get("left_out"), "status")}
    ${any ? html`${controls(lab)}<div class="halves">${bests(lab)}${map(lab)}</div>${rows(lab)}${paging(lab)}
      ${sentences("⚠ Not comparable:", lab.get("doubts"))}${opened(lab)}` : nothing}
    <p class="note">The figures are what the cards say; nobody has measured the networks again. One thing is checked: whoever
      measured on the course’s validation photographs has the same bicubic. Cards with another one are marked ⚠ and are not ranked.</p>
  </div>`;
}

function controls(lab) {
  const scales = lab.get("scales").map(([scale, count]) => [scale, `× ${scale}`, `${count} card${count > 1 ? "s" : ""}`]);
  return html`<div class="buttons">
    ${choice(lab, "scale", { options: scales })}
    ${menu(lab, "order", { label: "best by", options: Object.entries(lab.get("titles")), title: "What the table is sorted by" })}
    ${toggle(lab, "reverse", { title: "The last ones first" })}
  </div>`;
}

const written = (value, digits) =>
  value === null || value === undefined ? "–" : Math.abs(value) < 1e5 ? value.toFixed(digits) : value.toExponential(1);

// ---- who is best

function bests(lab) {
  const columns = [
    { key: "measure", label: "by" },
    { key: "name", label: "best card" },
    { key: "own", label: "its figure" },
    { key: "bicubic", label: "bicubic" },
  ];
  const found = lab.get("bests").map((best) => ({
    measure: html`${best.title}, <small>${best.wanted}</small>`,
    name: html`<b>${shortened(best.name)}</b>`,
    own: best.beats ? best.own : html`<span title="bicubic is as good, and does nothing">${best.own} =</span>`,
    bicubic: best.bicubic,
  }));
  const tied = lab.get("bests").some(({ beats }) => !beats);
  return html`<div class="panel">${table(columns, found, { name: "bests", caption: `Best of × ${lab.get("scale")}` })}
    ${tied ? html`<p class="note">= bicubic is as good by it: nothing is won there.</p>` : nothing}</div>`;
}

// ---- the map: those of the table's page carry their rank, bicubic its name

function map(lab) {
  const bicubic = lab.get("bicubic");
  const shown = lab.get("page").filter(({ kind }) => kind !== "recipe" && kind !== "not comparable");
  const place = ({ figures }) => [figures.psnr_y, figures.sharpness];
  const paths = [
    ...lab.get("others").map((point) => ({ name: "", points: [point], color: "var(--edge)", quiet: true })),
    ...shown.map((row, i) => ({ name: row.name, label: String(row.rank), points: [place(row)], color: COLORS[i % COLORS.length] })),
  ];
  const said = shown.map((row) => `${row.rank} ${row.name} ${written(row.figures.psnr_y, 2)} dB, sharpness ${written(row.figures.sharpness, 2)}`);
  const more = lab.get("others").length ? `; and ${lab.get("others").length} more, pale` : "";
  return html`<div class="places">${mapChart({
    name: "map",
    title: "Sharpness over PSNR, numbered as in the table",
    x: { label: "PSNR Y, dB" },
    y: { label: "sharpness" },
    paths,
    marks: [{ name: "bicubic", x: bicubic.psnr_y, y: bicubic.sharpness }],
    truth: 1,
    alt: `The truth has 1; bicubic ${written(bicubic.psnr_y, 2)} dB, sharpness ${written(bicubic.sharpness, 2)}; ${said.join("; ")}${more}`,
  })}</div>`;
}

// ---- the table

function rows(lab) {
  const measures = lab.get("measures");
  const order = lab.get("order");
  const settings = lab.get("columns");
  const best = Object.fromEntries(lab.get("bests").map(({ measure, name }) => [measure, name]));
  const head = (key, label, title) => ({
    key,
    label: key === order ? `${label} ${lab.get("reverse") ? "▴" : "▾"}` : label,
    title,
    sort: key === order ? "other" : undefined,
  });
  const columns = [
    head("name", "name"),
    ...measures.map(({ key, title, wanted, about }) => head(key, title, `${about}; best is ${wanted}`)),
    head("steps", "steps"),
    head("seconds", "time"),
    ...settings.map((title) => ({ key: title, label: title, format: (value) => short(value, 4) })),
  ];
  const plain = Object.fromEntries(measures.map(({ key, digits }) => [key, written(lab.get("bicubic")[key], digits)]));
  const found = lab.get("page").map((row) => ({
    name: named(lab, row),
    ...Object.fromEntries(
      measures.map(({ key, digits }) => [
        key,
        best[key] === row.name ? html`<b class="won">▲ ${written(row.figures[key], digits)}</b>` : written(row.figures[key], digits),
      ]),
    ),
    steps: String(row.steps),
    seconds: row.time,
    ...row.settings,
    chosen: row.name === lab.get("card"),
  }));
  return html`<div class="panel">${table(columns, [{ name: html`<i class="rank"></i><i>bicubic</i>`, ...plain }, ...found], { name: "cards", caption: `Cards of × ${lab.get("scale")}, by ${lab.get("titles")[order]}` })}
    <p class="note">▲ best of its column: ${lab.get("directions")} (a blur draws no grid and no ridge either). Weights, layers and learning
      rate are those at the first step of the last stage; – is off. Where something was changed while running they did not stay so: open the card.</p></div>`;
}

function named(lab, { rank, name, kind }) {
  const isOpen = name === lab.get("card");
  return html`<span class="rank">${rank}</span><button type="button" class="link" title="${name}: open the card" aria-expanded=${isOpen}
    @click=${() => lab.set({ card: isOpen ? "" : name })}>${kind === "not comparable" ? "⚠ " : ""}${shortened(name)}</button>
    ${kind ? html`<span class="badge" title=${BADGES[kind]}>${kind}</span>` : nothing}`;
}

const shortened = (name, most = 32) => (name.length <= most ? name : `${name.slice(0, most - 1)}…`);

function paging(lab) {
  const [first, count] = [lab.get("first"), lab.get("count")];
  const last = Math.min(first + PAGE, count);
  const turn = (rows) => () => lab.set({ first: first + rows });
  return html`<div class="buttons">
    ${
      count > PAGE
        ? html`${button(lab, "previous", { label: "Previous", act: turn(-PAGE), disabled: first === 0 })}
      ${button(lab, "next", { label: "Next", act: turn(PAGE), disabled: last === count })}`
        : nothing
    }
    <span class="note paging" ${attributes({ first, last, count })}>rows ${first + 1} to ${last} of ${count} (× ${lab.get("scale")})</span>
    <a class="link" data-name="csv" download="class-board.csv" href=${lab.url({ data: lab.get("csv"), type: "text/csv" })}>Download all as CSV</a>
  </div>`;
}

// ---- one card

function opened(lab) {
  const { name, facts, stages } = lab.get("opened");
  if (!name) return nothing;
  return html`<section class="panel side card" data-card=${name} aria-label="The card ${name}">
    <div class="head"><h4>${name}</h4>${button(lab, "close", { label: "Close", act: () => lab.set({ card: "" }) })}</div>
    <dl class="facts">${facts.map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}
      ${stages.map((stage, i) => html`<dt>stage ${i + 1}</dt><dd data-name="stage">${stage}</dd>`)}</dl>
  </section>`;
}

// A list of sentences; of many only the last, and how many there are.
function sentences(title, all, role) {
  if (!all.length) return nothing;
  const left = all.length - MOST_SENTENCES;
  return html`<div class="note" role=${role ?? nothing}><b>${title}</b><ul>
    ${left > 0 ? html`<li>… and ${left} more before these</li>` : nothing}
    ${all.slice(-MOST_SENTENCES).map((sentence) => html`<li>${sentence}</li>`)}</ul></div>`;
}
