// A build's card: the check's lines, and srlab's own definition, which a hand unfolds.

import { html, nothing } from "../kit/js/kit.js";

const SHOW_VALUES = ["case", "expected", "got"];

export function build(lab) {
  const [name, done, error] = ["name", "done", "error"].map((trait) => lab.get(trait));
  return html`<section class="lab card ${done ? "is-done" : "is-open"}" aria-label="Check of ${name}" data-name="card">
    <p role="status" data-name="headline">${
      done
        ? html`<b>✓ Done.</b> From here on the lesson uses your <code>${name}</code>.`
        : html`<b>Not built yet.</b> Until it is, the lesson uses srlab's own <code>${name}</code>.`
    }</p>
    ${lab.get("rows").length ? html`<dl>${lab.get("rows").map(line)}</dl>` : nothing}
    <details data-name="own" ?open=${lab.get("taken")} @toggle=${(event) => take(lab, event.target.open)}>
      <summary>${done ? "Compare with srlab's" : "Take srlab's"}</summary>
      <pre tabindex="0"><code>${lab.get("source")}</code></pre>
    </details>
    ${error ? html`<p class="trouble" role="alert">${error}</p>` : nothing}
  </section>`;
}

const line = ([name, text]) =>
  html`<dt>${name}</dt><dd data-name=${name}>${SHOW_VALUES.includes(name) ? html`<code>${text}</code>` : text}</dd>`;

function take(lab, open) {
  if (open !== lab.get("taken")) lab.set({ taken: open });
}
