// Quiz: answers are buttons; the reason of each that was tried stays below it.

import { groupOf, html, nothing } from "../kit/js/kit.js";

const LETTERS = "ABCDE";

export function quiz(lab) {
  const error = lab.get("error");
  return html`<div class="lab">
    ${lab.get("questions").map((question, i) => asked(lab, question, i + 1))}
    <div class="trouble" role="alert">${error ? html`<p>${error}</p>` : nothing}</div>
  </div>`;
}

function asked(lab, { text, answers }, number) {
  const tried = lab.get("tried").filter((one) => one.number === number);
  const last = tried.at(-1);
  return html`<section class="question" aria-labelledby="${groupOf(lab)}-${number}" data-name="question-${number}">
    <h4 id="${groupOf(lab)}-${number}">${number}. ${marked(text)}</h4>
    <ul>${answers.map((answer, i) => offered(lab, number, LETTERS[i], answer, tried))}</ul>
    <p class="unseen" role="status">${last ? `${last.letter}: ${last.said}` : nothing}</p>
  </section>`;
}

function offered(lab, number, letter, text, tried) {
  const known = tried.find((one) => one.letter === letter);
  const kind = known ? (known.right ? "is-right" : "is-wrong") : "";
  const sign = known ? (known.right ? "✓" : "✗") : "";
  return html`<li>
    <button type="button" class="answer ${kind}" data-name="${number}-${letter}"
      @click=${() => lab.press("choose", { number, letter })}><b>${letter} ${sign}</b> <span>${marked(text)}</span></button>
    ${known ? html`<p class="reason" data-name="reason-${number}-${letter}" data-right=${known.right}>${marked(known.said)}</p>` : nothing}
  </li>`;
}

// Code stands between backticks.
const marked = (text) => text.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));
