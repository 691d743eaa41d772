// convolutions: the toy and the model's, as the state chooses among them, with the window that it points at.

import { DATA, Values, values } from "../base/data.js";
import { clamp } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { Conv } from "./conv.js";
import { scatter, weightGradient } from "./gradients.js";
import { arraysOf, gradInputOf, inputOf } from "./samples.js";
import { twin } from "./twin.js";

/** The convolutions that tabs can show: the toy, and every convolution of the model whose weights are in the page. */
export function sources() {
  const layers = DATA.model ? DATA.model.layers.filter((layer) => layer.kind === "conv2d" && values(layer.w)) : [];
  return ["toy", ...layers.map((layer) => layer.label)];
}

/** The convolution that the state points at. */
export function currentConv() {
  return state.src === "toy" ? toyConv(state) : (modelConv(state.src, state.img) ?? toyConv(state));
}

const convs = new Map();

function remembered(name, make) {
  if (!convs.has(name)) convs.set(name, make());
  return convs.get(name);
}

function toyCase({ s, p, d, flip }) {
  return DATA.lesson.cases.find(
    (c) => c.stride[0] === s && c.padding[0] === p && c.dilation[0] === d && c.flip === Boolean(flip),
  );
}

export function toyConv(of) {
  const { s, p, d, flip, edits } = of;
  return remembered(`toy ${s} ${p} ${d} ${flip} ${edits}`, () => {
    const found = toyCase(of) ?? DATA.lesson.cases[0];
    const options = { stride: found.stride, padding: found.padding, dilation: found.dilation, groups: 1 };
    const conv = new Conv("toy", options, arraysOf(found.arrays));
    return edits ? edited(conv, edits) : conv;
  });
}

export function modelConv(label, img) {
  const layer = DATA.model?.layers.find((l) => l.label === label && l.kind === "conv2d");
  const sample = DATA.samples?.[img] ?? DATA.samples?.[0];
  if (!layer || !values(layer.w) || !sample) return null;
  return remembered(
    `${label} ${img}`,
    () =>
      new Conv(label, layer.options, {
        ...arraysOf(sample.layers[label]),
        x: inputOf(sample, label),
        w: values(layer.w),
        b: values(layer.b),
        grad_x: gradInputOf(sample, label),
      }),
  );
}

/** The toy with some numbers changed, "x.0.2.3=7,w.1.0.1.1=-2": what follows from them is the browser's work. */
function edited(conv, edits) {
  const copy = (array) => new Values(array.data.slice(), array.shape);
  const arrays = { x: copy(conv.x), w: copy(conv.w), b: conv.b };
  for (const edit of edits.split(",")) {
    const [where, v] = edit.split("=");
    const [name, ...index] = where.split(".");
    const array = arrays[name];
    if (!array || !Number.isFinite(Number(v)) || index.length !== array.shape.length) continue;
    const at = index.reduce((sum, k, axis) => sum + Number(k) * array.strides[axis], 0);
    if (at >= 0 && at < array.data.length) array.data[at] = Number(v);
  }
  const out = twin.conv2d(arrays.x, arrays.w, arrays.b, conv.options);
  const changed = new Conv("toy", conv.options, { ...arrays, out, grad_out: conv.grad_out }, false);
  changed.grad_w = new Values(weightGradient(changed), conv.w.shape);
  changed.grad_x = scatter(changed);
  return changed;
}

/** The state's window and filter, kept inside the convolution. */
export function place(conv) {
  return {
    o: clamp(state.o, 0, conv.O - 1),
    i: clamp(state.i, 0, conv.OH - 1),
    j: clamp(state.j, 0, conv.OW - 1),
    c: clamp(state.c, 0, conv.CG - 1),
  };
}

/** Move the window by arrow keys; it stops at the edges. */
export function moveWindow(conv, di, dj) {
  const { i, j } = place(conv);
  set({ i: clamp(i + di, 0, conv.OH - 1), j: clamp(j + dj, 0, conv.OW - 1) });
}

/** Move the window along the rows of the output; false at the end. */
export function stepWindow(conv, by) {
  const { i, j } = place(conv);
  const l = i * conv.OW + j + by;
  if (l < 0 || l >= conv.L) return false;
  const [ni, nj] = conv.position(l);
  set({ i: ni, j: nj });
  return true;
}
