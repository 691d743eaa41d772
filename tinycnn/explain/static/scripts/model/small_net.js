// small_net: the net that the page itself trains: convolution, activation, average pooling, dense layer, in float64.
// It begins with the engine's weights and takes the engine's batches; lab_check.js holds its first steps to the engine's.

import { DATA, values } from "../base/data.js";
import { twin } from "./twin.js";
import { finished } from "./work.js";

export const LAB = DATA.lab;

const { side: SIDE, filters: FILTERS, kernel: KERNEL, classes: CLASSES } = LAB.shape;
const OUT = SIDE - KERNEL + 1;
const POOLED = OUT / 2;
const TAPS = KERNEL * KERNEL;
const FEATURES = FILTERS * POOLED * POOLED;
const FORWARD = FILTERS * OUT * OUT * TAPS + CLASSES * FEATURES; // products for one image; backward takes twice as many

/** The steps of an epoch. */
export const EPOCH = LAB.train / LAB.batch;

let all = null;

/** The pixels of all images, from 0 to 1, one image after the other; the page has two shades in a byte. */
export function pixels() {
  if (all) return all;
  const packed = values(LAB.images).data;
  all = new Float64Array(2 * packed.length);
  for (let k = 0; k < packed.length; k++) {
    all[2 * k] = ((packed[k] >> 4) * 17) / 255;
    all[2 * k + 1] = ((packed[k] & 15) * 17) / 255;
  }
  return all;
}

/** Where a layer's weights begin: the engine's numbers, or zeros. */
function first(start, name, length) {
  const ids = LAB.starts[start];
  return ids ? Float64Array.from(values(ids[name]).data) : new Float64Array(length);
}

export class SmallNet {
  /** activation and start by their names, rate a number. */
  constructor({ activation, start, rate }) {
    this.rate = rate;
    this.each = twin.each[activation];
    this.slope = twin.slope[activation];
    this.weights = {
      w: first(start, "w", FILTERS * TAPS), // the kernels, one after the other
      b: new Float64Array(FILTERS),
      v: first(start, "v", CLASSES * FEATURES), // the dense layer's, a row for each class
      c: new Float64Array(CLASSES),
    };
    this.gradients = {};
    for (const [name, array] of Object.entries(this.weights)) this.gradients[name] = new Float64Array(array.length);
    this.x = pixels();
    this.window = new Float64Array(TAPS);
    this.maps = new Float64Array(FILTERS * OUT * OUT);
    this.features = new Float64Array(FEATURES);
    this.back = new Float64Array(FEATURES);
    this.p = new Float64Array(CLASSES);
    this.steps = 0;
    this.order = values(LAB.order).data;
  }

  /** The logarithms of one image's probabilities, in this.p; returns the class that it is taken for. */
  forward(n) {
    const { features, p } = this;
    const { v, c } = this.weights;
    this.convolve(n * SIDE * SIDE);
    let said = 0;
    for (let k = 0; k < CLASSES; k++) {
      let sum = c[k];
      for (let q = 0; q < FEATURES; q++) sum += v[k * FEATURES + q] * features[q];
      p[k] = sum;
      if (sum > p[said]) said = k;
    }
    const most = p[said];
    let total = 0;
    for (let k = 0; k < CLASSES; k++) total += Math.exp(p[k] - most);
    for (let k = 0; k < CLASSES; k++) p[k] -= most + Math.log(total);
    return said;
  }

  /** Convolution and activation, into this.maps; the means of 2 x 2, into this.features. */
  convolve(image) {
    const { maps, features, window, each } = this;
    const { w, b } = this.weights;
    features.fill(0);
    for (let i = 0, at = 0; i < OUT; i++) {
      for (let j = 0; j < OUT; j++, at++) {
        this.look(image + i * SIDE + j);
        for (let f = 0, tap = 0; f < FILTERS; f++) {
          let sum = b[f];
          for (let k = 0; k < TAPS; k++, tap++) sum += window[k] * w[tap];
          const y = each(sum);
          maps[f * OUT * OUT + at] = y;
          features[(f * POOLED + (i >> 1)) * POOLED + (j >> 1)] += y / 4;
        }
      }
    }
  }

  /** The pixels of the window with that corner, into this.window. */
  look(corner) {
    const { window, x } = this;
    for (let u = 0, k = 0; u < KERNEL; u++) for (let v = 0; v < KERNEL; v++, k++) window[k] = x[corner + u * SIDE + v];
  }

  /** Add one image's share of a batch's gradients; forward has been. */
  backward(n, label) {
    const { features, p, back } = this;
    const { v } = this.weights;
    const { v: dv, c: dc } = this.gradients;
    back.fill(0);
    for (let k = 0; k < CLASSES; k++) {
      const d = (Math.exp(p[k]) - (k === label ? 1 : 0)) / LAB.batch;
      dc[k] += d;
      for (let q = 0; q < FEATURES; q++) {
        dv[k * FEATURES + q] += d * features[q];
        back[q] += d * v[k * FEATURES + q];
      }
    }
    this.intoKernels(n * SIDE * SIDE);
  }

  /** From the gradient of the features, this.back, through pooling and activation into the kernels. */
  intoKernels(image) {
    const { maps, back, window, slope } = this;
    const { w: dw, b: db } = this.gradients;
    for (let i = 0, at = 0; i < OUT; i++) {
      for (let j = 0; j < OUT; j++, at++) {
        this.look(image + i * SIDE + j);
        for (let f = 0; f < FILTERS; f++) {
          const d = (back[(f * POOLED + (i >> 1)) * POOLED + (j >> 1)] / 4) * slope(maps[f * OUT * OUT + at]);
          if (d === 0) continue;
          db[f] += d;
          for (let k = 0, tap = f * TAPS; k < TAPS; k++, tap++) dw[tap] += d * window[k];
        }
      }
    }
  }

  /** One step of SGD: the batch's mean loss, the share of it that was right, and how large the gradients were. */
  step() {
    return finished(this.stepWork());
  }

  /** The same in parts, each of which says how many products it took. */
  *stepWork() {
    const labels = values(LAB.labels).data;
    for (const gradient of Object.values(this.gradients)) gradient.fill(0);
    let [loss, right] = [0, 0];
    for (const n of this.batch()) {
      if (this.forward(n) === labels[n]) right += 1 / LAB.batch;
      loss -= this.p[labels[n]] / LAB.batch;
      this.backward(n, labels[n]);
      yield 3 * FORWARD;
    }
    for (const [name, array] of Object.entries(this.weights)) {
      const gradient = this.gradients[name];
      for (let k = 0; k < array.length; k++) array[k] -= this.rate * gradient[k];
    }
    this.steps += 1;
    return { loss, right, kernels: size(this.gradients.w), dense: size(this.gradients.v) };
  }

  /** The numbers of the next images.  The first epoch has the engine's order; each later one shuffles as that did. */
  batch() {
    const at = this.steps % EPOCH;
    if (at === 0 && this.steps > 0) this.order = values(LAB.order).data.map((k) => this.order[k]);
    return this.order.subarray(at * LAB.batch, (at + 1) * LAB.batch);
  }

  /** Loss and share right of the images that were held out, and what each was taken for; in parts, too. */
  *heldOutWork() {
    const labels = values(LAB.labels).data.subarray(LAB.train);
    const said = [];
    let loss = 0;
    for (const [k, label] of labels.entries()) {
      said.push(this.forward(LAB.train + k));
      loss -= this.p[label] / labels.length;
      yield FORWARD;
    }
    const right = said.filter((taken, k) => taken === labels[k]).length / labels.length;
    return { loss, right, said };
  }
}

/** How large a gradient is: the root of the mean of its squares. */
function size(gradient) {
  return Math.sqrt(gradient.reduce((sum, v) => sum + v * v, 0) / gradient.length);
}
