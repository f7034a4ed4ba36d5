// `smartbreed.inference.pipeline` for the browser: finds the pets in a photo, crops them and names them.
// Everything is computed here; no photo leaves the page.
import { loadLiteRt, loadAndCompile, Tensor } from "./vendor/litert.js";

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const clip = (x, low, high) => Math.min(Math.max(x, low), high);

/** Load the page's model. Calls `said(key)` with the name of each part before it is loaded. */
export async function load(base, said = () => {}) {
  said("runtime");
  await loadLiteRt(new URL("vendor/", base).href);
  const config = await (await fetch(new URL("model/config.json", base), { cache: "no-cache" })).json();
  const network = async (part) => {
    const address = new URL(`model/${part.file}?v=${part.version}`, base);
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${part.file} could not be loaded.`);
    return loadAndCompile(new Uint8Array(await answer.arrayBuffer()), { accelerator: "wasm" });
  };
  said("classifier");
  const classifier = await network(config.classifier);
  if (config.detector) said("detector");
  const detector = config.detector ? await network(config.detector) : null;
  return new Identifier(config, classifier, detector);
}

class Identifier {
  constructor(config, classifier, detector) {
    Object.assign(this, { config, classifier, detector });
    this.anchors = ssdAnchors();
  }

  /** Return every pet in a picture (`ImageData`), likeliest first. */
  async identify(picture) {
    const { width, height } = picture;
    const detector = this.config.detector;
    const found = detector ? await this.find(picture) : [{ box: [0, 0, width, height], score: 1 }];
    const candidates = [];
    for (const { box, score } of found) {
      const crop = detector ? withMargin(box, this.config.classifier.margin, width, height) : box;
      candidates.push({ box, crop, score, ...(await this.classify(picture, crop)) });
    }
    const pets = detector ? this.confirmed(candidates) : candidates;
    return pets.map((pet) => ({ ...pet, ...this.decide(pet) }));
  }

  async find(picture) {
    const config = this.config.detector;
    const { boxes, scores } = await run(this.detector, picture, [0, 0, picture.width, picture.height], config);
    const species = config.species.length;
    const smallest = config.confirm ? config.confirm.candidate : config.score;
    const likely = [];
    this.anchors.forEach((anchor, place) => {
      const logit = Math.max(...scores.subarray(place * species, (place + 1) * species));
      if (sigmoid(logit) < smallest) return;
      const box = decode(boxes.subarray(place * 4, place * 4 + 4), anchor).map((edge) => clip(edge, 0, 1));
      likely.push({ box, score: sigmoid(logit) });
    });
    return suppressed(likely, config.overlap, config.most)
      .map(({ box: [x0, y0, x1, y1], score }) => ({
        box: [x0 * picture.width, y0 * picture.height, x1 * picture.width, y1 * picture.height],
        score,
      }))
      .filter(({ box: [x0, y0, x1, y1] }) => x1 - x0 >= 2 && y1 - y0 >= 2);
  }

  async classify(picture, crop) {
    const config = this.config.classifier;
    const outputs = await run(this.classifier, picture, crop, config);
    return { ...outputs, faults: faultsOf(outputs.pixels, config.input_size) };
  }

  /** Box verification: detector and classifier decide together which boxes hold a pet. */
  confirmed(candidates) {
    const { confirm, score: smallest, overlap, most } = this.config.detector;
    const verified = candidates.map((pet) => {
      if (!confirm) return pet;
      const bounded = clip(pet.score, 1e-6, 1 - 1e-6);
      const evidence =
        confirm.detector * Math.log(bounded / (1 - bounded)) + confirm.classifier * Math.max(...pet.logits) + confirm.bias;
      return { ...pet, score: sigmoid(evidence) };
    });
    const kept = [];
    for (const pet of suppressed(verified.filter((one) => one.score >= smallest), overlap, most))
      if (kept.every((better) => common(pet.box, better.box) / (area(pet.box) || 1) <= 0.9)) kept.push(pet);
    return kept;
  }

  /** Return species, verdict and its reason, the likeliest breeds with probabilities, and the group. */
  decide({ logits, embedding, faults }) {
    const { labels, temperature, thresholds, faults: weights, other } = this.config.classifier;
    const counts = Object.keys(faults).map((name) => [name, weights[name] * faults[name]]);
    const heat = Math.min(Math.exp(counts.reduce((sum, [, count]) => sum + count, 0)), weights.most);
    const probabilities = softmax(logits, temperature * heat);
    const order = [...labels.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    const breeds = order.slice(0, 5).map((place) => ({ ...labels[place], place, probability: probabilities[place] }));
    const total = (key) => {
      const sums = new Map();
      labels.forEach((label, place) => {
        const name = key(label);
        sums.set(name, (sums.get(name) ?? 0) + probabilities[place]);
      });
      return [...sums].reduce((best, one) => (one[1] > best[1] ? one : best));
    };
    const [species] = total((label) => label.species);
    const [group, share] = total((label) => label.group || label.id);
    let verdict = breeds[0].probability >= thresholds.breed ? "breed" : share >= thresholds.group ? "group" : "unknown";
    let reason = "";
    if (other && sigmoid(embedding.reduce((sum, value, place) => sum + value * other.weights[place], other.bias)) >= other.threshold)
      [verdict, reason] = ["unknown", "other"];
    else if (verdict !== "breed") {
      const [name, count] = counts.reduce((worst, one) => (one[1] > worst[1] ? one : worst));
      if (count >= 0.2) reason = name;
    }
    return { species, verdict, reason, breeds, group };
  }

  /** Return the Grad-CAM of a label: the side of the square map, and its values 0…1, row by row. */
  heat({ class_maps: maps }, place) {
    const { labels, bias } = this.config.classifier;
    const cells = maps.length / labels.length;
    const heat = Float32Array.from({ length: cells }, (_, cell) => Math.max(maps[cell * labels.length + place] - bias[place], 0));
    const peak = Math.max(...heat);
    return { side: Math.round(Math.sqrt(cells)), values: peak > 0 ? heat.map((value) => value / peak) : heat };
  }
}

/** Run a network on a part of a picture; return its outputs by name, and its input pixels as `pixels`. */
async function run(network, picture, box, { input_size: side, scale, offset }) {
  const pixels = resample(picture, box, side);
  const input = new Tensor(Float32Array.from(pixels, (value) => value * scale + offset), [1, side, side, 3]);
  const outputs = await network.run({ image: input });
  input.delete();
  const values = { pixels };
  for (const [name, tensor] of Object.entries(outputs)) {
    values[name] = Float32Array.from(tensor.toTypedArray());
    tensor.delete();
  }
  return values;
}

/** Resize `box` of a picture to a square of RGB bytes with a triangle filter, like Pillow's BILINEAR. */
export function resample({ data, width, height }, [x0, y0, x1, y1], side) {
  const across = weightsOf(x0, x1, width, side);
  const down = weightsOf(y0, y1, height, side);
  const [top, bottom] = [down[0].first, down[side - 1].first + down[side - 1].weights.length];
  const rows = new Uint8ClampedArray((bottom - top) * side * 3);
  for (let y = top; y < bottom; y++)
    across.forEach(({ first, weights }, x) => {
      let [red, green, blue] = [0, 0, 0];
      weights.forEach((weight, n) => {
        const at = (y * width + first + n) * 4;
        red += weight * data[at];
        green += weight * data[at + 1];
        blue += weight * data[at + 2];
      });
      rows.set([red, green, blue], ((y - top) * side + x) * 3);
    });
  const pixels = new Uint8ClampedArray(side * side * 3);
  down.forEach(({ first, weights }, y) => {
    for (let x = 0; x < side * 3; x++) {
      let sum = 0;
      for (let n = 0; n < weights.length; n++) sum += weights[n] * rows[(first - top + n) * side * 3 + x];
      pixels[y * side * 3 + x] = sum;
    }
  });
  return pixels;
}

function weightsOf(low, high, size, side) {
  const scale = (high - low) / side;
  const support = Math.max(scale, 1);
  return Array.from({ length: side }, (_, place) => {
    const centre = low + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(size, Math.trunc(centre + support + 0.5));
    const weights = Float64Array.from({ length: last - first }, (_, n) =>
      Math.max(0, 1 - Math.abs((n + first - centre + 0.5) / support)),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** Measure darkness, blur, noise and lack of colour, like `smartbreed.inference.picture_quality`. */
export function faultsOf(pixels, side) {
  const gray = Float32Array.from({ length: side * side }, (_, n) =>
    (pixels[n * 3] * 19595 + pixels[n * 3 + 1] * 38470 + pixels[n * 3 + 2] * 7471 + 32768) >> 16,
  );
  const mean = gray.reduce((sum, value) => sum + value, 0) / gray.length;
  const contrast = Math.sqrt(gray.reduce((sum, value) => sum + (value - mean) ** 2, 0) / gray.length) + 1;
  const at = (values, width, x, y) => values[y * width + x];
  let [noise, detail, colour] = [0, 0, 0];
  for (let y = 1; y < side - 1; y++)
    for (let x = 1; x < side - 1; x++) {
      const row = (y) => at(gray, side, x - 1, y) - 2 * at(gray, side, x, y) + at(gray, side, x + 1, y);
      noise += Math.abs(row(y - 1) - 2 * row(y) + row(y + 1));
    }
  noise = ((noise / (side - 2) ** 2) * 0.209) / contrast;
  const half = side >> 1;
  const small = Float32Array.from({ length: half * half }, (_, n) => {
    const [x, y] = [(n % half) * 2, Math.trunc(n / half) * 2];
    return (at(gray, side, x, y) + at(gray, side, x + 1, y) + at(gray, side, x, y + 1) + at(gray, side, x + 1, y + 1)) / 4;
  });
  for (let y = 1; y < half - 1; y++)
    for (let x = 1; x < half - 1; x++)
      detail += Math.abs(
        at(small, half, x, y) * 4 - at(small, half, x - 1, y) - at(small, half, x + 1, y) - at(small, half, x, y - 1) - at(small, half, x, y + 1),
      );
  detail /= (half - 2) ** 2 * contrast;
  let few = 0;
  for (let y = 0; y < side; y += 4)
    for (let x = 0; x < side; x += 4, few++) {
      const channels = pixels.subarray((y * side + x) * 3, (y * side + x) * 3 + 3);
      colour += Math.max(...channels) - Math.min(...channels);
    }
  return {
    dark: Math.max(0, Math.log2((0.3 * 255) / (mean + 1))),
    blurred: Math.max(0, Math.log2(0.18 / (detail + 1e-4))),
    noisy: Math.max(0, Math.log2(noise / 0.11 + 1e-4)),
    colourless: Math.max(0, 1 - colour / few / 5),
  };
}

/** Return the anchors of SSD MobileNet, `[y, x, height, width]`, like `smartbreed.inference.boxes.ssd_anchors`. */
function ssdAnchors(grids = [19, 10, 5, 3, 2, 1]) {
  const scales = [...grids.map((_, level) => 0.2 + (0.75 * level) / (grids.length - 1)), 1];
  const anchors = [];
  grids.forEach((grid, level) => {
    const scale = scales[level];
    const shapes =
      level === 0
        ? [[0.1, 1], [scale, 2], [scale, 0.5]]
        : [...[1, 2, 0.5, 3, 0.3333].map((ratio) => [scale, ratio]), [Math.sqrt(scale * scales[level + 1]), 1]];
    for (let y = 0; y < grid; y++)
      for (let x = 0; x < grid; x++)
        for (const [size, ratio] of shapes)
          anchors.push([(y + 0.5) / grid, (x + 0.5) / grid, size / Math.sqrt(ratio), size * Math.sqrt(ratio)]);
  });
  return anchors;
}

function decode([dy, dx, dh, dw], [y, x, height, width]) {
  const [h, w] = [Math.exp(clip(dh / 5, -8, 8)) * height, Math.exp(clip(dw / 5, -8, 8)) * width];
  const [cy, cx] = [(dy / 10) * height + y, (dx / 10) * width + x];
  return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2];
}

const area = ([x0, y0, x1, y1]) => Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
const common = (a, b) =>
  area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);

function iou(a, b) {
  const union = area(a) + area(b) - common(a, b);
  return union > 0 ? common(a, b) / union : 0;
}

/** Greedy non-maximum suppression, best first. */
function suppressed(found, overlap, most) {
  const kept = [];
  for (const one of [...found].sort((a, b) => b.score - a.score))
    if (kept.length < most && kept.every((better) => iou(better.box, one.box) <= overlap)) kept.push(one);
  return kept;
}

function withMargin([x0, y0, x1, y1], margin, width, height) {
  const [dx, dy] = [(x1 - x0) * margin, (y1 - y0) * margin];
  return [Math.max(0, x0 - dx), Math.max(0, y0 - dy), Math.min(width, x1 + dx), Math.min(height, y1 + dy)];
}

function softmax(logits, temperature) {
  const peak = Math.max(...logits);
  const exponents = Array.from(logits, (logit) => Math.exp((logit - peak) / temperature));
  const sum = exponents.reduce((total, value) => total + value, 0);
  return exponents.map((value) => value / sum);
}
