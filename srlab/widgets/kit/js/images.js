// Pictures that came as bytes: an address for <img>, and their pixels.

const urls = new WeakMap(); // bytes -> address
const decoded = new WeakMap(); // bytes -> promise of {width, height, data}
const forgotten = new FinalizationRegistry((url) => URL.revokeObjectURL(url));

const blob = ({ data, kind, type = `image/${kind}` }) => new Blob([data], { type });

export function urlOf(picture) {
  const { data } = picture;
  if (!urls.has(data)) {
    const url = URL.createObjectURL(blob(picture));
    urls.set(data, url);
    forgotten.register(data, url);
  }
  return urls.get(data);
}

// A color profile must not change the numbers that are compared.
export function pixelsOf(picture) {
  if (!decoded.has(picture.data)) decoded.set(picture.data, decode(picture));
  return decoded.get(picture.data);
}

const there = new WeakMap(); // bytes -> {width, height, data}, decoded

// Its pixels if they are here already; else nothing yet, and `again` once they are.
export function pixelsNow(picture, again) {
  const { data } = picture;
  if (there.has(data)) return there.get(data);
  pixelsOf(picture).then((pixels) => {
    there.set(data, pixels);
    again();
  });
  return undefined;
}

async function decode(picture) {
  const image = await createImageBitmap(blob(picture), { colorSpaceConversion: "none" });
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

// |first − second| × factor, cut at 255; mean and largest in steps of 1/255.
export function subtract(first, second, factor) {
  const result = new ImageData(first.width, first.height);
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < first.data.length; i++) {
    if (i % 4 === 3) {
      result.data[i] = 255; // opaque
      continue;
    }
    const steps = Math.abs(first.data[i] - second.data[i]);
    sum += steps;
    largest = Math.max(largest, steps);
    result.data[i] = steps * factor; // the array cuts at 255
  }
  return { image: result, largest, mean: sum / (3 * first.width * first.height) };
}
