// Two directives that lit-html lacks.
import { AsyncDirective } from "lit-html/async-directive.js";
import { Directive, directive } from "lit-html/directive.js";

// What draws by itself, such as a chart: made once for its element, told of
// each new state, and taken down with it.
class Mounted extends AsyncDirective {
  update(part, [make, data]) {
    this.element = part.element;
    this.make = make;
    this.data = data;
    // The element stands in the page one moment later.
    if (this.thing) this.thing.update(data);
    else queueMicrotask(() => this.begin());
  }

  begin() {
    if (!this.isConnected || this.thing) return;
    this.thing = this.make(this.element);
    this.thing.update(this.data);
  }

  disconnected() {
    this.thing?.remove();
    this.thing = undefined;
  }

  reconnected() {
    this.begin();
  }
}

export const mounted = directive(Mounted);

// Several data- attributes of one element: {psnr: 26.5} -> data-psnr.
class Attributes extends Directive {
  update(part, [data]) {
    for (const [name, value] of Object.entries(data)) part.element.setAttribute(`data-${name}`, value);
  }
}

export const attributes = directive(Attributes);
