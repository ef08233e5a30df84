// What a lab's view imports.

export { html, nothing, svg } from "lit-html";
export { live } from "lit-html/directives/live.js";
export { lineChart, mapChart } from "./charts.js";
export {
  button,
  choice,
  field,
  groupOf,
  menu,
  slider,
  smallFiles,
  toggle,
  trainingButtons,
} from "./controls.js";
export { points } from "./curves.js";
export { attributes, mounted } from "./directives.js";
export { pixelsNow } from "./images.js";
export { clamp, short } from "./numbers.js";
export { status } from "./status.js";
export { figure, figures, table } from "./table.js";
export { LOOK_NAMES, pixels, tiles } from "./tiles.js";
export { files } from "./upload.js";

// The color of each term, everywhere; the values stand in kit.css.
export const color = (term) => `var(--term-${term})`;
