// samples: the traced images, and what each layer received and gave.

import { DATA, values } from "../base/data.js";
import { state } from "../base/state.js";
import { entry } from "../base/words.js";

/** Layers that pass numbers on as they are. */
export const SILENT = ["flatten", "dropout"];

/** What a class is called: in the reader's language, where its table has the name. */
export function className(k, names = DATA.classes) {
  const [name, known] = [names[k], entry("classes")];
  return Object.hasOwn(known, name) ? known[name] : name;
}

/** The image that the state points at. */
export function currentSample() {
  return DATA.samples[state.img] ?? DATA.samples[0];
}

export function byLabel(label) {
  return DATA.model.layers.find((layer) => layer.label === label);
}

export function arraysOf(ids) {
  return Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, values(id)]));
}

/** What a layer received: the output of the layer before, or the image. */
export function inputOf(sample, label) {
  const place = DATA.model.layers.findIndex((layer) => layer.label === label);
  return place === 0 ? values(sample.x) : values(sample.layers[DATA.model.layers[place - 1].label].out);
}

export function gradInputOf(sample, label) {
  const place = DATA.model.layers.findIndex((layer) => layer.label === label);
  return place === 0 ? values(sample.grad_x) : values(sample.layers[DATA.model.layers[place - 1].label].grad_out);
}
