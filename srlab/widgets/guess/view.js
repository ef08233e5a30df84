// A guess: radio buttons for choices, a field for a number. Neither says what is true.

import { groupOf, html, nothing } from "../kit/js/kit.js";

export function guess(lab) {
  const error = lab.get("error");
  const kept = lab.get("guess") && !error;
  return html`<form class="lab guess" @submit=${(event) => event.preventDefault()}>
    <fieldset data-name="guess">
      <legend><b>Your guess.</b> ${lab.get("question")}</legend>
      ${lab.get("choices").length ? lab.get("choices").map((text) => choice(lab, text)) : number(lab)}
    </fieldset>
    <p class="kept" role="status">${kept ? "Kept. Now run the next cell." : nothing}</p>
    ${error ? html`<p class="trouble" role="alert">${error}</p>` : nothing}
  </form>`;
}

const choice = (lab, text) => html`<label><input type="radio" name=${groupOf(lab)} value=${text} data-name="choice-${text}"
    .checked=${lab.get("guess") === text} @change=${() => lab.set({ guess: text })}> ${text}</label>`;

const number = (lab) => html`<label><input type="text" inputmode="decimal" size="8" aria-label="Your guess" data-name="number"
    .value=${lab.get("guess")} @change=${(event) => lab.set({ guess: event.target.value.trim().replace(",", ".") })}>
    ${lab.get("unit")}</label>`;
