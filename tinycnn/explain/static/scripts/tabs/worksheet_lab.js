// worksheet_lab: a step of SGD, and what activations hand back, in numbers that a learner works out by hand.

import { values } from "../base/data.js";
import { h } from "../base/dom.js";
import { minus } from "../base/numbers.js";
import { words } from "../base/words.js";
import { className } from "../model/samples.js";
import { LAB } from "../model/small_net.js";
import { twin } from "../model/twin.js";
import { settings } from "./lab.js";
import { cells, headed } from "./worksheet_parts.js";

/** A decimal without the last bits that binary numbers do not have: 0.1 − 3 / 20 is −0.05. */
const decimal = (v) => minus(String(Number(v.toFixed(6))));

/** A factor of a product: in brackets where it has a sign. */
const factor = (v) => (v < 0 ? `(${decimal(v)})` : decimal(v));

/** How many of the first batch belong to each class. */
function firstBatch() {
  const labels = [...values(LAB.order).data.subarray(0, LAB.batch)].map((n) => values(LAB.labels).data[n]);
  return LAB.classes.map((_, k) => labels.filter((label) => label === k).length);
}

/** From weights that are all zero: the loss, the gradients of the dense layer's biases, and where a step takes them. */
export function firstStepExercise({ box }) {
  if (!values(LAB.images)) return null;
  const { rate } = settings();
  const p = 1 / LAB.shape.classes;
  const rows = firstBatch().map((count, k) => {
    const gradient = p - count / LAB.batch;
    return { name: className(k, LAB.classes), count, gradient, after: -rate * gradient };
  });
  const row = ({ name, count, gradient, after }) =>
    h("tr", {}, h("th", { scope: "row" }, name), cells([String(count), box(decimal(gradient)), box(decimal(after))]));
  const working = ({ name, count, gradient, after }) =>
    `${name}: ${p} − ${count} / ${LAB.batch} = ${decimal(gradient)}; 0 − ${rate} · ${factor(gradient)} = ${decimal(after)}`;
  const say = (name, parts) => words(`sheet.first_step.${name}`, parts);
  const line = (name, v) => h("p", {}, say(name), " ", box(v));
  const names = ["class", "count", "gradient", "after"].map((name) => say(name));
  return {
    by: "browser",
    title: say("title"),
    ask: say("ask", { batch: LAB.batch, rate }),
    content: [
      h("div", {}, line("p", decimal(p)), line("loss", Math.log(1 / p).toFixed(3)), line("kernels", "0")),
      headed(names, rows.map(row)),
    ],
    why: [say("why"), ...rows.map(working)],
  };
}

const SLOPES = [
  [0.41, 0.6, 5], // z, its sigmoid to one digit, and the gradient that comes back
  [1.39, 0.8, -10],
  [2.2, 0.9, 10],
  [-2.2, 0.1, 20],
];

/** The same gradients on their way through a sigmoid and through a ReLU. */
export function slopesExercise({ box }) {
  const say = (name) => words(`sheet.slopes.${name}`);
  const back = (name, y, d) => {
    const slope = twin.slope[name](y);
    return [decimal(slope), decimal(slope * d)];
  };
  const row = ([z, y, d]) => {
    const relu = twin.each.relu(z);
    const given = [z, d, y].map(decimal);
    const asked = [...back("sigmoid", y, d), decimal(relu), ...back("relu", relu, d)];
    return h("tr", {}, cells([...given, ...asked.map(box)]));
  };
  const working = ([, y, d]) => {
    const [slope, product] = back("sigmoid", y, d);
    return `${decimal(y)} · (1 − ${decimal(y)}) = ${slope}; ${slope} · ${factor(d)} = ${product}`;
  };
  const [slope, times] = [say("slope"), say("back")];
  const of = (name) => `${words(`lab.activations.${name}`)}(z)`;
  const names = [h("i", {}, "z"), h("i", {}, "dy"), of("sigmoid"), slope, times, of("relu"), slope, times];
  return {
    by: "browser",
    title: say("title"),
    ask: say("ask"),
    content: headed(names, SLOPES.map(row)),
    why: [...SLOPES.map(working), say("why")],
  };
}
