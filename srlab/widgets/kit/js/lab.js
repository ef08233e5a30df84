// A thin wrapper over the widget's model: read, set, press, and one redraw a frame.

import { render } from "lit-html";
import { copied, join } from "./curves.js";
import { urlOf } from "./images.js";

const OWN_KEYS = ["Tab", "Escape"]; // which stay with the page
const THEME = ["data-jp-theme-light", "data-theme"]; // JupyterLab's and marimo's, of the body

// JupyterLab prevents Enter's line break in whatever is in a cell, and with it a
// text field's change and a form's submit: it listens at the field, so not there.
function keepEnter(event) {
  if (event.inputType === "insertLineBreak") event.stopPropagation();
}

export class Lab {
  constructor(model, el, view) {
    this.model = model;
    this.el = el;
    this.view = view;
    this.local = {}; // what only this page knows: view state
    this.held = new Map(); // control -> what a hand holds there now
    this.cleanups = [];
    el.classList.add("srlab", `srlab-${model.get("view")}`);
    this.connect();
    this.joinWhole();
    this.redraw();
  }

  get(name) {
    return this.model.get(name);
  }

  // One message a frame, however often the hand moves.
  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.model.set(name, value);
    this.saving ??= requestAnimationFrame(() => this.save());
    this.redraw();
  }

  save() {
    cancelAnimationFrame(this.saving);
    this.saving = undefined;
    this.model.save_changes();
  }

  // What was set before the press arrives before it.
  press(name, given = {}, buffers = []) {
    if (this.saving) this.save();
    this.model.send({ press: name, ...given }, undefined, buffers);
  }

  // Change what only this page knows.
  keep(changes) {
    Object.assign(this.local, changes);
    this.redraw();
  }

  // While a hand holds a control, a value that comes back must not move it.
  hold(name, value) {
    this.held.set(name, value);
    this.redraw();
  }

  release(name) {
    if (this.held.delete(name)) this.redraw();
  }

  // An address for a picture's bytes.
  url(picture) {
    return urlOf(picture);
  }

  // The rows of a curve so far, or nothing yet.
  curve(name) {
    return this.curves[name];
  }

  joinWhole() {
    this.curves = copied(this.get("curves"));
    this.joinAdded();
  }

  joinAdded() {
    join(this.curves, this.get("added"));
  }

  connect() {
    const listen = (event, act) => {
      this.model.on(event, act);
      this.cleanups.push(() => this.model.off(event, act));
    };
    // The whole and what was added may come in one message, in either order.
    listen("change:curves", () => this.joinWhole());
    listen("change:added", () => this.joinAdded());
    listen("change", () => this.redraw());
    const theme = new MutationObserver(() => this.redraw());
    theme.observe(document.body, { attributes: true, attributeFilter: THEME });
    const ended = new AbortController();
    const how = { capture: true, signal: ended.signal };
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => this.redraw(), how);
    window.addEventListener("keydown", (event) => this.guard(event), how);
    this.el.addEventListener("beforeinput", keepEnter, how);
    this.cleanups.push(
      () => theme.disconnect(),
      () => ended.abort(),
    );
  }

  // JupyterLab has commands on plain keys: B inserts a cell. In a lab a key is
  // the lab's; with Ctrl, Alt, Cmd or Shift+Enter it is JupyterLab's as ever.
  guard(event) {
    const target = event.composedPath()[0];
    if (!(target instanceof Node && this.el.contains(target))) return;
    const theirs =
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      OWN_KEYS.includes(event.key) ||
      (event.key === "Enter" && event.shiftKey);
    target.toggleAttribute?.("data-lm-suppress-shortcuts", !theirs);
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      render(this.view(this), this.el);
    });
  }

  remove() {
    for (const undo of this.cleanups) undo();
    cancelAnimationFrame(this.frame);
    if (this.saving) this.save();
    render("", this.el);
  }
}
