// Sends chosen files to the kernel in pieces, each when the one before has arrived.
//
// A server closes the connection on a message above its limit, 10 MiB if nobody
// changed it, and the page hears nothing of why. Pieces stay far below that.

const PIECE = 2 ** 20; // bytes
const PATIENCE = 5000; // ms until an answer is asked for, then twice as long ...
const MOST_PATIENCE = 60000; // ... and never longer than this
const SAY_EVERY = 5000; // ms between two announcements: a screen reader reads each
const STOPPED = Symbol("stopped");

// Text only ever enters the page as textContent: a file may be called anything.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const megabytes = (bytes) =>
  bytes < 100000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

class UploadView {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.run = null; // the files that are being sent
    this.waiting = null; // for the answer to one message
    this.number = 0; // of the last message
    this.build();
    this.hear = (content) => this.answered(content);
    model.on("msg:custom", this.hear);
  }

  build() {
    const get = (name) => this.model.get(name);
    this.input = make("input", { type: "file", accept: get("accept"), title: get("tooltip") });
    this.input.multiple = get("multiple");
    this.input.addEventListener("change", () => this.choose());
    // It lies over its label, unseen: files can be dropped on it, and all keys work.
    this.button = make(
      "label",
      { class: "jupyter-button widget-button srlab-upload-button" },
      make("i", { class: "fa fa-upload", "aria-hidden": "true" }),
      make("span", {}, get("description")),
      this.input,
    );
    for (const kind of ["dragenter", "dragover"]) this.input.addEventListener(kind, () => this.mark(true));
    for (const kind of ["dragleave", "drop"]) this.input.addEventListener(kind, () => this.mark(false));
    this.progress = make("progress", { "aria-label": `${get("description")}: sent` });
    this.cancel = make("button", { type: "button", class: "jupyter-button srlab-upload-cancel" }, "Cancel");
    this.cancel.addEventListener("click", () => this.stop());
    this.status = make("div", { class: "srlab-upload-status", role: "status" });
    this.trouble = make("div", { class: "srlab-upload-trouble", role: "alert" });
    this.busy(false);
    this.root.classList.add("srlab-upload-box");
    this.root.append(this.button, this.progress, this.cancel, this.status, this.trouble);
  }

  mark(over) {
    this.button.classList.toggle("srlab-upload-over", over);
  }

  busy(yes) {
    this.progress.hidden = this.cancel.hidden = !yes;
  }

  remove() {
    this.drop();
    this.model.off("msg:custom", this.hear);
  }

  // ---- what a person does

  choose() {
    const files = [...this.input.files];
    this.input.value = ""; // the same file can come again
    if (files.length) this.send(files);
  }

  stop() {
    const name = this.run?.name;
    this.drop();
    this.busy(false);
    if (name) this.say(`Cancelled: ${name} was not sent.`);
    this.input.focus(); // where the button was there is nothing any more
  }

  // Gives up what is being sent, here and in the kernel.
  drop() {
    if (!this.run) return;
    const upload = this.run.upload;
    this.run = null;
    this.settle("reject", STOPPED);
    try {
      this.tell({ kind: "cancel", upload });
    } catch {
      // There is no kernel any more that would keep half a file.
    }
  }

  // ---- files

  async send(files) {
    this.drop();
    this.trouble.replaceChildren();
    this.say("");
    const run = (this.run = { first: true, arrived: [] });
    for (const file of files) {
      try {
        this.check(file);
        await this.sendOne(file, run);
        run.arrived.push(`${file.name} (${megabytes(file.size)})`);
      } catch (error) {
        if (error === STOPPED) return;
        this.complain(error.message);
        if (error.gone) break;
      }
    }
    this.run = null;
    this.busy(false);
    this.say(run.arrived.length ? `Sent: ${run.arrived.join(", ")}.` : "");
  }

  check(file) {
    const limit = this.model.get("limit");
    if (file.size > limit)
      throw new Error(
        `${file.name} has ${megabytes(file.size)}, but at most ${limit / 1e6} MB can be sent; ` +
          this.model.get("advice"),
      );
    if (!this.accepts(file))
      throw new Error(`${file.name} is not ${this.model.get("wanted")} (${file.type}).`);
  }

  // What the browser knows to be of another kind; what it does not know, the kernel looks at.
  accepts({ name, type }) {
    const wanted = this.model.get("accept").toLowerCase().split(",");
    const fits = (kind) =>
      kind.startsWith(".")
        ? name.toLowerCase().endsWith(kind)
        : type === kind || (kind.endsWith("/*") && type.startsWith(kind.slice(0, -1)));
    return !type || type === "application/octet-stream" || wanted.some(fits);
  }

  async sendOne(file, run) {
    run.name = file.name;
    run.upload = `${Date.now()}-${Math.random()}`; // randomUUID is there only with https
    this.progress.value = 0;
    this.busy(true);
    this.sayHowFar(file, 0, true);
    const about = { kind: "piece", upload: run.upload, name: file.name, size: file.size, first: run.first };
    run.first = false;
    let at = 0;
    do {
      const piece = await this.read(file, at);
      if (this.run !== run) throw STOPPED;
      at = await this.ask({ ...about, at }, [piece]);
      this.sayHowFar(file, at, false);
    } while (at < file.size);
  }

  async read(file, at) {
    try {
      return await file.slice(at, at + PIECE).arrayBuffer();
    } catch (error) {
      throw new Error(`${file.name} cannot be read any more (${error.message}); choose it again.`);
    }
  }

  // ---- messages

  tell(content, buffers = []) {
    content.number = ++this.number;
    try {
      this.model.send(content, undefined, buffers);
    } catch (error) {
      const gone = new Error(`Nothing can be sent to the kernel (${error.message}); run the cell again.`);
      throw Object.assign(gone, { gone: true });
    }
  }

  // Sends a piece, and waits until the kernel says how many bytes it has.
  ask(content, buffers) {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject, upload: content.upload };
      this.tell(content, buffers);
      this.remind(PATIENCE);
    });
  }

  // A piece or its answer may be lost with a connection: so it is asked where things stand.
  remind(patience) {
    const waiting = this.waiting;
    waiting.timer = setTimeout(() => {
      this.say(
        "No answer from the kernel: it is busy, was restarted, or the connection is lost. " +
          "It goes on by itself when there is one.",
      );
      try {
        this.tell({ kind: "where", upload: waiting.upload });
        this.remind(Math.min(2 * patience, MOST_PATIENCE));
      } catch (error) {
        this.settle("reject", error);
      }
    }, patience);
  }

  // Only the answer to the last message counts: an older one may say less.
  answered({ upload, number, have, why }) {
    if (this.waiting?.upload !== upload || number !== this.number) return;
    if (why) this.settle("reject", new Error(why));
    else this.settle("resolve", have);
  }

  settle(how, value) {
    const waiting = this.waiting;
    if (!waiting) return;
    this.waiting = null;
    clearTimeout(waiting.timer);
    waiting[how](value);
  }

  // ---- words

  sayHowFar(file, at, now) {
    this.progress.max = file.size || 1;
    this.progress.value = at;
    if (now || performance.now() - this.said > SAY_EVERY)
      this.say(`Sending ${file.name}: ${megabytes(at)} of ${megabytes(file.size)}`);
  }

  say(text) {
    this.said = performance.now();
    this.status.textContent = text;
  }

  complain(text) {
    this.trouble.append(make("div", {}, text));
  }
}

function render({ model, el }) {
  const view = new UploadView(model, el);
  return () => view.remove();
}

export default { render };
