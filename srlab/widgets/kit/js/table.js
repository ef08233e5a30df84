// A table of numbers; a cell may carry a bar, and says its number in words.

import { html, nothing } from "lit-html";
import { attributes } from "./directives.js";
import { short } from "./numbers.js";

// A number that stands out, in a <dl class="figures">; `more` is small beside it.
export const figure = (name, label, value, more = "") => html`<div class="figure" data-name=${name}>
  <dt>${label}</dt><dd>${value}${more ? html` <small>${more}</small>` : nothing}</dd></div>`;

// Several of them; rows: [label, what it says, name for tests].
export const figures = (rows, data = {}) =>
  html`<dl class="figures" ${attributes(data)}>${rows.map(([label, said, name = label]) => figure(name, label, said))}</dl>`;

// columns: [{key, label, title, sort, format, bar: {max, color, center}}]; the first names the row.
// rows: [{key: value, ..., color, chosen}].
export function table(columns, rows, { caption = "", name = "table" } = {}) {
  return html`<div class="table-box" tabindex="0" role="group" aria-label=${caption || name}><table class="table" data-name=${name}>
    ${caption ? html`<caption>${caption}</caption>` : nothing}
    <thead><tr>${columns.map(({ label, title, sort }) => html`<th scope="col" title=${title ?? nothing} aria-sort=${sort ?? nothing}>${label}</th>`)}</tr></thead>
    <tbody>${rows.map(
      (row) => html`<tr class=${row.chosen ? "is-chosen" : ""}>
      ${columns.map((column, i) => (i ? cell(column, row) : head(column, row)))}
    </tr>`,
    )}</tbody>
  </table></div>`;
}

const head = ({ key }, row) => html`<th scope="row">
  ${row.color ? html`<i class="swatch" style="background:${row.color}"></i>` : nothing}${row[key]}</th>`;

function cell({ key, format = short, bar }, row) {
  const value = row[key];
  const text = typeof value === "number" || value === null ? format(value) : (value ?? "–");
  return html`<td data-key=${key} class=${bar ? "has-bar" : ""}>
    ${bar && Number.isFinite(value) ? barOf(value, bar, row) : nothing}<span>${text}</span></td>`;
}

// From the left, or from the middle where a value has a sign.
function barOf(value, { max = 1, color, center = false }, row) {
  const share = Math.min(Math.abs(value) / max, 1) * (center ? 50 : 100);
  const left = center ? (value < 0 ? 50 - share : 50) : 0;
  return html`<i class="share" style="left:${left}%;width:${share}%;background:${color ?? row.color ?? "var(--accent)"}"></i>`;
}
