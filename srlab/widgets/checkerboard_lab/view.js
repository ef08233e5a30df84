// CheckerboardLab: settings left; the pictures, their spectra and the curve right.

import { choice, html, lineChart, menu, nothing, points, pixels, short, status, svg, table, tiles, trainingButtons } from "../kit/js/kit.js";

const COLUMNS = 4; // of pictures; the spectra below take two, the curve the other two
const MARGIN = 3.5; // frequencies around a spectrum, so that no circle is cut

export function checkerboard(lab) {
  const { measure, energy, psnr } = lab.get("numbers");
  const data = { measure, energy, psnr };
  for (const name of ["upsampler", "init", "scale", "loss", "photograph"]) data[name] = lab.get(name);
  return html`<div class="lab">
    <div class="head"><h3>Who draws the grid?</h3>${trainingButtons(lab, { resetTitle: "Back to the untrained network" })}
      ${status(lab, { words: `step ${lab.get("step")}`, data })}</div>
    <div class="split">
      <div class="panel">${settings(lab)}${figures(lab)}${note(lab)}</div>
      <div class="panel">
        ${tiles(lab, ["network", "truth", "added", "card"].map((name) => lab.get(name)), { columns: COLUMNS })}
        ${pixels(lab.get("network"), COLUMNS, html`${spectrum(lab, "network_spectrum")}${spectrum(lab, "truth_spectrum")}${curve(lab)}`)}
      </div>
    </div>
  </div>`;
}

function settings(lab) {
  const options = lab.get("choices");
  return html`<div class="panel side">
    ${menu(lab, "upsampler", { options: options.upsampler, title: "What draws the new pixels" })}
    ${choice(lab, "init", {
      label: "init of PixelShuffle",
      options: options.init,
      disabled: lab.get("upsampler") !== "pixelshuffle",
    })}
    ${choice(lab, "scale", { options: options.scale })}
    ${menu(lab, "loss", { options: options.loss, title: "What the training makes small" })}
    ${menu(lab, "photograph", { options: options.photograph, title: "Which one is shown and measured" })}
  </div>`;
}

function figures(lab) {
  const n = lab.get("numbers");
  const columns = [
    { key: "name", label: "" },
    { key: "network", label: "network" },
    { key: "bicubic", label: "bicubic" },
    { key: "truth", label: "truth" },
  ];
  const rows = [
    { name: "checkerboard", network: n.measure, bicubic: n.bicubic_measure, truth: 1 },
    { name: "ridge", network: n.ridge, bicubic: n.bicubic_ridge, truth: 1 },
    { name: "energy", network: n.energy, bicubic: 0, truth: 0 },
    { name: "sharpness", network: n.sharpness, bicubic: n.bicubic_sharpness, truth: 1 },
    { name: "PSNR, dB", network: short(n.psnr, 4), bicubic: short(n.bicubic_psnr, 4), truth: "" },
  ];
  return table(columns, rows, { name: "numbers" });
}

function note(lab) {
  const noInit = lab.get("upsampler") !== "pixelshuffle";
  return html`<p class="note">
    ${noInit ? "init is off: there is no shuffle to initialize here. " : nothing}
    ${lab.get("step") === 0
      ? "Step 0 is bicubic plus what the untrained upsampler adds. Lesson 01’s network starts its last stage at " +
        "zero, which would hide it; here that stage keeps its own start, times a factor that makes it add 0.1 (RMS) " +
        "to a gray card. "
      : nothing}
    Grid energy is of the gray card; PSNR is of Y, without a border of 16 px.
  </p>`;
}

function spectrum(lab, name) {
  const picture = lab.get(name);
  const scale = lab.get("scale");
  const side = picture.width - 1;
  const title = `Spectrum of ${picture.name}`;
  const box = [-MARGIN, -MARGIN, picture.width + 2 * MARGIN, picture.width + 2 * MARGIN].join(" ");
  return html`<figure class="tile" data-name=${name}>
    <svg class="spectrum" viewBox=${box} role="img" aria-label="${title}, ${picture.caption}">
      ${svg`<image href=${lab.url(picture)} width=${picture.width} height=${picture.width}></image>`}
      ${peaks(scale).map(([y, x]) => circle(side / 2 + side * x + 0.5, side / 2 + side * y + 0.5))}
    </svg>
    <figcaption><b>${title}</b> <span>circles: where a grid of ${scale} px shows, 1/${scale} cycle per px apart</span></figcaption>
  </figure>`;
}

// Vermilion within white: seen on dark blue, on gray and on yellow.
const circle = (x, y) => svg`<circle cx=${x} cy=${y} r="3.2" class="halo" /><circle cx=${x} cy=${y} r="2.9" class="peak" />`;

// Multiples of 1/scale from −1/2 to 1/2, without (0, 0), the mean brightness.
function peaks(scale) {
  const steps = Array.from({ length: scale + 1 }, (_, k) => (k - scale / 2) / scale);
  return steps.flatMap((y) => steps.map((x) => [y, x])).filter(([y, x]) => x || y);
}

function curve(lab) {
  const grid = lab.curve("grid");
  const { measure, ridge } = lab.get("numbers");
  return html`<div class="rest">${lineChart({
    name: "grid",
    title: "Checkerboard and ridge",
    alt: `At step ${lab.get("step")} the checkerboard is ${short(measure)} and the ridge ${short(ridge)}; the truth's are 1.`,
    log: true,
    series: [
      { name: "checkerboard", color: "var(--term-content)", points: points(grid, 0, 1) },
      { name: "ridge", color: "var(--term-pixel)", points: points(grid, 0, 2) },
    ],
    references: [{ name: "truth", value: 1 }],
  })}</div>`;
}
