// Compare: the kit's tiles, whose looks are traits, so that Python drives and reads them.

import { html, LOOK_NAMES, tiles } from "../kit/js/kit.js";

export function compare(lab) {
  const store = {
    get: () => Object.fromEntries(LOOK_NAMES.map((name) => [name, lab.get(name)])),
    set: (changes) => lab.set(changes),
  };
  return html`<div class="lab compare">${tiles(lab, lab.get("pictures"), { name: "compare", store, help: true, said: true })}</div>`;
}
