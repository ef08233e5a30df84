// Picture tiles: every picture of a lab with one zoom and pan, and the ways to
// look at them. No layout is measured: a picture lies in its frame in percent.

import { html, nothing } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { repeat } from "lit-html/directives/repeat.js";
import { mounted } from "./directives.js";
import { centered, lensBox, MOST_ZOOM, nextZoom, panned, placeIn, zoomedAt } from "./geometry.js";
import { pixelsOf, subtract, urlOf } from "./images.js";
import { HELP, label, MODES, PAIR_NAMES, sentence } from "./looks.js";
import { clamp } from "./numbers.js";

const LOOK = {
  mode: "side",
  first: "",
  second: "",
  position: 0.5,
  amplify: 8,
  period: 0.7,
  playing: false,
  zoom: 1,
  center_x: 0.5,
  center_y: 0.5,
  lens: false,
  lens_x: 0.5,
  lens_y: 0.5,
};
export const LOOK_NAMES = Object.keys(LOOK);
const GRIP = 24; // px around the divider that a finger can hit
const LENS_PIXELS = 32;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// pictures: values of picture traits, one size; an empty one is left out.
//   columns: how many side by side where there is room; most: px of one picture
//   store: where the looks are kept, {get, set}; else with the page alone
//   bar: false for no toolbar (zoom and pan by pointer and keys stay)
//   cursor: {x, y, set(x, y) that changes them}, one place on all pictures, moved by pointer and arrows
//   rest: anything that stands in the next column after pictures side by side
//   help: the keys in a line below; said: what is shown, in a sentence below
export function tiles(
  lab,
  pictures,
  {
    name = "pictures",
    columns,
    most,
    store,
    cursor,
    bar = true,
    rest = nothing,
    help = false,
    said = false,
  } = {},
) {
  const there = pictures.filter((each) => each?.data);
  if (!there.length) return nothing;
  const stage = new Stage(lab, there, name, store, cursor);
  const { look } = stage;
  const alone = look.mode === "side" ? 0 : 1;
  const style =
    `--w:${there[0].width};--h:${there[0].height};--n:${alone || (columns ?? there.length)};` +
    `--most:${most ?? (alone ? Math.round((520 * there[0].width) / there[0].height) : 9999)}px`;
  return html`<div class="tiles" data-name=${name} data-mode=${look.mode} data-zoom=${look.zoom} style=${style}
      @keydown=${(event) => stage.onKey(event)}>
    ${bar ? toolbar(stage) : nothing}
    <div class="stage" tabindex="0" role="group" aria-roledescription="picture comparison" aria-label=${stage.sentence()}
      data-drags=${look.zoom > 1 ? "all" : look.mode === "swipe" || look.lens || cursor ? "across" : "none"}
      @pointerdown=${(event) => stage.onDown(event)} @pointermove=${(event) => stage.onMove(event)}
      @pointerup=${(event) => stage.onUp(event)} @pointercancel=${(event) => stage.onUp(event)}
      ${mounted((el) => new Wheel(el), stage)}>
      <div class="grid">${shown(stage)}${alone ? nothing : rest}</div>
    </div>
    ${look.lens ? lensRow(stage) : nothing}
    ${said ? html`<p class="said" role="status" aria-live="polite">${stage.sentence()}</p>` : nothing}
    ${help ? html`<p class="help">${HELP}</p>` : nothing}
  </div>`;
}

// Anything in the same columns as tiles of pictures as large as `picture`.
export const pixels = (picture, columns, content) => html`<div class="tiles"
  style="--w:${picture.width};--h:${picture.height};--n:${columns};--most:9999px"><div class="grid">${content}</div></div>`;

function shown(stage) {
  const { look } = stage;
  switch (look.mode) {
    case "side":
      return repeat(
        stage.pictures,
        (each) => each.name,
        (each) => one(stage, each),
      );
    case "swipe":
      return pair(stage, "swipe", `clip-path:inset(0 ${100 * (1 - look.position)}% 0 0)`);
    case "blink":
      return pair(stage, stage.runs() ? "blink is-blinking" : "blink", `--period:${look.period}s`);
    case "difference":
      return difference(stage);
    default:
      return one(stage, stage.named(look.first));
  }
}

const one = (stage, picture) => html`<figure class="tile" data-name=${picture.name}>
  ${frame(stage, picture, plane(stage, picture))}
  <figcaption><b>${picture.name}</b> <span>${picture.caption}</span></figcaption>
</figure>`;

// Two pictures in one frame, the first on top.
function pair(stage, kind, style) {
  const [first, second] = [stage.named(stage.look.first), stage.named(stage.look.second)];
  return html`<figure class="tile ${kind}" style=${kind.startsWith("blink") ? style : nothing}>
    ${frame(
      stage,
      first,
      html`<div class="layer">${plane(stage, second)}</div>
      <div class="layer top" style=${kind === "swipe" ? style : nothing}>${plane(stage, first)}</div>
      ${kind === "swipe" ? html`<i class="divider" style="left:${100 * stage.look.position}%"></i>` : nothing}`,
    )}
    <figcaption><span class="top"><b>${first.name}</b> ${first.caption}</span>
      <span><b>${second.name}</b> ${second.caption}</span></figcaption>
  </figure>`;
}

function difference(stage) {
  const { first, second, amplify } = stage.look;
  const data = {
    pictures: [stage.named(first), stage.named(second)],
    amplify,
    tell: (figures) => stage.figured(figures),
  };
  return html`<figure class="tile difference">
    ${frame(
      stage,
      stage.named(first),
      html`<div class="plane" style=${stage.plane()}>
      <canvas role="img" aria-label=${stage.sentence()} ${mounted((el) => new Difference(el), data)}></canvas>
      ${lensFrame(stage)}</div>`,
    )}
    <figcaption><b>|${first} − ${second}| × ${amplify}</b> <span>${stage.figuresText()}</span></figcaption>
  </figure>`;
}

const frame = (stage, picture, content) => html`<div class="frame"
  ${mounted((el) => new Sharpness(el), picture.width / stage.look.zoom)}>${content}</div>`;

const plane = (stage, picture) => html`<div class="plane" style=${stage.plane()}>
  <img src=${urlOf(picture)} alt=${picture.alt ?? label(picture)} draggable="false" />${lensFrame(stage)}${cursorMark(stage)}</div>`;

const cursorMark = ({ cursor }) =>
  cursor ? html`<i class="cursor" style="left:${100 * cursor.x}%;top:${100 * cursor.y}%"></i>` : nothing;

function lensFrame(stage) {
  if (!stage.look.lens) return nothing;
  const { left, top, side } = stage.lensBox();
  const { width, height } = stage.pictures[0];
  const place = `left:${(100 * left) / width}%;top:${(100 * top) / height}%;width:${(100 * side) / width}%;height:${(100 * side) / height}%`;
  return html`<i class="lens-frame" style=${place}></i>`;
}

const lensRow = (stage) => html`<div class="lens-row">
  ${stage.pictures.map(
    (picture) => html`<figure class="tile" data-name=${picture.name}>
    <canvas role="img" aria-label="${label(picture)}, under the lens" ${mounted((el) => new Detail(el), { picture, box: stage.lensBox() })}></canvas>
    <figcaption><b>${picture.name}</b> <span>${picture.caption}</span></figcaption>
  </figure>`,
  )}
</div>`;

function toolbar(stage) {
  const { look } = stage;
  const several = stage.pictures.length > 1;
  return html`<div class="bar">
    ${
      several
        ? html`<div class="segments" role="group" aria-label="How to compare">
      ${MODES.map(
        ([mode, text, key, title]) => html`<button type="button" data-name="mode-${mode}" title=${title}
        aria-keyshortcuts=${key} aria-pressed=${look.mode === mode} @click=${() => stage.choose(mode)}>${text}</button>`,
      )}
    </div>`
        : nothing
    }
    <div class="segments" role="group" aria-label="Zoom">
      <button type="button" data-name="zoom-out" aria-label="Zoom out" @click=${() => stage.zoomBy(-1)}>−</button>
      <output class="zoom" aria-label="Zoom">${Number(look.zoom.toFixed(1))} ×</output>
      <button type="button" data-name="zoom-in" aria-label="Zoom in" @click=${() => stage.zoomBy(1)}>+</button>
    </div>
    <button type="button" class="button" data-name="lens" title="the same few pixels of every picture (L)" aria-keyshortcuts="l"
      aria-pressed=${look.lens} @click=${() => stage.set({ lens: !look.lens })}>Lens</button>
    ${several ? settings(stage) : nothing}
  </div>`;
}

function settings(stage) {
  const { look } = stage;
  const names = PAIR_NAMES[look.mode];
  return html`
    ${names.map((text, i) => picker(stage, text, i ? "second" : "first"))}
    ${look.mode === "swipe" ? range(stage, "position", "Divider", 0, 1, 0.01, `${Math.round(100 * look.position)} %`) : nothing}
    ${look.mode === "difference" ? range(stage, "amplify", "Amplify", 1, 64, 1, `× ${look.amplify}`) : nothing}
    ${
      look.mode === "blink"
        ? html`${range(stage, "period", "Seconds each", 0.4, 3, 0.1, `${look.period.toFixed(1)} s`)}
      <button type="button" class="button" data-name="play" @click=${() => stage.togglePlay()}>${stage.runs() ? "Stop" : "Start"}</button>`
        : nothing
    }`;
}

const picker = (stage, text, trait) => html`<label class="control menu" data-name=${trait}>
  <span class="label">${text}</span>
  <select .value=${live(stage.look[trait])} @change=${(event) => stage.pick(trait, event.target.value)}>
    ${stage.pictures.map((each) => html`<option value=${each.name} ?selected=${each.name === stage.look[trait]}>${label(each)}</option>`)}
  </select></label>`;

const range = (stage, trait, text, min, max, step, said) => html`<label class="control" data-name=${trait}>
  <span class="label">${text}</span>
  <input type="range" min=${min} max=${max} step=${step} aria-valuetext=${said} .value=${live(String(stage.look[trait]))}
    @input=${(event) => stage.set({ [trait]: Number(event.target.value) })} /><output>${said}</output></label>`;

// What a person does with the tiles. Made anew for each drawing; what lasts
// lies in the store and in lab.local.
class Stage {
  constructor(lab, pictures, name, store, cursor) {
    this.lab = lab;
    this.pictures = pictures;
    this.cursor = cursor;
    lab.local[`tiles ${name}`] ??= { look: {}, pointers: new Map(), startedHere: false };
    this.own = lab.local[`tiles ${name}`];
    this.store = store;
    this.look = { ...LOOK, ...(store ? store.get() : this.own.look) };
    const known = (wanted, other) => (pictures.some((each) => each.name === wanted) ? wanted : other.name);
    this.look.first = known(this.look.first, pictures[0]);
    this.look.second = known(this.look.second, pictures.at(-1));
  }

  set(changes) {
    Object.assign(this.look, changes);
    if (this.store) this.store.set(changes);
    else Object.assign(this.own.look, changes);
    this.lab.redraw();
  }

  named(name) {
    return this.pictures.find((each) => each.name === name) ?? this.pictures[0];
  }

  sentence() {
    return sentence(this.look, this.pictures, this.runs(), this.own.figures);
  }

  figured(figures) {
    this.own.figures = figures;
    this.lab.redraw();
  }

  figuresText() {
    const { mean, largest } = this.own.figures ?? {};
    return mean === undefined ? "" : `mean ${mean.toFixed(2)}, largest ${largest} of 255`;
  }

  plane() {
    const { zoom, center_x, center_y } = this.look;
    const [x, y] = centered(zoom, center_x, center_y);
    return `width:${100 * zoom}%;height:${100 * zoom}%;left:${100 * (0.5 - x * zoom)}%;top:${100 * (0.5 - y * zoom)}%`;
  }

  lensBox() {
    const { width, height } = this.pictures[0];
    return lensBox(width, height, this.look.lens_x, this.look.lens_y, LENS_PIXELS);
  }

  choose(mode) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (mode === "blink") this.own.startedHere = !calm;
    this.set({ mode, playing: mode === "blink" && !calm });
  }

  togglePlay() {
    const playing = !this.runs();
    this.own.startedHere = playing;
    this.set({ playing });
  }

  // Blinking begins by itself only where nobody asked for calm.
  runs() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    return this.look.mode === "blink" && this.look.playing && (this.own.startedHere || !calm);
  }

  // Nothing is to be seen between a picture and itself, so the two change places.
  pick(trait, name) {
    const other = trait === "first" ? "second" : "first";
    this.set({ [trait]: name, ...(this.look[other] === name ? { [other]: this.look[trait] } : {}) });
  }

  zoomBy(direction, at) {
    this.set(zoomedAt(this.look, nextZoom(this.look.zoom, direction), at));
  }

  zoomTo(zoom, at) {
    this.set(zoomedAt(this.look, clamp(zoom, 1, MOST_ZOOM), at));
  }

  moveLens(x, y) {
    this.set({ lens_x: clamp(x, 0, 1), lens_y: clamp(y, 0, 1) });
  }

  // Half a pixel inside, so that each place is one of a pixel.
  moveCursor(x, y) {
    const { width, height } = this.pictures[0];
    this.cursor.set(clamp(x, 0.5 / width, 1 - 0.5 / width), clamp(y, 0.5 / height, 1 - 0.5 / height));
  }

  // By keys: to the next pixel, and the shown part follows.
  stepCursor(dx, dy) {
    const { width, height } = this.pictures[0];
    this.moveCursor(this.cursor.x + dx / width, this.cursor.y + dy / height);
    const half = 0.5 / this.look.zoom;
    const near = (center, place) => clamp(center, place - half, place + half);
    this.set({
      center_x: near(this.look.center_x, this.cursor.x),
      center_y: near(this.look.center_y, this.cursor.y),
    });
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input")) return;
    if (this.pressKey(event)) event.preventDefault();
  }

  pressKey(event) {
    const key = event.key.toLowerCase();
    const mode = this.pictures.length > 1 && MODES.find(([, , letter]) => letter === key)?.[0];
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]; // Shift+1 is not "1"
    if (mode === "blink" && this.look.mode === "blink") this.togglePlay();
    else if (mode) this.choose(mode);
    else if (key === "l") this.set({ lens: !this.look.lens });
    else if (key === "+" || key === "=") this.zoomBy(1);
    else if (key === "-" || key === "−") this.zoomBy(-1);
    else if (key === "0") this.zoomTo(1);
    else if (this.pictures[digit - 1])
      this.pick(event.shiftKey ? "second" : "first", this.pictures[digit - 1].name);
    else return ARROWS[event.key] ? this.pressArrow(...ARROWS[event.key], event.shiftKey) : false;
    return true;
  }

  pressArrow(dx, dy, shifted) {
    const { look } = this;
    const { width, height } = this.pictures[0];
    if (shifted && look.lens) this.moveLens(look.lens_x + (4 * dx) / width, look.lens_y + (4 * dy) / height);
    else if (this.cursor) this.stepCursor(shifted ? 8 * dx : dx, shifted ? 8 * dy : dy);
    else if (look.zoom > 1) this.set(panned(look, dx / 8, dy / 8));
    else if (look.mode === "swipe" && dx) this.set({ position: clamp(look.position + dx / 50, 0, 1) });
    else return false; // so that the page still scrolls
    return true;
  }

  // Where an event lies in the frame under it, in [0, 1].
  place(event, frame = event.target.closest?.(".frame")) {
    if (!frame) return null;
    const box = frame.getBoundingClientRect();
    return {
      frame,
      width: box.width,
      u: (event.clientX - box.left) / box.width,
      v: (event.clientY - box.top) / box.height,
    };
  }

  onDown(event) {
    const place = this.place(event);
    if (!place) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    this.own.pointers.set(event.pointerId, place);
    const near = Math.abs(place.u - this.look.position) * place.width < GRIP;
    this.own.drags = this.look.mode === "swipe" && (this.look.zoom === 1 || near) ? "divider" : "picture";
    if (this.own.drags === "divider") this.set({ position: clamp(place.u, 0, 1) });
    if (this.look.lens) this.moveLens(...placeIn(this.look, place.u, place.v));
    if (this.cursor) this.moveCursor(...placeIn(this.look, place.u, place.v));
  }

  onMove(event) {
    const before = this.own.pointers.get(event.pointerId);
    const place = this.place(event, before?.frame);
    if (!place) return;
    if (this.look.lens && (before || event.pointerType === "mouse"))
      this.moveLens(...placeIn(this.look, place.u, place.v));
    if (this.cursor && !before && event.pointerType === "mouse")
      this.moveCursor(...placeIn(this.look, place.u, place.v));
    if (!before) return;
    if (this.own.pointers.size === 2) this.pinch(event.pointerId, before, place);
    else if (this.own.drags === "divider") this.set({ position: clamp(place.u, 0, 1) });
    else if (this.look.zoom > 1) this.set(panned(this.look, before.u - place.u, before.v - place.v));
    else if (this.cursor) this.moveCursor(...placeIn(this.look, place.u, place.v));
    this.own.pointers.set(event.pointerId, place);
  }

  onUp(event) {
    this.own.pointers.delete(event.pointerId);
  }

  pinch(id, before, now) {
    const [, other] = [...this.own.pointers].find(([key]) => key !== id);
    const apart = ({ u, v }) => Math.max(Math.hypot(u - other.u, v - other.v), 0.01);
    this.zoomTo((this.look.zoom * apart(now)) / apart(before), [
      (now.u + other.u) / 2,
      (now.v + other.v) / 2,
    ]);
  }

  // A bare wheel scrolls the notebook; a trackpad's pinch arrives with ctrlKey.
  onWheel(event) {
    const place = this.place(event);
    if (!place || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.zoomTo(this.look.zoom * 2 ** clamp(-event.deltaY / 100, -1, 1), [place.u, place.v]);
  }
}

// The wheel and two fingers, which lit-html would listen to passively.
class Wheel {
  constructor(el) {
    this.ended = new AbortController();
    const how = { passive: false, signal: this.ended.signal };
    el.addEventListener("wheel", (event) => this.stage.onWheel(event), how);
    el.addEventListener("touchstart", (event) => event.touches.length > 1 && event.preventDefault(), how);
  }

  update(stage) {
    this.stage = stage;
  }

  remove() {
    this.ended.abort();
  }
}

// Squares where a picture is enlarged; smooth where it is shrunk.
class Sharpness {
  constructor(el) {
    this.el = el;
    this.observer = new ResizeObserver(() => this.tell());
    this.observer.observe(el);
  }

  update(width) {
    this.width = width;
    this.tell();
  }

  tell() {
    this.el.classList.toggle("is-shrunk", this.el.clientWidth * devicePixelRatio < this.width);
  }

  remove() {
    this.observer.disconnect();
  }
}

// A canvas that waits for the pixels of pictures; what comes too late is left out.
class Canvas {
  constructor(el) {
    this.el = el;
  }

  async wait(pictures, settings, draw) {
    const key = [...pictures.map(urlOf), ...settings].join();
    if (this.key === key) return;
    this.key = key;
    const pixels = await Promise.all(pictures.map(pixelsOf));
    if (this.key === key) draw(...pixels);
  }

  put(pixels, width, height, left = 0, top = 0) {
    Object.assign(this.el, { width, height });
    this.el.getContext("2d").putImageData(pixels, -left, -top);
  }

  remove() {
    this.key = null;
  }
}

class Difference extends Canvas {
  update({ pictures, amplify, tell }) {
    this.wait(pictures, [amplify], (first, second) => {
      const { image, ...figures } = subtract(first, second, amplify);
      this.put(image, image.width, image.height);
      tell(figures);
    });
  }
}

class Detail extends Canvas {
  update({ picture, box: { left, top, side } }) {
    this.wait([picture], [left, top], (pixels) => this.put(pixels, side, side, left, top));
  }
}
