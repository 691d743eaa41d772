// questions: what each tab asks, with a reply to every wrong answer and the view that shows the right one.

import { DATA } from "../base/data.js";
import { brief } from "../base/numbers.js";
import { DEFAULTS } from "../base/state.js";
import { toyConv } from "../model/convolutions.js";
import { question, TOY } from "./answers.js";

export function slideQuestions() {
  const middle = { ...TOY, i: 2, j: 2 };
  return [
    question("slide.questions.products", { go: middle }),
    question("slide.questions.pixel", { go: middle }),
    question("slide.questions.flat", { go: { ...TOY, o: 0, i: 0, j: 5 } }),
  ];
}

export function im2colQuestions() {
  const { x, O, K, L } = toyConv({ ...DEFAULTS });
  const [before, after] = [x.data.length, K * L];
  const all = { ...TOY, fill: 0, tap: -1, i: 2, j: 2 };
  const sizes = { before, after, twice: before * 2, times: brief(after / before), O, K, L };
  return [
    question("im2col.questions.copies", { go: all, ...sizes }),
    question("im2col.questions.where", { go: { ...all, tap: 4 } }),
    question("im2col.questions.product", { go: all, ...sizes }),
  ];
}

export function sizeQuestions() {
  const same = { n: 9, k: 5, ss: 1, sp: 2, sd: 1 };
  return [
    question("size.questions.eight", { go: { n: 8, k: 3, ss: 2, sp: 0, sd: 1 } }),
    question("size.questions.same", { go: [{ ...same, sp: 1 }, same, { ...same, sp: 3 }] }),
    question("size.questions.wide", { go: { n: 9, k: 3, ss: 1, sp: 0, sd: 2 } }),
  ];
}

export function channelsQuestions() {
  const wide = DATA.model?.layers.filter((layer) => layer.kind === "conv2d").at(-1);
  const [C, O, k] = wide ? [wide.shape_in[0], wide.shape_out[0], wide.options.kernel_size] : [2, 2, [3, 3]];
  const each = C / (wide ? wide.options.groups : 1);
  const go = wide ? { src: wide.label, o: 0 } : TOY;
  const sizes = { C, O, k: k.join(" × "), plus: C + O, all: each * O, n: each };
  return [
    question("channels.questions.kernels", { go, without: each === 1 ? [0] : [], ...sizes }),
    question("channels.questions.biases", { go, ...sizes }),
    question("channels.questions.zero", { go }),
  ];
}
