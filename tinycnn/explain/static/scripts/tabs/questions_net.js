// questions_net: what the tabs ask that show a whole network: Network, Backward, Training, Edit.

import { DATA } from "../base/data.js";
import { brief, sum } from "../base/numbers.js";
import { question, TOY } from "./answers.js";

export function networkQuestions() {
  const seen = DATA.model.layers.filter((layer) => layer.field).at(-1);
  const weights = (kind) =>
    sum(DATA.model.layers.filter((layer) => layer.kind === kind).map((layer) => layer.parameters));
  const [dense, all] = [weights("linear"), weights("linear") + weights("conv2d")];
  return [
    seen ? fieldQuestion(seen) : question("network.questions.linear"),
    question("network.questions.outside"),
    question("network.questions.weights", { right: dense * 2 < all ? 0 : 1, share: brief((100 * dense) / all) }),
  ];
}

function fieldQuestion(seen) {
  const [size] = seen.field.size;
  const [kernel] = seen.options.kernel_size ?? [1];
  const image = DATA.model.layers[0].shape_in.at(-1);
  const middle = seen.shape_out.slice(1).map((n) => Math.floor(n / 2));
  return question("network.questions.field", {
    go: { unit: `${seen.label}:0.${middle.join(".")}` },
    right: size >= image ? [1, 2] : 1,
    without: kernel === size ? [0] : [],
    ...{ layer: seen.label, image, kernel, size },
  });
}

export function backwardQuestions() {
  return [
    question("backward.questions.adjoint", { go: { part: 5 } }),
    question("backward.questions.logit", { go: { part: 1 } }),
    question("backward.questions.sum", { go: { part: 3, ...TOY, i: 5, j: 5 } }),
  ];
}

export function trainingQuestions() {
  const classes = DATA.classes.length;
  return [
    question("training.questions.start", { classes, start: Math.log(classes).toFixed(3) }),
    question("training.questions.overfit"),
    question("training.questions.confused"),
  ];
}

export function editQuestions() {
  return [
    question("edit.questions.shift", { go: { moves: "x2" } }),
    question("edit.questions.turn", { go: { moves: "r90" } }),
    question("edit.questions.scribble"),
  ];
}
