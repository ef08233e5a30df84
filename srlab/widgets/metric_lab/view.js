// MetricLab: one pair of pictures, a protocol on one line, and a table to fill.

import { button, choice, figures, html, menu, nothing, slider, table, tiles } from "../kit/js/kit.js";

const OWN = "your pictures";

export function metric(lab) {
  const numbers = lab.get("numbers");
  const said = lab.get("said");
  return html`<div class="lab">
    <div class="head"><h3>How many dB without changing a pixel?</h3></div>
    ${protocol(lab)}
    ${lab.get("error") ? html`<p class="alert" role="alert">${lab.get("error")}</p>` : nothing}
    <div class="found">
      <div class="panel">${found(numbers)}${protocols(lab, numbers)}
        <p class="unseen" role="status" aria-live="polite">${said}; ${numbers.delta} dB against the published protocol</p></div>
      ${tiles(lab, [lab.get("sr"), lab.get("truth")], { name: "compared" })}
    </div>
  </div>`;
}

const protocol = (lab) => html`<div class="protocol side">
  ${choice(lab, "channels", { options: lab.get("choices").channels })}
  ${slider(lab, "shave", { min: 0, max: 16, step: 1, unit: "px", title: "Border that is left out" })}
  ${menu(lab, "photograph", { options: lab.get("choices").photograph, title: "Which picture is measured" })}
  ${menu(lab, "resampler", {
    options: lab.get("choices").resampler,
    disabled: lab.get("photograph") === OWN,
    title: "How the small photograph was enlarged: the one control that changes pixels",
  })}
</div>`;

function found({ channels, shave, psnr, ssim, delta, spread, seen }) {
  const dB = (value) => html`${value} <small>dB</small>`;
  const rows = [["PSNR", dB(psnr)], ["against the published", dB(delta)], ["SSIM", ssim]];
  if (seen > 1) rows.push([`between ${seen} seen`, dB(spread)]);
  return figures(rows, { channels, shave, psnr, delta });
}

// Each cell is a protocol, and chooses it.
function protocols(lab, numbers) {
  const borders = lab.get("borders");
  const columns = [
    { key: "name", label: "PSNR, dB" },
    ...borders.map((border) => ({ key: border, label: `${border} px` })),
  ];
  const psnr = lab.get("table");
  const rows = lab.get("choices").channels.map(([channels, name]) => ({
    name,
    ...Object.fromEntries(
      borders.map((border, i) => [border, cell(lab, numbers, { channels, name, border, text: psnr[channels][i] })]),
    ),
  }));
  const hidden = Object.values(psnr).flat().includes("?");
  return html`${table(columns, rows, { name: "protocols", caption: "by channels, and by border left out" })}
    <p class="note">▲ highest, ▼ lowest of those seen; underlined: the published protocol.
      ${hidden ? html`A “?” is measured when you choose it. ${button(lab, "reveal", { label: "Show all", title: "The figure of every protocol" })}` : nothing}</p>`;
}

function cell(lab, { highest, lowest }, { channels, name, border, text }) {
  const chosen = lab.get("channels") === channels && lab.get("shave") === border;
  const published = channels === "y" && border === lab.get("numbers").border;
  const sign = text === "?" || highest === lowest ? "" : text === highest ? "▲ " : text === lowest ? "▼ " : "";
  const said = text === "?" ? "not measured yet" : `${text} dB`;
  return html`<button type="button" class="cell ${published ? "is-published" : ""}" data-name="${channels} ${border}"
    data-sign=${sign.trim()} aria-pressed=${chosen} aria-label="${name}, ${border} px: ${said}"
    @click=${() => lab.set({ channels, shave: border })}>${sign ? html`<i>${sign.trim()}</i>` : nothing}<span>${text}</span></button>`;
}
