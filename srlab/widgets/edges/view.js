// Five edges to drag; below them L2's answer, the mean, and L1's, the median.

import { html, nothing } from "../kit/js/kit.js";

export function edges(lab) {
  const pixels = lab.get("pixels");
  return html`<div class="lab edges" style="--pixels: ${pixels}">
    <div class="head"><h3>Five edges, all as likely: what single answer costs least?</h3></div>
    <fieldset><legend>Truths: drag an edge, or move it with the arrow keys</legend>
      ${lab.get("places").map((place, i) => truth(lab, place, i))}
    </fieldset>
    <div class="answers">
      ${answer("mean", "L2: the mean", lab.get("mean"))}
      ${answer("median", "L1: the median", lab.get("median"))}
    </div>
    ${lab.get("error") ? html`<p class="alert" role="alert">${lab.get("error")}</p>` : nothing}
    <p class="unseen" role="status" aria-live="polite">${lab.get("said")}</p>
  </div>`;
}

// The slider lies over its row, so that its thumb is the edge.
function truth(lab, place, i) {
  const pixels = lab.get("pixels");
  const row = Array.from({ length: pixels }, (_, x) => (x < place ? 0 : 1));
  return html`<label class="line"><span>truth ${i + 1}</span>
    <span class="row">${row.map(pixel)}<input type="range" min="1" max=${pixels - 1} step="1" data-name="edge-${i + 1}"
      aria-label="edge of truth ${i + 1}" aria-valuetext="${place} dark pixels" .value=${String(place)}
      @input=${(event) => move(lab, i, Number(event.target.value))}></span></label>`;
}

function move(lab, i, place) {
  lab.set({ places: lab.get("places").map((one, other) => (other === i ? place : one)) });
}

function answer(name, title, values) {
  const steps = values.slice(1).map((value, x) => Math.abs(value - values[x]));
  const steepest = Math.max(0, ...steps).toFixed(1);
  const said = values.map((value) => value.toFixed(1)).join(" ");
  return html`<div class="line" data-name=${name} data-steepest=${steepest}><b>${title}</b>
    <span class="row" role="img" aria-label="${title}: ${said}">${values.map(pixel)}</span>
    <span class="step">steepest step ${steepest}${steepest === "1.0" ? ": sharp" : ": blurred"}</span></div>`;
}

const pixel = (value) => html`<i style="--light: ${Math.round(100 * value)}%"></i>`;
