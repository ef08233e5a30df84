// Where a lab stands: a line for the eye at each redraw, a sentence for the ear
// now and then, and an alert when something went wrong.

import { html, nothing } from "lit-html";
import { attributes } from "./directives.js";

const BETWEEN_SENTENCES = 10_000; // ms; a screen reader reads each, more would be a babble

const STATES = { ready: "ready", running: "training", paused: "paused", failed: "stopped" };

// words: what the eye reads; data: {psnr: 26.5} -> data-psnr, for tests.
export function status(lab, { words = lab.get("said"), data = {} } = {}) {
  const state = lab.get("state") ?? "ready";
  const error = lab.get("error");
  const rate = lab.get("rate");
  return html`<div class="status" data-state=${state} data-step=${lab.get("step") ?? 0} ${attributes(data)}>
    <span class="lamp ${state}" aria-hidden="true"></span>
    <b>${STATES[state] ?? state}</b>
    <span class="words" aria-hidden="true">${words}</span>
    ${rate && state === "running" ? html`<span class="rate">${rate.toFixed(rate < 10 ? 1 : 0)} steps/s</span>` : nothing}
    <span class="unseen" role="status" aria-live="polite">${spoken(lab, state)}</span>
    ${error ? html`<p class="alert" role="alert"><b>Stopped.</b> ${error}</p>` : nothing}
  </div>`;
}

// Said at once when the state or the topic changes, and else every ten seconds.
function spoken(lab, state) {
  const about = `${state} ${lab.get("topic") ?? ""}`;
  const before = lab.local.spoken;
  const now = performance.now();
  if (!before || before.about !== about || now - before.at > BETWEEN_SENTENCES) {
    lab.local.spoken = { about, at: now, text: `${state}: ${lab.get("said") ?? ""}` };
  }
  return lab.local.spoken.text;
}
