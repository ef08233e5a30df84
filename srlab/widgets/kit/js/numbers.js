// Numbers: how they are written, and where they stand on a slider.

export const POSITIONS = 1000; // steps of a slider's track

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Position 0 … POSITIONS -> value, and back. A logarithmic track needs low > 0.
export function valueAt(position, { min, max, log = false, step = 0 }) {
  const share = clamp(position / POSITIONS, 0, 1);
  if (!log)
    return tidy(step ? min + Math.round((share * (max - min)) / step) * step : min + share * (max - min));
  return tidy(min * (max / min) ** share, 3);
}

export function positionOf(value, { min, max, log = false }) {
  if (!log) return Math.round((POSITIONS * (clamp(value, min, max) - min)) / (max - min));
  return Math.round((POSITIONS * Math.log(clamp(value, min, max) / min)) / Math.log(max / min));
}

// Positions from one value to the next, so that a key moves by one.
export const strideOf = ({ min, max, log = false, step = 0 }) =>
  log || !step ? 1 : (POSITIONS * step) / (max - min);

// 0.30000000000000004 is 0.3; with digits, as many as count.
export const tidy = (value, digits = 12) => Number(value.toPrecision(digits));

// As short as it can be read: 0.05, 1.2, 320, 1e-5; never "-0".
export function short(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const plain = tidy(value, digits) || 0;
  const size = Math.abs(plain);
  if (plain !== 0 && (size < 0.001 || size >= 1e6)) {
    return plain.toExponential().replace("e+", "e");
  }
  return String(plain);
}

// What a weight's field shows, and what a person meant by what was typed.
export const asText = (value, { off = false } = {}) => (off && value === 0 ? "off" : short(value, 4));

export function asNumber(text, { min, max, off = false }) {
  const plain = text.trim().toLowerCase().replace(",", ".");
  if (off && (plain === "off" || Number(plain) === 0)) return plain === "" ? null : 0;
  const value = Number(plain);
  if (plain === "" || !Number.isFinite(value)) return null;
  return clamp(value, min, max);
}

// Ticks of a logarithmic axis: decades, with 2 and 5 where there are few; within
// less than a decade, as on a linear axis.
export function logTicks(low, high) {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return evenTicks(low, high);
  const steps = decades > 2.5 ? [1] : [1, 2, 5];
  const powers = Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1;
  const ticks = Array.from({ length: powers }, (_, i) => 10 ** (Math.floor(Math.log10(low)) + i))
    .flatMap((power) => steps.map((step) => tidy(step * power)))
    .filter((tick) => tick >= low && tick <= high);
  const stride = Math.ceil(ticks.length / 7);
  return ticks.filter((_, i) => i % stride === 0);
}

function evenTicks(low, high) {
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => tidy((first + i) * step));
}

// 200 MB, 3.2 MB, 45 kB or 120 bytes, as bytes_text says it in Python; never "0.0 kB".
export function bytesText(count) {
  if (count < 1000) return `${count} bytes`;
  if (count < 99_950) return `${Number((count / 1e3).toFixed(1))} kB`;
  return `${Number((count / 1e6).toFixed(1))} MB`;
}
