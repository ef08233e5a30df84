// Compare: pictures of one scene, laid over each other on one canvas.
//
// All state lies in the model's traits, so Python drives and reads the widget.
// Drawing needs no kernel: the pictures are here, and a divider that waits for
// Python would lag behind the hand.

const MODES = [
  ["single", "One", "o"],
  ["side", "All", "a"],
  ["blink", "Blink", "b"],
  ["swipe", "Swipe", "s"],
  ["difference", "Difference", "d"],
];
const PAIR_NAMES = {
  single: ["Picture"],
  side: [],
  blink: ["First", "Second"],
  swipe: ["Left", "Right"],
  difference: ["First", "Second"],
};
const STATE = [
  "mode", "first", "second", "position", "amplify", "period", "playing",
  "zoom", "center_x", "center_y", "lens", "lens_x", "lens_y",
];
const HELP =
  "Keys: 1–9 picture (Shift: the second one), O one, A all, B blink, S swipe, " +
  "D difference, L lens (Shift+arrows move it), + − 0 zoom, " +
  "arrows move the divider, or the picture when zoomed in.";
const MOST_ZOOM = 32;
const STAGE_HEIGHT = 440; // px; taller pictures would not fit under the controls
const NARROWEST = 170; // px a picture needs side by side
const GAP = 6; // px between pictures side by side
const GRIP = 24; // px around the divider that a finger can hit

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Text only ever enters the page as textContent: a caption may hold any sign.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

class CompareView {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.names = model.get("names");
    this.images = {}; // name -> ImageBitmap
    this.pixels = {}; // name -> its bytes, read only when a difference is asked for
    this.pointers = new Map(); // fingers on the stage
    this.flipped = false; // blink shows the second picture
    this.startedHere = false; // the person in front of this screen pressed Start
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.cleanups = [];
    this.build();
    this.connect();
    this.load();
  }

  get(name) {
    return this.model.get(name);
  }

  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.model.set(name, value);
    // One message after the movement, not one for each px of it.
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.model.save_changes(), 100);
  }

  label(name) {
    return `${name} ${this.get("captions")[name] ?? ""}`.trim();
  }

  async load() {
    const pngs = this.get("pngs");
    try {
      for (const [i, name] of this.names.entries()) {
        const blob = new Blob([pngs[i]], { type: "image/png" });
        // A color profile must not change the numbers that are compared.
        this.images[name] = await createImageBitmap(blob, { colorSpaceConversion: "none" });
      }
      this.update();
    } catch (error) {
      this.root.append(make("p", { role: "alert" }, `The pictures cannot be shown: ${error}`));
    }
  }

  // ---- controls

  build() {
    this.root.classList.add("srlab-compare");
    this.modeButtons = MODES.map(([mode, text, key]) =>
      this.button(text, { class: `srlab-mode-${mode}`, "aria-keyshortcuts": key }, () => this.choose(mode)),
    );
    this.first = this.select("first");
    this.second = this.select("second");
    this.position = this.range("position", "Divider", 0, 1, 0.01);
    this.amplify = this.range("amplify", "Amplify", 1, 64, 1);
    this.period = this.range("period", "Seconds each", 0.4, 3, 0.1);
    this.play = this.button("Stop", { class: "srlab-play" }, () => this.togglePlay());
    this.lens = this.button("Lens", { class: "srlab-lens-button", "aria-keyshortcuts": "l" }, () => this.toggleLens());
    const zooms = [
      this.button("−", { "aria-label": "Zoom out" }, () => this.zoomBy(1 / 2)),
      (this.zoomText = make("output", { "aria-label": "Zoom" })),
      this.button("+", { "aria-label": "Zoom in" }, () => this.zoomBy(2)),
    ];
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.labels = make("div", { class: "srlab-labels" });
    this.stage = make(
      "div",
      { class: "srlab-stage", tabindex: 0, role: "group", "aria-roledescription": "picture comparison" },
      this.canvas,
      this.labels,
    );
    this.lensRow = make("div", { class: "srlab-lens" });
    this.status = make("p", { class: "srlab-status", role: "status", "aria-live": "polite" });
    this.root.append(
      make(
        "div",
        { class: "srlab-bar" },
        make("div", { class: "srlab-group", role: "group", "aria-label": "How to compare" }, ...this.modeButtons),
        make("div", { class: "srlab-group", role: "group", "aria-label": "Zoom" }, ...zooms),
        this.lens,
      ),
      make(
        "div",
        { class: "srlab-bar srlab-settings" },
        ...[this.first, this.second, this.position, this.amplify, this.period].map((x) => x.label),
        this.play,
      ),
      this.stage,
      this.lensRow,
      this.status,
      make("p", { class: "srlab-help" }, HELP),
    );
  }

  button(text, attributes, act) {
    const button = make("button", { type: "button", ...attributes }, text);
    button.addEventListener("click", act);
    return button;
  }

  select(trait) {
    const text = make("span");
    const options = this.names.map((name) => make("option", { value: name }, this.label(name)));
    const input = make("select", { class: `srlab-${trait}` }, ...options);
    input.addEventListener("change", () => this.pick(trait, input.value));
    return { input, text, label: make("label", {}, text, input) };
  }

  range(trait, name, min, max, step) {
    const text = make("output");
    const input = make("input", { type: "range", min, max, step, class: `srlab-${trait}` });
    input.addEventListener("input", () => this.set({ [trait]: Number(input.value) }));
    return { input, text, label: make("label", {}, `${name} `, input, text) };
  }

  // ---- listeners; each is undone when the view goes

  listen(target, event, act, options) {
    target.addEventListener(event, act, options);
    this.cleanups.push(() => target.removeEventListener(event, act, options));
  }

  connect() {
    const update = () => this.update();
    for (const name of STATE) {
      this.model.on(`change:${name}`, update);
      this.cleanups.push(() => this.model.off(`change:${name}`, update));
    }
    // On the window and before all others: JupyterLab listens on the document,
    // where B would insert a cell and L number its lines.
    this.listen(window, "keydown", (event) => this.onKey(event), true);
    this.listen(this.stage, "pointerdown", (event) => this.onDown(event));
    this.listen(this.stage, "pointermove", (event) => this.onMove(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.listen(this.stage, end, (event) => this.pointers.delete(event.pointerId));
    }
    // Two fingers are ours; without this the browser would take them to scroll.
    const keep = (event) => event.touches.length > 1 && event.preventDefault();
    this.listen(this.stage, "touchstart", keep, { passive: false });
    this.listen(this.stage, "wheel", (event) => this.onWheel(event), { passive: false });
    this.listen(this.calm, "change", update);
    const observer = new ResizeObserver(update);
    observer.observe(this.root);
    this.cleanups.push(() => observer.disconnect());
  }

  remove() {
    for (const undo of this.cleanups) undo();
    clearInterval(this.blinking);
    clearTimeout(this.saving);
    clearTimeout(this.speaking);
    cancelAnimationFrame(this.frame);
    for (const image of Object.values(this.images)) image.close();
  }

  // ---- what a person can do

  choose(mode) {
    if (mode === "blink") this.startedHere = !this.calm.matches;
    this.set({ mode, playing: mode === "blink" && !this.calm.matches });
  }

  togglePlay() {
    const playing = !this.runs();
    this.startedHere = playing;
    this.set({ playing });
    this.update(); // the trait may have been true while reduced motion held it
  }

  // Nothing is to be seen between a picture and itself, so the two change places.
  pick(trait, name) {
    const other = trait === "first" ? "second" : "first";
    const swap = this.get(other) === name ? { [other]: this.get(trait) } : {};
    this.set({ [trait]: name, ...swap });
  }

  // Blinking begins by itself only where nobody asked for calm.
  runs() {
    return this.get("mode") === "blink" && this.get("playing") && (this.startedHere || !this.calm.matches);
  }

  toggleLens() {
    this.set({ lens: !this.get("lens") });
  }

  zoomBy(factor, at = [0.5, 0.5]) {
    const old = this.get("zoom");
    const zoom = clamp(old * factor, 1, MOST_ZOOM);
    // What lies under the pointer stays there.
    const [dx, dy] = at.map((u) => (u - 0.5) * (1 / old - 1 / zoom));
    const [x, y] = this.center();
    this.set({ zoom });
    this.lookAt(x + dx, y + dy);
  }

  // The part that is shown never reaches over an edge.
  center(x = this.get("center_x"), y = this.get("center_y")) {
    const half = 0.5 / this.get("zoom");
    return [clamp(x, half, 1 - half), clamp(y, half, 1 - half)];
  }

  lookAt(x, y) {
    const [center_x, center_y] = this.center(x, y);
    this.set({ center_x, center_y });
  }

  pan(dx, dy) {
    const [x, y] = this.center();
    this.lookAt(x + dx / this.get("zoom"), y + dy / this.get("zoom"));
  }

  moveLens(x, y) {
    this.set({ lens_x: clamp(x, 0, 1), lens_y: clamp(y, 0, 1) });
  }

  onKey(event) {
    const target = event.composedPath()[0];
    if (!(target instanceof Element && this.root.contains(target))) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own
    if (target.matches("select, input")) {
      // The control takes its own keys; JupyterLab must not take them as well.
      if (!["Tab", "Enter", "Escape"].includes(event.key)) event.stopPropagation();
      return;
    }
    if (this.press(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  press(event) {
    const key = event.key.toLowerCase();
    const mode = MODES.find(([, , letter]) => letter === key)?.[0];
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]; // Shift+1 is not "1"
    const arrow = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }[key];
    if (mode === "blink" && this.get("mode") === "blink") this.togglePlay();
    else if (mode) this.choose(mode);
    else if (key === "l") this.toggleLens();
    else if (key === "+" || key === "=") this.zoomBy(2);
    else if (key === "-" || key === "−") this.zoomBy(1 / 2);
    else if (key === "0") this.zoomBy(1 / MOST_ZOOM);
    else if (this.names[digit - 1]) this.pick(event.shiftKey ? "second" : "first", this.names[digit - 1]);
    else if (arrow) return this.pressArrow(...arrow, event.shiftKey);
    else return false;
    return true;
  }

  pressArrow(dx, dy, shifted) {
    const { width, height } = this.size();
    if (shifted && this.get("lens")) {
      this.moveLens(this.get("lens_x") + (4 * dx) / width, this.get("lens_y") + (4 * dy) / height);
    } else if (this.get("zoom") > 1) this.pan(dx / 8, dy / 8);
    else if (this.get("mode") === "swipe" && dx) {
      this.set({ position: clamp(this.get("position") + dx / 50, 0, 1) });
    } else return false; // so that the page still scrolls
    return true;
  }

  onDown(event) {
    const place = this.place(event);
    if (!place) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, place);
    const toDivider = Math.abs(place.u - this.get("position")) * place.panel.width;
    const grabs = this.get("mode") === "swipe" && (this.get("zoom") === 1 || toDivider < GRIP);
    this.drag = grabs ? "divider" : "picture";
    if (grabs) this.set({ position: clamp(place.u, 0, 1) });
    if (this.get("lens")) this.moveLens(place.x, place.y);
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    const place = this.place(event, before?.panel);
    if (!place) return;
    if (this.get("lens") && (before || event.pointerType === "mouse")) this.moveLens(place.x, place.y);
    if (!before) return;
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, place);
    else if (this.drag === "divider") this.set({ position: clamp(place.u, 0, 1) });
    else this.pan(before.u - place.u, before.v - place.v);
    this.pointers.set(event.pointerId, place);
  }

  pinch(id, before, now) {
    const [, other] = [...this.pointers].find(([key]) => key !== id);
    const apart = ({ u, v }) => Math.max(Math.hypot(u - other.u, v - other.v), 0.01);
    this.zoomBy(apart(now) / apart(before), [(now.u + other.u) / 2, (now.v + other.v) / 2]);
  }

  onWheel(event) {
    const place = this.place(event);
    // A bare wheel scrolls the notebook; a trackpad's pinch arrives with ctrlKey.
    if (!place || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.zoomBy(2 ** clamp(-event.deltaY / 100, -1, 1), [place.u, place.v]);
  }

  // Where an event lies: u, v in the panel, x, y in the picture; all in [0, 1].
  place(event, panel) {
    const box = this.canvas.getBoundingClientRect();
    const left = event.clientX - box.left;
    const top = event.clientY - box.top;
    panel ??= this.panels?.find(
      (p) => left >= p.left && left <= p.left + p.width && top >= p.top && top <= p.top + p.height,
    );
    if (!panel) return null;
    const u = (left - panel.left) / panel.width;
    const v = (top - panel.top) / panel.height;
    const zoom = this.get("zoom");
    const [x, y] = this.center();
    return { panel, u, v, x: x + (u - 0.5) / zoom, y: y + (v - 0.5) / zoom };
  }

  // ---- drawing

  size() {
    return this.images[this.names[0]];
  }

  update() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      if (!this.images[this.names.at(-1)] || !this.root.clientWidth) return; // not here yet
      this.layOut();
      this.runBlink();
      this.draw();
      this.showControls();
      this.showLens();
      this.say();
    });
  }

  // One panel, or one for each picture in as many columns as there is room for.
  layOut() {
    const { width, height } = this.size();
    const room = this.root.clientWidth;
    const shown = this.get("mode") === "side" ? this.names : [this.get("first")];
    const fitting = Math.max(1, Math.floor((room + GAP) / (NARROWEST + GAP)));
    const columns = Math.min(shown.length, fitting);
    const rows = Math.ceil(shown.length / columns);
    const widest = Math.floor((room - GAP * (columns - 1)) / columns);
    const across = Math.min(widest, Math.round((STAGE_HEIGHT * width) / height));
    const down = Math.max(1, Math.round((across * height) / width));
    this.panels = shown.map((name, i) => ({
      name,
      left: (i % columns) * (across + GAP),
      top: Math.floor(i / columns) * (down + GAP),
      width: across,
      height: down,
    }));
    this.fit(columns * (across + GAP) - GAP, rows * (down + GAP) - GAP);
  }

  // A canvas px for each px of the screen, or the browser would smooth.
  fit(width, height) {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    Object.assign(this.stage.style, { width: `${width}px`, height: `${height}px` });
    this.context = this.canvas.getContext("2d");
    this.context.scale(ratio, ratio);
    this.context.imageSmoothingQuality = "high";
    this.context.imageSmoothingEnabled = this.panels[0].width * ratio * this.get("zoom") < this.size().width;
    // Fingers scroll the page until there is something for them to drag.
    const drags = this.get("mode") === "swipe" || this.get("lens");
    this.stage.style.touchAction = this.get("zoom") > 1 ? "none" : drags ? "pan-y" : "pan-x pan-y";
  }

  runBlink() {
    const period = this.runs() ? this.get("period") : null;
    if (period === this.blinkPeriod) return;
    this.blinkPeriod = period;
    this.flipped = false;
    clearInterval(this.blinking);
    if (period) this.blinking = setInterval(() => this.flip(), 1000 * period);
  }

  flip() {
    this.flipped = !this.flipped;
    this.draw();
  }

  draw() {
    const mode = this.get("mode");
    const [panel] = this.panels;
    this.labels.replaceChildren();
    if (mode === "swipe") this.drawSwipe(panel);
    else if (mode === "difference") this.drawDifference(panel);
    else if (mode === "blink") this.drawOne(panel, this.get(this.flipped ? "second" : "first"));
    else for (const each of this.panels) this.drawOne(each, each.name);
    if (this.get("lens")) for (const each of this.panels) this.drawFrame(each);
  }

  drawOne(panel, name) {
    this.drawImage(panel, this.images[name]);
    this.drawLabel(panel, this.label(name));
  }

  drawImage(panel, image) {
    const zoom = this.get("zoom");
    const width = image.width / zoom;
    const height = image.height / zoom;
    const [x, y] = this.center();
    const left = x * image.width - width / 2;
    const top = y * image.height - height / 2;
    this.context.drawImage(image, left, top, width, height, panel.left, panel.top, panel.width, panel.height);
  }

  drawLabel(panel, text, right = false) {
    const label = make("span", {}, text);
    const side = right ? { right: "0" } : { left: `${panel.left}px` };
    Object.assign(label.style, { top: `${panel.top}px`, maxWidth: `${panel.width}px`, ...side });
    this.labels.append(label);
  }

  drawSwipe(panel) {
    const { context } = this;
    const x = this.get("position") * panel.width;
    this.drawImage(panel, this.images[this.get("second")]);
    context.save();
    context.beginPath();
    context.rect(0, 0, x, panel.height);
    context.clip();
    this.drawImage(panel, this.images[this.get("first")]);
    context.restore();
    this.line([[x, 0], [x, panel.height]]);
    this.drawLabel(panel, this.label(this.get("first")));
    this.drawLabel(panel, this.label(this.get("second")), true);
  }

  // White on black is seen on any picture.
  line(points) {
    const { context } = this;
    for (const [color, width] of [["#000", 4], ["#fff", 2]]) {
      context.beginPath();
      for (const [x, y] of points) context.lineTo(x, y);
      Object.assign(context, { strokeStyle: color, lineWidth: width });
      context.stroke();
    }
  }

  drawDifference(panel) {
    this.drawImage(panel, this.difference().image);
    this.drawLabel(panel, `|${this.get("first")} − ${this.get("second")}| × ${this.get("amplify")}`);
  }

  difference() {
    const key = [this.get("first"), this.get("second"), this.get("amplify")].join("\n");
    if (this.differs?.key !== key) this.differs = { key, ...this.subtract() };
    return this.differs;
  }

  subtract() {
    const first = this.bytes(this.get("first"));
    const second = this.bytes(this.get("second"));
    const { width, height } = this.size();
    const image = new OffscreenCanvas(width, height);
    const result = new ImageData(width, height);
    let sum = 0;
    let largest = 0;
    for (let i = 0; i < first.length; i++) {
      if (i % 4 === 3) {
        result.data[i] = 255; // opaque
        continue;
      }
      const steps = Math.abs(first[i] - second[i]);
      sum += steps;
      largest = Math.max(largest, steps);
      result.data[i] = steps * this.get("amplify"); // the array cuts at 255
    }
    image.getContext("2d").putImageData(result, 0, 0);
    return { image, largest, mean: sum / (3 * width * height) };
  }

  bytes(name) {
    const { width, height } = this.size();
    if (!this.pixels[name]) {
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(this.images[name], 0, 0);
      this.pixels[name] = context.getImageData(0, 0, width, height).data;
    }
    return this.pixels[name];
  }

  // ---- lens: the same few pixels of every picture, in a row below

  lensBox() {
    const { width, height } = this.size();
    const side = Math.min(this.get("lens_pixels"), width, height);
    const left = clamp(Math.round(this.get("lens_x") * width - side / 2), 0, width - side);
    const top = clamp(Math.round(this.get("lens_y") * height - side / 2), 0, height - side);
    return { left, top, side };
  }

  drawFrame(panel) {
    const { left, top, side } = this.lensBox();
    const { width, height } = this.size();
    const scale = (panel.width / width) * this.get("zoom");
    const [centerX, centerY] = this.center();
    const x = panel.left + panel.width / 2 + (left - centerX * width) * scale;
    const y = panel.top + panel.height / 2 + (top - centerY * height) * scale;
    const [right, bottom] = [x + side * scale, y + side * scale];
    this.context.save();
    this.context.beginPath();
    this.context.rect(panel.left, panel.top, panel.width, panel.height);
    this.context.clip();
    this.line([[x, y], [right, y], [right, bottom], [x, bottom], [x, y - 1]]);
    this.context.restore();
  }

  showLens() {
    const { left, top, side } = this.lensBox();
    this.lensRow.hidden = !this.get("lens");
    if (this.lensRow.hidden) return;
    const figures = this.names.map((name) => {
      const canvas = make("canvas", { width: side, height: side, "aria-hidden": "true" });
      canvas.getContext("2d").drawImage(this.images[name], left, top, side, side, 0, 0, side, side);
      return make("figure", {}, canvas, make("figcaption", {}, this.label(name)));
    });
    this.lensRow.replaceChildren(...figures);
  }

  // ---- the controls and the sentence follow the state

  showControls() {
    const mode = this.get("mode");
    for (const [i, button] of this.modeButtons.entries()) {
      button.setAttribute("aria-pressed", MODES[i][0] === mode);
    }
    this.lens.setAttribute("aria-pressed", this.get("lens"));
    [this.first, this.second].forEach((choice, i) => {
      choice.label.hidden = i >= PAIR_NAMES[mode].length;
      choice.text.textContent = PAIR_NAMES[mode][i] ?? "";
      choice.input.value = this.get(["first", "second"][i]);
    });
    const percent = `${Math.round(100 * this.get("position"))} %`;
    this.showRange(this.position, mode === "swipe", this.get("position"), percent);
    this.showRange(this.amplify, mode === "difference", this.get("amplify"), `× ${this.get("amplify")}`);
    this.showRange(this.period, mode === "blink", this.get("period"), `${this.get("period").toFixed(1)} s`);
    this.play.hidden = mode !== "blink";
    this.play.textContent = this.runs() ? "Stop" : "Start";
    this.zoomText.textContent = `${Number(this.get("zoom").toFixed(1))} ×`;
    for (const name of STATE) this.root.dataset[name.replace("_", "")] = this.get(name);
  }

  showRange(range, visible, value, text) {
    range.label.hidden = !visible;
    range.input.value = value;
    range.input.setAttribute("aria-valuetext", text);
    range.text.textContent = text;
  }

  // A moment late, so that a screen reader hears the end of a movement only.
  say() {
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      const text = `${this.what()}${this.where()}.`;
      if (this.status.textContent !== text) this.status.textContent = text;
      this.stage.setAttribute("aria-label", text);
    }, 150);
  }

  what() {
    const [first, second] = [this.label(this.get("first")), this.label(this.get("second"))];
    switch (this.get("mode")) {
      case "single":
        return first;
      case "side":
        return `side by side: ${this.names.map((name) => this.label(name)).join(", ")}`;
      case "blink": {
        const every = this.runs() ? `every ${this.get("period").toFixed(1)} s` : "stopped";
        return `blinking ${first} and ${second}, ${every}`;
      }
      case "swipe":
        return `${first} left, ${second} right; divider at ${Math.round(100 * this.get("position"))} %`;
      default: {
        const { mean, largest } = this.difference();
        const figures = `mean ${mean.toFixed(2)}, largest ${largest} of 255`;
        return `difference of ${first} and ${second}, times ${this.get("amplify")}; ${figures}`;
      }
    }
  }

  where() {
    const zoom = this.get("zoom");
    const zoomed = zoom > 1 ? `; zoom ${zoom.toFixed(1)} times` : "";
    return zoomed + (this.get("lens") ? "; lens on" : "");
  }
}

export default {
  render({ model, el }) {
    const view = new CompareView(model, el);
    return () => view.remove();
  },
};
