// Charts, drawn by uPlot: curves over the steps, and the map of sharpness over
// PSNR. Hover reads the values; at rest the last ones stand there.

import { html } from "lit-html";
import uPlot from "uplot";
import { mounted } from "./directives.js";
import { nameBox } from "./geometry.js";
import { logTicks, short } from "./numbers.js";

const FONT = "11px system-ui, sans-serif";
const NEAR = 24; // px within which a point of the map is read
const LINE = 12; // px from name to name
const DOT = 6; // px from the middle of a dot to where it surely ends
const WHOLE = [1, 2, 4, 8, 16, 32, 64]; // from tick to tick where bars are counted

// Curves on one scale.
//   series: [{name, color, points: [[x, y], ...], dash, width, digits, bars}]; bars: one at each x
//   references: [{name, value}], dashed across; vertical: {x, name}
//   log: of y; least: values always in sight; x: its name, "step";
//   label: below the axis, else the name;
//   alt: what the numbers say.
export function lineChart({ name, title, alt, ...spec }) {
  const draw = mounted((el) => new Curves(el), spec);
  return figure(name, title + (spec.log ? " (log scale)" : ""), alt, draw);
}

// A map: paths, the last point of each as a dot, and marks to compare with.
//   x, y: {label}; paths: [{name, label, color, points, quiet}], label beside the dot; marks: [{name, x, y}]
//   truth: a y that is always in sight, as a line.
export function mapChart({ name, title, alt, ...spec }) {
  const draw = mounted((el) => new Places(el), spec);
  return figure(name, title, alt, draw);
}

const figure = (name, title, alt, draw) => html`<figure class="chart" data-name=${name} role="img"
  aria-label="${title}. ${alt ?? ""}"><figcaption>${title}</figcaption><div class="plot" ${draw}></div></figure>`;

// What both have: a uPlot that follows its element's size and the theme.
class Chart {
  constructor(el) {
    this.el = el;
    this.stage = document.createElement("div");
    this.legend = document.createElement("div");
    this.legend.className = "legend";
    this.probe = document.createElement("i");
    this.probe.hidden = true;
    el.append(this.stage, this.legend, this.probe);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.stage);
  }

  size() {
    return { width: Math.max(this.stage.clientWidth, 50), height: Math.max(this.stage.clientHeight, 50) };
  }

  fit() {
    const { width, height } = this.size();
    if (this.plot && (this.plot.width !== width || this.plot.height !== height))
      this.plot.setSize({ width, height });
  }

  // A color as a canvas takes it; a theme's is written var(--accent).
  color(text) {
    if (!text.startsWith("var(")) return text;
    this.probe.style.color = text;
    return getComputedStyle(this.probe).color;
  }

  axis(label, more = {}) {
    return {
      stroke: () => this.color("var(--quiet)"),
      grid: { stroke: () => this.color("var(--grid)"), width: 1 },
      ticks: { show: false },
      font: FONT,
      labelFont: FONT,
      label,
      labelSize: label ? 16 : 0,
      size: label && !more.side ? 30 : 26,
      values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : short(tick, 6))),
      ...more,
    };
  }

  font() {
    return `${11 * devicePixelRatio}px system-ui, sans-serif`;
  }

  widthOf(text) {
    const { ctx } = this.plot;
    ctx.save();
    ctx.font = this.font();
    const { width } = ctx.measureText(text);
    ctx.restore();
    return width;
  }

  // Words on the canvas, at a place of the chart; with a halo, since a path may run below.
  write(text, x, y, { color = "var(--quiet)", align = "left", baseline = "middle" } = {}) {
    const { ctx } = this.plot;
    ctx.save();
    ctx.font = this.font();
    Object.assign(ctx, { textAlign: align, textBaseline: baseline, lineJoin: "round" });
    Object.assign(ctx, { lineWidth: 3 * devicePixelRatio, strokeStyle: this.color("var(--paper)") });
    ctx.strokeText(text, x, y);
    ctx.fillStyle = this.color(color);
    ctx.fillText(text, x, y);
    ctx.restore();
  }

  stroke(points, { color, width = 1, dash = [] }) {
    const { ctx } = this.plot;
    ctx.save();
    ctx.beginPath();
    for (const [x, y] of points) ctx.lineTo(x, y);
    ctx.setLineDash(dash.map((px) => px * devicePixelRatio));
    Object.assign(ctx, {
      strokeStyle: this.color(color),
      lineWidth: width * devicePixelRatio,
      lineJoin: "round",
    });
    ctx.stroke();
    ctx.restore();
  }

  // A dashed line across the whole chart, at a height of the canvas.
  across(y, color) {
    const { left, width } = this.plot.bbox;
    const ends = [left, left + width].map((x) => [x, y]);
    this.stroke(ends, { color, dash: [5, 4] });
  }

  // A value -> px of the canvas.
  at(x, y) {
    return [this.plot.valToPos(x, "x", true), this.plot.valToPos(y, "y", true)];
  }

  update(spec) {
    this.spec = spec;
    const made = this.madeOf(spec);
    if (this.made !== made) {
      this.plot?.destroy();
      this.legend.replaceChildren();
      this.plot = new uPlot({ ...this.size(), ...this.options() }, this.data(), this.stage);
      this.made = made;
    } else {
      this.plot.setData(this.data());
    }
    this.rest();
  }

  remove() {
    this.observer.disconnect();
    this.plot?.destroy();
    this.el.replaceChildren();
  }
}

class Curves extends Chart {
  madeOf({ series, log }) {
    return JSON.stringify([log, series.map(({ name, dash, width, bars }) => [name, dash, width, bars])]);
  }

  shown({ points }) {
    return this.spec.log ? points.filter(([, y]) => y > 0) : points;
  }

  data() {
    const tables = this.spec.series.map((each) => {
      const points = this.shown(each);
      return [points.map(([x]) => x), points.map(([, y]) => y)];
    });
    return tables.length ? uPlot.join(tables) : [[]];
  }

  options() {
    const { log, x = "step", label = x } = this.spec;
    return {
      padding: [8, 12, 0, 0],
      scales: {
        x: { time: false, range: (_, low, high) => this.span(low, high) },
        y: { distr: log ? 3 : 1, range: (_, low, high) => this.range(low, high) },
      },
      axes: [
        this.axis(label, { space: 60, size: 24, ...(this.barred() ? { incrs: WHOLE } : {}) }),
        this.axis("", {
          side: 3,
          size: 48,
          space: 28,
          // uPlot's own filter would take the numbers from ticks that are not powers of ten
          ...(log ? { splits: (_, __, low, high) => logTicks(low, high), filter: (_, ticks) => ticks } : {}),
        }),
      ],
      series: [{ label: x, value: (_, v) => short(v, 6) }, ...this.spec.series.map((_, i) => this.line(i))],
      cursor: {
        y: false,
        dataIdx: (plot, i, hovered) => nearest(plot.data[i], hovered),
        points: { size: 6 },
      },
      legend: {
        mount: (_, table) => this.legend.append(table),
        markers: { width: 0, fill: (_, i) => this.color(this.spec.series[i - 1]?.color ?? "transparent") },
      },
      hooks: {
        draw: [() => this.drawLines()],
        setCursor: [(plot) => plot.cursor.idx === null && this.rest()],
      },
    };
  }

  line(i) {
    const { name, dash, width = 1.75, digits = 4, bars } = this.spec.series[i];
    const color = () => this.color(this.spec.series[i]?.color ?? "var(--accent)");
    return {
      label: name,
      stroke: color,
      ...(bars ? { fill: color, paths: uPlot.paths.bars({ size: [0.8, 40] }) } : {}),
      width: bars ? 0 : width,
      dash,
      spanGaps: true,
      points: { show: (plot) => !bars && plot.data[i + 1].filter((v) => v != null).length < 2, size: 6 },
      value: (_, v) => short(v, digits),
    };
  }

  barred() {
    return this.spec.series.some(({ bars }) => bars);
  }

  span(low, high) {
    if (this.barred()) return [(low ?? 1) - 0.5, (high ?? 1) + 0.5];
    const beyond = this.spec.vertical?.x ?? low;
    return [Math.min(low ?? 0, beyond ?? 0), Math.max(high ?? 1, beyond ?? 1, (low ?? 0) + 1)];
  }

  // All curves and all references in sight, with some air.
  range(low, high) {
    const { references = [], log, least = [] } = this.spec;
    const values = [low, high, ...references.map(({ value }) => value), ...least].filter(
      (value) => Number.isFinite(value) && (!log || value > 0),
    );
    if (!values.length) return log ? [0.1, 1] : [0, 1];
    const [from, to] = [Math.min(...values), Math.max(...values)];
    if (log) return [from / 1.25, to * 1.25];
    const air = (to - from || Math.abs(to) || 1) * 0.08;
    return [from - air, to + air];
  }

  drawLines() {
    const { left, top, width, height } = this.plot.bbox;
    const { references = [], vertical } = this.spec;
    for (const { name, value, color = "var(--quiet)" } of references) {
      const [, y] = this.at(0, value);
      this.across(y, color);
      const above = y - top > height / 4;
      this.write(name, left + width - 4, y + (above ? -4 : 4) * devicePixelRatio, {
        align: "right",
        baseline: above ? "bottom" : "top",
        color,
      });
    }
    if (vertical) {
      const [x] = this.at(vertical.x, 0);
      const ends = [top, top + height].map((y) => [x, y]);
      this.stroke(ends, { color: "var(--quiet)", dash: [2, 3] });
      this.write(vertical.name ?? "", x + 4 * devicePixelRatio, top, { baseline: "top" });
    }
  }

  // Nobody points at the chart: each curve's last value stands in the legend.
  rest() {
    if (!this.plot || this.plot.cursor.left >= 0) return;
    this.plot.setLegend({ idxs: this.plot.data.map((column) => nearest(column, column.length - 1)) }, false);
  }
}

// The nearest place at or before `from`, or else after it, where a column has a number.
function nearest(column, from) {
  if (!column?.length || from === null) return from;
  for (let away = 0; away < column.length; away++) {
    if (column[from - away] != null) return from - away;
    if (column[from + away] != null) return from + away;
  }
  return from;
}

const around = (x, y, far) => ({ left: x - far, top: y - far, width: 2 * far, height: 2 * far });

class Places extends Chart {
  madeOf() {
    return "map";
  }

  data() {
    return [
      [0, 1],
      [0, 1],
    ];
  }

  options() {
    const { x, y } = this.spec;
    return {
      padding: [8, 12, 0, 0],
      scales: {
        x: { time: false, auto: false, range: () => this.range(0) },
        y: { auto: false, range: () => this.range(1) },
      },
      axes: [this.axis(x.label, { space: 60 }), this.axis(y.label, { side: 3, size: 40, space: 28 })],
      series: [{}, { paths: () => null, points: { show: false } }],
      cursor: { x: false, y: false, points: { show: false }, drag: { x: false, y: false } },
      legend: { show: false },
      hooks: { draw: [() => this.drawPlaces()], setCursor: [() => this.read()] },
    };
  }

  places() {
    const { paths = [], marks = [] } = this.spec;
    return [...paths.flatMap(({ points }) => points), ...marks.map(({ x, y }) => [x, y])];
  }

  range(axis) {
    const beside = axis === 1 && this.spec.truth !== undefined ? [this.spec.truth] : [];
    const values = [...this.places().map((place) => place[axis]), ...beside].filter(Number.isFinite);
    if (!values.length) return [0, 1];
    const [from, to] = [Math.min(...values), Math.max(...values)];
    const air = Math.max(to - from, 0.02 * Math.abs(to), 1e-6) * 0.12;
    return [from - air, to + air];
  }

  drawPlaces() {
    const { left, top, width } = this.plot.bbox;
    const { paths = [], marks = [], truth } = this.spec;
    this.names = [];
    if (truth !== undefined) {
      const [, y] = this.at(0, truth);
      this.across(y, "var(--quiet)");
      const above = y - top > 16 * devicePixelRatio;
      this.truthAt = y + (above ? -9 : 9) * devicePixelRatio;
      this.write("truth", left + width - 4, this.truthAt, { align: "right" });
    }
    for (const path of paths) this.drawPath(path);
    for (const { name, x, y, color = "var(--quiet)" } of marks) this.dot(x, y, name, { color, hollow: true });
    this.writeNames();
  }

  drawPath({ name, label = name, points, color = "var(--accent)", quiet = false }) {
    if (!points.length) return;
    this.stroke(
      points.map(([x, y]) => this.at(x, y)),
      { color, width: quiet ? 1 : 2 },
    );
    const [x, y] = points.at(-1);
    this.dot(x, y, label, { color, quiet });
  }

  dot(x, y, name, { color, hollow = false, quiet = false }) {
    const { ctx } = this.plot;
    const [left, top] = this.at(x, y);
    ctx.save();
    ctx.beginPath();
    ctx.arc(left, top, 4.5 * devicePixelRatio, 0, 7);
    Object.assign(ctx, {
      fillStyle: this.color(hollow ? "var(--paper)" : color),
      strokeStyle: this.color(color),
      lineWidth: 1.5 * devicePixelRatio,
    });
    ctx.fill();
    ctx.stroke();
    ctx.restore();
    if (name) this.names.push({ name, left, top, quiet });
  }

  // Each beside its dot, or as near as it is free, and then with a line; none is left out.
  writeNames() {
    const { bbox } = this.plot;
    const px = devicePixelRatio;
    const truth = this.spec.truth === undefined ? [] : [this.truthBox()];
    const taken = [...truth, ...this.names.map(({ left, top }) => around(left, top, DOT * px))];
    for (const { name, left, top } of this.names.sort((a, b) => a.quiet - b.quiet)) {
      const size = { width: this.widthOf(name), height: LINE * px };
      const box = nameBox([left, top], size, 9 * px, taken, bbox);
      taken.push(box);
      const middle = box.top + box.height / 2;
      if (Math.abs(middle - top) > 1)
        this.lead(left, top, box.left > left ? box.left : box.left + box.width, middle);
      this.write(name, box.left, middle);
    }
  }

  // A thin line from a dot's edge to its name.
  lead(x, y, toX, toY) {
    const edge = (DOT * devicePixelRatio) / Math.hypot(toX - x, toY - y);
    this.stroke(
      [
        [x + edge * (toX - x), y + edge * (toY - y)],
        [toX, toY],
      ],
      { color: "var(--quiet)" },
    );
  }

  truthBox() {
    const { left, width } = this.plot.bbox;
    const wide = this.widthOf("truth");
    const high = LINE * devicePixelRatio;
    return { left: left + width - 4 - wide, top: this.truthAt - high / 2, width: wide, height: high };
  }

  // What lies under the pointer, in words below.
  read() {
    const { left, top } = this.plot.cursor;
    const named = [
      ...(this.spec.paths ?? []).flatMap(({ name, points }) => points.map(([x, y]) => [name, x, y])),
      ...(this.spec.marks ?? []).map(({ name, x, y }) => [name, x, y]),
    ];
    const away = ([, x, y]) =>
      Math.hypot(this.plot.valToPos(x, "x") - left, this.plot.valToPos(y, "y") - top);
    const [best] = named.filter((each) => away(each) < NEAR).sort((a, b) => away(a) - away(b));
    this.legend.textContent = best
      ? `${best[0]}: ${this.spec.x.label} ${short(best[1], 4)}, ${this.spec.y.label} ${short(best[2], 3)}`
      : "";
  }

  rest() {}
}
