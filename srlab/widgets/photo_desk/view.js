// PhotoDesk: what is enlarged left, with the frame to drag; the part by two networks right.

import {
  attributes,
  button,
  choice,
  clamp,
  field,
  files,
  html,
  menu,
  nothing,
  slider,
  tiles,
  toggle,
} from "../kit/js/kit.js";

const MOST = 320; // px: a small picture is enlarged up to here, a pixel to whole squares
const PERCENT = { min: 0, max: 100, step: 1, unit: "%" };
const STEP = 5; // % that an arrow key moves the frame
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const INVENTED = html`Detail that was not in the photograph is <b>invented</b>: the network adds what such places
  usually look like, and it may be wrong. Read no text, no face and no number plate out of an enlarged picture.`;

export function photoDesk(lab) {
  const pictures = lab.get("pictures");
  return html`<div class="lab">
    <div class="head"><h3>Photo desk</h3>${sizes(lab)}</div>
    <div class="split">
      <div class="panel side">${opening(lab)}${choosing(lab)}${place(lab)}</div>
      <div class="desk ${pictures.length > 3 ? "four" : ""}" style="--pictures:${pictures.length}">
        ${tiles(lab, pictures, { columns: 1, most: MOST })}
        <div class="panel take">${unseen(lab)}${taking(lab)}<p class="note">${INVENTED}</p></div>
      </div>
    </div>
  </div>`;
}

function unseen(lab) {
  const model = lab.get("model");
  if (lab.get("pictures").some(({ name }) => name === model)) return nothing;
  return html`<p class="note">${model} looks at the whole picture at once: press Enlarge.</p>`;
}

const px = ([width, height]) => `${width} × ${height} px`;

function sizes(lab) {
  const { small, large } = lab.get("progress");
  const million = ((large[0] * large[1]) / 1e6).toFixed(1);
  return html`<p class="sizes"><b>${lab.get("photograph")}</b> ${lab.get("shrink") ? "made smaller to " : ""}${px(small)} →
    ${px(large)} (${million} million pixels)</p>`;
}

function opening(lab) {
  return html`
    ${files(lab, { label: "Open photographs …", title: "Photographs of your own; or drop them here" })}
    ${field(lab, "file", { label: "or a file", placeholder: "holiday.jpg" })}
    <details class="note"><summary>Up to ${lab.get("upload").most}; where they go</summary>
      Photographs go to the machine that runs this notebook and nowhere else. Put larger ones beside the notebook
      (the upload arrow above JupyterLab’s list of files) and type their names.</details>
    ${menu(lab, "photograph", { options: lab.get("choices").photograph, title: "Which one is enlarged" })}
    ${lab.get("warned").map((text) => html`<p class="warned" role="status">⚠ ${text}</p>`)}`;
}

function choosing(lab) {
  const networks = lab.get("choices").model;
  const others = ["bicubic", ...networks].filter((name) => name !== lab.get("model"));
  return html`
    ${choice(lab, "scale", { options: [2, 4, 8].map((scale) => [scale, `× ${scale}`]) })}
    ${menu(lab, "model", { label: "network", options: networks, title: "It enlarges the whole, too" })}
    ${menu(lab, "other", { label: "beside it", options: others, title: "To compare with" })}
    ${toggle(lab, "shrink", {
      label: "make it smaller first",
      title: "Shrink the photograph by the scale, then try to get it back: so the truth is known, and there are figures",
    })}`;
}

// ---- the frame: dragged, moved by arrow keys, or by the two sliders

function place(lab) {
  const [width, height] = lab.get("share");
  const picture = lab.get("overview");
  const whole = width >= 1 && height >= 1;
  const spot = whole ? "all of it is compared" : `the part in the frame is compared, ${where(lab)}`;
  const [left, top] = corner(lab).map((share) => `${100 * share}%`);
  const size = `width:${100 * width}%;height:${100 * height}%`;
  return html`
    <div class="overview" data-name="overview" tabindex=${whole ? nothing : 0} role="group"
      aria-roledescription=${whole ? nothing : "frame to move by arrow keys"}
      aria-label="${picture.alt}: ${spot}" style="aspect-ratio:${picture.width}/${picture.height};max-width:${picture.width}px"
      @keydown=${(event) => byKey(lab, event)}
      @pointerdown=${(event) => grab(lab, event)} @pointermove=${(event) => drag(lab, event)}
      @pointerup=${() => drop(lab)} @pointercancel=${() => drop(lab)}>
      <img src=${lab.url(picture)} alt="${picture.alt}, whole" draggable="false" />
      ${whole
        ? nothing
        : html`<i class="part" style="left:${left};top:${top};${size}"></i>`}
    </div>
    ${width < 1 ? slider(lab, "across", { ...PERCENT }) : nothing}
    ${height < 1 ? slider(lab, "down", { ...PERCENT }) : nothing}`;
}

// Where the frame begins, as shares of the photograph.
function corner(lab) {
  const [width, height] = lab.get("share");
  return [(lab.get("across") / 100) * (1 - width), (lab.get("down") / 100) * (1 - height)];
}

const where = (lab) => `${Math.round(lab.get("across"))} % across, ${Math.round(lab.get("down"))} % down`;

function byKey(lab, event) {
  if (!ARROWS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const [dx, dy] = ARROWS[event.key];
  moveTo(lab, lab.get("across") + STEP * dx, lab.get("down") + STEP * dy);
}

const moveTo = (lab, across, down) =>
  lab.set({ across: clamp(across, 0, 100), down: clamp(down, 0, 100) });

// Where a pointer is on the photograph, in [0, 1].
function spotOf(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

// On the frame it is held where it was taken; beside it, it jumps under the pointer.
function grab(lab, event) {
  event.currentTarget.setPointerCapture(event.pointerId);
  const held = event.target.classList.contains("part");
  const [u, v] = spotOf(event);
  const [width, height] = lab.get("share");
  const [left, top] = corner(lab);
  lab.local.grip = held ? [u - left, v - top] : [width / 2, height / 2];
  drag(lab, event);
}

function drag(lab, event) {
  if (!lab.local.grip) return;
  const [u, v] = spotOf(event);
  const percent = (at, share) => (share < 1 ? Math.round((1000 * at) / (1 - share)) / 10 : 50);
  const [gripX, gripY] = lab.local.grip;
  const [width, height] = lab.get("share");
  moveTo(lab, percent(u - gripX, width), percent(v - gripY, height));
}

const drop = (lab) => {
  lab.local.grip = null;
};

// ---- the whole

function taking(lab) {
  const { word, done, total, words, large } = lab.get("progress");
  const running = word === "running";
  const error = lab.get("error");
  return html`<div class="taking status" data-state=${word}
      ${attributes({ done, total, scale: lab.get("scale"), size: large.join("x") })}>
    <div class="buttons">
      ${button(lab, "start", { label: "Enlarge", kind: word === "done" ? "" : "primary", title: "Compute the whole", disabled: running || word === "done" })}
      ${button(lab, "pause", { label: "Stop", title: "Stop after this tile", disabled: !running })}
      ${button(lab, "save", { label: "Save", title: "Write it beside this notebook, as PNG", disabled: word !== "done" })}
      ${link(lab)}
    </div>
    <progress max=${total} .value=${done} aria-label="tiles done"></progress>
    <span class="words" role="status">${words}</span>
    <p class="said" role="status">${lab.get("note")}</p>
    <div class="trouble" role="alert">${error ? error.split("\n").map((text) => html`<p>${text}</p>`) : nothing}</div>
  </div>`;
}

// A real link: Tab comes to it, Enter takes it.
function link(lab) {
  const file = lab.get("download");
  if (!file.data) return nothing;
  return html`<a class="button download" download=${file.name} href=${lab.url({ ...file, kind: "png" })}>Download ${file.name} (${file.size})</a>`;
}
