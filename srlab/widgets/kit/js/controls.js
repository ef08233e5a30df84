// Controls: native HTML, so that keyboard and screen reader work by themselves.
// Each is named for its trait (data-name) and labeled for people.

import { html, nothing } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { asNumber, asText, POSITIONS, positionOf, strideOf, valueAt } from "./numbers.js";

// A slider for the trait `name`, with its exact number beside it.
//   range: {min, max, log, step, off}; off: 0 is off, and has a switch.
//   color: of the term, beside its label.
export function slider(
  lab,
  name,
  { label = name, color, unit = "", disabled = false, title = "", ...range },
) {
  const held = lab.held.get(name);
  const value = held ?? lab.get(name);
  const off = Boolean(range.off) && value === 0;
  const shown = off ? lastOf(lab, name, range) : value;
  const move = (event) => {
    const now = valueAt(Number(event.target.value), range);
    lab.hold(name, now);
    lab.set({ [name]: now });
  };
  return html`<div class="control slider ${off ? "is-off" : ""}" data-name=${name} data-value=${value} title=${title}>
    ${color ? html`<i class="swatch" style="background:${color}"></i>` : nothing}
    <span class="label">${label}</span>
    ${range.off ? offSwitch(lab, name, { label, off, disabled, range }) : nothing}
    <input type="range" min="0" max=${POSITIONS} step=${strideOf(range)} aria-label=${label}
      aria-valuetext=${`${asText(value, range)} ${unit}`.trim()} ?disabled=${disabled}
      .value=${live(String(positionOf(shown, range)))}
      @input=${move} @change=${() => lab.release(name)} @blur=${() => lab.release(name)} />
    ${exact(lab, name, { label, value, disabled, range })}
    ${unit ? html`<span class="unit">${unit}</span>` : nothing}
  </div>`;
}

function offSwitch(lab, name, { label, off, disabled, range }) {
  const turn = (event) => {
    if (!event.target.checked) lab.local[`last ${name}`] = lab.get(name);
    lab.set({ [name]: event.target.checked ? lastOf(lab, name, range) : 0 });
  };
  return html`<input type="checkbox" class="switch" role="switch" aria-label="${label} on"
    ?disabled=${disabled} .checked=${live(!off)} @change=${turn} />`;
}

// What a weight was before it was turned off.
const lastOf = (lab, name, { min, max, last }) =>
  lab.local[`last ${name}`] ?? last ?? Math.min(Math.max(1, min), max);

// The number itself, to be typed; Enter takes it, Escape gives it up.
function exact(lab, name, { label, value, disabled, range }) {
  const field = `${name} as text`;
  const take = (event) => {
    const typed = asNumber(event.target.value, range);
    lab.release(field);
    if (typed !== null) lab.set({ [name]: typed });
    else event.target.value = asText(lab.get(name), range);
  };
  const keys = (event) => {
    if (event.key === "Escape") {
      event.target.value = asText(lab.get(name), range);
      lab.release(field);
    }
  };
  return html`<input type="text" inputmode="decimal" class="exact" aria-label="${label}, exact" ?disabled=${disabled}
    .value=${live(lab.held.get(field) ?? asText(value, range))}
    @input=${(event) => lab.hold(field, event.target.value)} @change=${take} @keydown=${keys}
    @blur=${() => lab.release(field)} />`;
}

const pairsOf = (options) => options.map((each) => (Array.isArray(each) ? each : [each, each]));
const settingOf = (lab, name) => (value) => lab.set({ [name]: value });

// A menu for the trait `name`; options: [value, text] or plain values. With
// `value` and `set`, here and below, for what is no setting.
export function menu(
  lab,
  name,
  { label = name, options, value = lab.get(name), set = settingOf(lab, name), disabled = false, title = "" },
) {
  const pairs = pairsOf(options);
  const choose = (event) => set(pairs[event.target.selectedIndex][0]);
  return html`<label class="control menu" data-name=${name} data-value=${value} title=${title}>
    <span class="label">${label}</span>
    <select ?disabled=${disabled} .value=${live(String(value))} @change=${choose}>
      ${pairs.map(([each, text]) => html`<option value=${each} ?selected=${each === value}>${text}</option>`)}
    </select>
  </label>`;
}

// A few choices in sight, of which one holds: native radio buttons.
export function choice(
  lab,
  name,
  { label = name, options, value = lab.get(name), set = settingOf(lab, name), disabled = false },
) {
  return html`<fieldset class="control choice" data-name=${name} data-value=${value} ?disabled=${disabled}>
    <legend class="label">${label}</legend>
    <div class="segments">
      ${pairsOf(options).map(
        ([each, text, title]) => html`<label title=${title ?? ""} class=${each === value ? "is-on" : ""}>
          <input type="radio" name="${groupOf(lab)} ${name}" value=${each} .checked=${live(each === value)}
            @change=${() => set(each)} />
          <span>${text}</span>
        </label>`,
      )}
    </div>
  </fieldset>`;
}

// Two views of one lab share no radio buttons, and no id.
export function groupOf(lab) {
  lab.local.group ??= `g${Math.random().toString(36).slice(2)}`;
  return lab.local.group;
}

// On or off, for a trait that is true or false.
export function toggle(
  lab,
  name,
  { label = name, title = "", disabled = false, value = lab.get(name), set = settingOf(lab, name) },
) {
  return html`<label class="control toggle" data-name=${name} data-value=${value} title=${title}>
    <input type="checkbox" class="switch" role="switch" ?disabled=${disabled} .checked=${live(Boolean(value))}
      @change=${(event) => set(event.target.checked)} />
    <span class="label">${label}</span>
  </label>`;
}

// A line of text for the trait `name`, taken with Enter or when it is left.
export function field(lab, name, { label = name, placeholder = "", disabled = false }) {
  const key = `${name} as text`;
  const take = (event) => {
    lab.release(key);
    lab.set({ [name]: event.target.value });
  };
  return html`<label class="control field" data-name=${name}>
    <span class="label">${label}</span>
    <input type="text" placeholder=${placeholder} ?disabled=${disabled} .value=${live(lab.held.get(key) ?? lab.get(name))}
      @input=${(event) => lab.hold(key, event.target.value)} @change=${take} @blur=${() => lab.release(key)} />
  </label>`;
}

// Small files, chosen or dropped: each presses `name` with {file, text}; one of
// more than `most` bytes comes without its text.
export function smallFiles(
  lab,
  name,
  { label = name, accept = "", title = "", most = 2e6, multiple = true },
) {
  const take = async (event) => {
    const chosen = [...event.target.files];
    event.target.value = ""; // so that the same file can be chosen again
    for (const file of chosen)
      lab.press(name, { file: file.name, text: file.size <= most ? await file.text() : null });
  };
  return html`<label class="button file" data-name=${name} title=${title}>${label}
    <input type="file" ?multiple=${multiple} accept=${accept} aria-label=${label} title=${title} @change=${take} /></label>`;
}

// A button that presses `name` in Python, or does `act` here.
export function button(
  lab,
  name,
  { label = name, title = "", given = {}, act = null, kind = "", disabled = false },
) {
  return html`<button type="button" class="button ${kind}" data-name=${name} title=${title} ?disabled=${disabled}
    @click=${() => (act ? act() : lab.press(name, given))}>${label}</button>`;
}

// Start or pause in one place, and reset: of every lab that trains.
export function trainingButtons(lab, { start = "Start", resetTitle = "Back to the start" } = {}) {
  const runs = lab.get("state") === "running";
  return html`<div class="buttons">
    ${button(lab, "start", { label: start, kind: runs ? "" : "primary", disabled: runs, title: "Train in the background" })}
    ${button(lab, "pause", { label: "Pause", kind: runs ? "primary" : "", disabled: !runs, title: "Stop after the present step" })}
    ${button(lab, "reset", { label: "Reset", title: resetTitle })}
  </div>`;
}
