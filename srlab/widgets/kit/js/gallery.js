// Every part of the kit once: for tests, and to see what a change of it does.

import { html } from "lit-html";
import { lineChart, mapChart } from "./charts.js";
import { button, choice, field, menu, slider, toggle, trainingButtons } from "./controls.js";
import { color, points, short } from "./kit.js";
import { status } from "./status.js";
import { table } from "./table.js";
import { tiles } from "./tiles.js";

const WEIGHT = { min: 1e-4, max: 100, log: true, off: true };

export function gallery(lab) {
  const run = lab.curve("run");
  const rows = ["pixel", "content"].map((name) => ({ name, share: lab.get(name), color: color(name) }));
  return html`<div class="lab">
    <div class="head"><h3>Gallery</h3>${trainingButtons(lab)}${status(lab)}</div>
    <div class="split">
      <div class="panel side">
        ${slider(lab, "content", { ...WEIGHT, color: color("content") })}
        ${slider(lab, "mix", { label: "L1 to L2", min: 0, max: 1, step: 0.05 })}
        ${menu(lab, "photograph", { options: ["raccoon", "coffee"] })}
        ${choice(lab, "scale", { options: [2, 4, 8] })}
        ${toggle(lab, "calm", { label: "calm" })} ${field(lab, "title", { label: "name" })}
        ${button(lab, "fork", { label: "Fork", given: { name: lab.get("title") } })}
        ${table(
          [
            { key: "name", label: "term" },
            { key: "share", label: "share", format: short, bar: { max: 1 } },
          ],
          rows,
        )}
      </div>
      <div class="panel">
        ${tiles(lab, [lab.get("one"), lab.get("two")])}
        <div class="charts">
          ${lineChart({
            name: "loss",
            title: "Loss",
            log: true,
            alt: lab.get("said"),
            series: [{ name: "loss", color: color("content"), points: points(run) }],
            references: [{ name: "start", value: 1 }],
            vertical: { x: 1, name: "here" },
          })}
          ${mapChart({
            name: "map",
            title: "Sharpness over PSNR",
            x: { label: "PSNR, dB" },
            y: { label: "sharpness" },
            truth: 1,
            paths: [{ name: "run", color: color("pixel"), points: points(run, 2, 3) }],
            marks: [{ name: "bicubic", x: 26, y: 0.2 }],
          })}
        </div>
      </div>
    </div>
  </div>`;
}
