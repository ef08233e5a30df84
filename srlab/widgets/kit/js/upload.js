// A native file input whose files go to Python in pieces, each when the one before has arrived.
//
// A server closes the connection on a message above its limit, 10 MiB if nobody
// changed it, and the page hears nothing of why. Pieces stay far below that.

import { html, nothing } from "lit-html";
import { bytesText } from "./numbers.js";

const PIECE = 2 ** 20; // bytes
const PATIENCE = 5000; // ms until an answer is asked for, then twice as long ...
const MOST_PATIENCE = 60000; // ... and never longer than this
const SAY_EVERY = 5000; // ms between two announcements: a screen reader reads each
const STOPPED = Symbol("stopped");

// For a lab that is a TakesFiles: its trait `upload` says what may come.
export function files(lab, { name = "upload", label = "Upload", title = "" } = {}) {
  lab.local[name] ??= new Sender(lab);
  const sender = lab.local[name];
  const { accept, multiple } = lab.get("upload");
  const over = (yes) => (event) => event.currentTarget.parentElement.classList.toggle("is-over", yes);
  // The input lies over its label, unseen: files can be dropped on it, and all keys work.
  return html`<div class="upload" data-name=${name}>
    <label class="button" title=${title}>${label}<input type="file" accept=${accept} ?multiple=${multiple}
      @change=${(event) => sender.choose(event.target)} @dragenter=${over(true)} @dragover=${over(true)}
      @dragleave=${over(false)} @drop=${over(false)} /></label>
    ${
      sender.file
        ? html`<progress max=${sender.file.size || 1} .value=${sender.at} aria-label="${label}: sent"></progress>
      <button type="button" class="button" data-name="cancel" @click=${() => sender.stop(name)}>Cancel</button>`
        : nothing
    }
    <p class="words" role="status">${sender.words}</p>
    <div class="trouble" role="alert">${sender.troubles.map((text) => html`<p>${text}</p>`)}</div>
  </div>`;
}

class Sender {
  constructor(lab) {
    this.lab = lab;
    this.run = null; // the files that are being sent
    this.file = null; // the one of them that is under way
    this.at = 0; // bytes of it that arrived
    this.words = "";
    this.troubles = [];
    this.waiting = null; // for the answer to one message
    this.number = Date.now(); // of the last message; another page's are others
    const hear = () => this.answered(lab.get("received"));
    lab.model.on("change:received", hear);
    lab.cleanups.push(() => {
      lab.model.off("change:received", hear);
      this.drop();
    });
  }

  // ---- what a person does

  choose(input) {
    const chosen = [...input.files];
    input.value = ""; // the same file can come again
    if (chosen.length) this.send(chosen);
  }

  stop(name) {
    const { file } = this;
    this.drop();
    this.show(null);
    if (file) this.say(`Cancelled: ${file.name} was not sent.`);
    this.lab.el.querySelector(`[data-name="${name}"] input`).focus(); // the button is gone
  }

  // Gives up what is being sent, here and in the kernel.
  drop() {
    if (!this.run) return;
    const { upload } = this.run;
    this.run = null;
    this.settle("reject", STOPPED);
    try {
      this.tell("cancel", { upload });
    } catch {
      // There is no kernel any more that would keep half a file.
    }
  }

  // ---- files

  async send(chosen) {
    this.drop();
    this.troubles = [];
    this.say("");
    const run = { first: true, arrived: [] };
    this.run = run;
    for (const file of chosen) {
      try {
        this.check(file);
        await this.sendOne(file, run);
        run.arrived.push(`${file.name} (${bytesText(file.size)})`);
      } catch (error) {
        if (error === STOPPED) return;
        this.troubles.push(error.message);
        if (error.gone) break;
      }
    }
    this.run = null;
    this.show(null);
    this.say(run.arrived.length ? `Sent: ${run.arrived.join(", ")}.` : "");
  }

  // At once, before anything is sent.
  check(file) {
    const { limit, most, advice, wanted } = this.lab.get("upload");
    if (file.size > limit)
      throw new Error(`${file.name} has ${bytesText(file.size)}, but at most ${most} can be sent; ${advice}`);
    if (!this.accepts(file)) throw new Error(`${file.name} is not ${wanted} (${file.type}).`);
  }

  // What the browser knows to be of another kind; what it does not know, the kernel looks at.
  accepts({ name, type }) {
    const wanted = this.lab.get("upload").accept.toLowerCase().split(",");
    const fits = (kind) =>
      kind.startsWith(".")
        ? name.toLowerCase().endsWith(kind)
        : type === kind || (kind.endsWith("/*") && type.startsWith(kind.slice(0, -1)));
    return !type || type === "application/octet-stream" || wanted.some(fits);
  }

  async sendOne(file, run) {
    run.upload = `${Date.now()}-${Math.random()}`; // randomUUID is there only with https
    this.show(file);
    this.say(`Sending ${file.name} (${bytesText(file.size)}) …`);
    const about = { upload: run.upload, name: file.name, size: file.size, first: run.first };
    run.first = false;
    let at = 0;
    do {
      const piece = await this.read(file, at);
      if (this.run !== run) throw STOPPED;
      at = await this.ask({ ...about, at }, [piece]);
      this.show(file, at);
      if (at < file.size && performance.now() - this.said > SAY_EVERY)
        this.say(`Sending ${file.name}: ${bytesText(at)} of ${bytesText(file.size)}`);
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

  tell(kind, about, buffers) {
    this.number += 1;
    try {
      this.lab.press(kind, { ...about, number: this.number }, buffers);
    } catch (error) {
      const gone = new Error(`Nothing can be sent to the kernel (${error.message}); run the cell again.`);
      throw Object.assign(gone, { gone: true });
    }
  }

  // Sends a piece, and waits until the kernel says how many bytes it has.
  ask(piece, buffers) {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject, upload: piece.upload };
      this.tell("piece", piece, buffers);
      this.remind(PATIENCE);
    });
  }

  // A piece or its answer may be lost with a connection: so it is asked where things stand.
  remind(patience) {
    const { waiting } = this;
    waiting.timer = setTimeout(() => {
      this.say(
        "No answer from the kernel: it is busy, was restarted, or the connection is lost. " +
          "It goes on by itself when there is one.",
      );
      try {
        this.tell("where", { upload: waiting.upload });
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
    const { waiting } = this;
    if (!waiting) return;
    this.waiting = null;
    clearTimeout(waiting.timer);
    waiting[how](value);
  }

  // ---- what the page shows

  show(file, at = 0) {
    Object.assign(this, { file, at });
    this.lab.redraw();
  }

  say(words) {
    Object.assign(this, { words, said: performance.now() });
    this.lab.redraw();
  }
}
