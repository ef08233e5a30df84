// The Loss Lab's second mode: a weight moves, and one sees what a training would give.

import { button, choice, color, html, mapChart, menu, nothing, short, slider, table, tiles } from "../kit/js/kit.js";

const STEP = { content: 0.001, style: 0.02, tv: 0.005 }; // of a key; its last one must end at the largest
const MODES = [
  ["train", "Train", "Steer a training while it runs"],
  ["instant", "Instant", "See at once what a training with these weights would give; nothing trains"],
];

export const modes = (lab) => choice(lab, "mode", { label: "Mode", options: MODES });

export const isInstant = (lab) => lab.get("mode") === "instant";

export function instant(lab) {
  const pictures = ["mix_start", "mix_picture", "mix_truth"].map((name) => lab.get(name));
  return html`
    <div class="commands">
      ${button(lab, "train_it", { label: "Train it really", kind: "primary", title: "To Train mode with these weights set, to check the forecast" })}
      ${button(lab, "pixel_alone", { label: "Pixel alone", act: () => lab.set({ mix_content: 0, mix_style: 0, mix_tv: 0 }), title: "All other weights off: small-x4 itself" })}
      ${menu(lab, "photo", { label: "photograph", options: lab.get("photos"), title: "Which one is shown and measured" })}
    </div>
    <div class="split">
      ${weights(lab)}
      <div class="panel pictures">${tiles(lab, pictures, { name: "foretold", columns: 3, most: 256 })}</div>
      <div class="panel below">${lab.get("forecast").trail ? found(lab) : nothing}</div>
    </div>`;
}

function weights(lab) {
  const largest = lab.get("largest");
  return html`<div class="panel left side weights">
    <h4>Weights beside pixel 1</h4>
    <p class="pixel"><i class="swatch" style="background:${color("pixel")}"></i> pixel <b>1</b>, always</p>
    ${Object.entries(largest).map(([term, max]) =>
      slider(lab, `mix_${term}`, {
        label: term,
        ...{ min: STEP[term], max, step: STEP[term], last: max / 4, off: true, color: color(term) },
        title: `Weight of the term ${term}, at most ${short(max)}: nothing was trained beyond`,
      }),
    )}
    <p class="note" data-name="reach">As after 500 steps from small-x4 with these weights; measured within
      0.12 dB and 0.03 sharpness of really trained networks on five settings; ridge is not foretold (real
      trainings weave more or less than this shows).</p>
  </div>`;
}

function found(lab) {
  const { trail, marks, said, shares } = lab.get("forecast");
  return html`<div class="charts">
      ${mapChart({
        name: "instant-map",
        title: "Sharpness over PSNR",
        alt: said,
        x: { label: "PSNR, dB" },
        y: { label: "sharpness" },
        truth: 1,
        marks,
        paths: [{ name: "this mix", points: trail }],
      })}
      <div>${pulls(lab, shares)}</div>
    </div>`;
}

// How hard each term pulls, at the start of such a training.
function pulls(lab, shares) {
  const columns = [
    { key: "term", label: "term" },
    { key: "weight", label: "weight", format: (weight) => (weight ? short(weight) : "off") },
    {
      key: "share",
      label: "gradient",
      format: (share) => `${Math.round(100 * share)} %`,
      bar: { max: 1 },
      title: "Typical share of the gradient where the training begins",
    },
  ];
  const rows = Object.entries(shares).map(([term, share]) => {
    const weight = term === "pixel" ? 1 : lab.get(`mix_${term}`);
    return { term, weight, share, color: color(term) };
  });
  return table(columns, rows, { name: "pulls" });
}
