// GrowthLab: two sliders, and the variance after each block, counted and by the formula.

import { figure, html, lineChart, points, short, slider } from "../kit/js/kit.js";

const COUNTED = "var(--term-content)";

export function growth(lab) {
  const column = (name) => points({ rows: lab.get("blocks") }, "block", name);
  return html`<div class="lab growth">
    <div class="head"><h3>How does a sum grow?</h3></div>
    <div class="split">
      <div class="panel side">
        ${slider(lab, "weight", { min: 0, max: 2, step: 0.01, color: COUNTED, title: "Factor on each correction" })}
        ${slider(lab, "correlation", {
          label: "correlation",
          min: -1,
          max: 1,
          step: 0.05,
          title: "Of a correction c with its input x. 0: independent; 1: the same; −1: the opposite",
        })}
        <p class="note" data-name="kind">${kind(lab.get("correlation"))}</p>
        <p class="formula" data-name="formula">${formula(lab.get("weight"), lab.get("correlation"))}</p>
      </div>
      <div class="panel">
        ${lineChart({
          name: "growth",
          title: "Variance after each block; the input has 1",
          x: "block",
          log: true,
          least: [0.1, 100],
          series: [
            { name: "measured", bars: true, color: COUNTED, points: column("measured") },
            { name: "formula", color: "var(--ink)", width: 2, points: column("theory") },
          ],
          alt: lab.get("said"),
        })}
        <div role="status"><dl class="figures">${lab.get("told").map(told)}</dl></div>
        <p class="note">No network yet: 20,000 random numbers, and in each block a correction c as large as its input x.</p>
      </div>
    </div>
  </div>`;
}

const number = (value) => (value === null ? "0" : short(value));

const told = ({ block, theory, measured }) =>
  figure(`after-${block}`, `after ${block} block${block > 1 ? "s" : ""}`, `× ${number(measured)}`, `formula × ${number(theory)}`);

function kind(correlation) {
  if (correlation === 0) return "c is independent of x.";
  if (correlation === 1) return "c is the same as x.";
  if (correlation === -1) return "c is the opposite of x.";
  return correlation > 0 ? "c is partly like x." : "c is partly the opposite of x.";
}

function formula(weight, correlation) {
  const factor = 1 + 2 * correlation * weight + weight ** 2;
  const mixed = correlation === 0 ? "" : ` ${correlation < 0 ? "−" : "+"} 2 · ${short(Math.abs(correlation))} · ${short(weight)}`;
  return html`each block: × (1${mixed} + ${short(weight)}²) = <b>× ${short(factor)}</b>`;
}
