// questions: what each tab asks, with a reply to every wrong answer and the view that shows the right one.

import { DATA } from "../base/data.js";
import { brief } from "../base/numbers.js";
import { DEFAULTS } from "../base/state.js";
import { toyConv } from "../model/convolutions.js";
import { no, question, TOY, yes } from "./answers.js";

export function slideQuestions() {
  const middle = { ...TOY, i: 2, j: 2 };
  return [
    question("slide.questions.products", { go: middle }),
    question("slide.questions.pixel", { go: middle }),
    question("slide.questions.flat", { go: { ...TOY, o: 0, i: 0, j: 5 } }),
  ];
}

export function im2colQuestions() {
  const conv = toyConv({ ...DEFAULTS });
  const [before, after] = [conv.x.data.length, conv.K * conv.L];
  const [all, middle] = [
    { ...TOY, fill: 0, tap: -1, i: 2, j: 2 },
    { ...TOY, fill: 0, i: 2, j: 2, tap: 4 },
  ];
  return [
    {
      ask: `im2col copies every 3 × 3 window of a picture of ${before} numbers into a column of its own. How many numbers is that?`,
      answers: [
        no(String(before), "That is the picture itself; but windows share pixels, and each window gets a copy.", all),
        no(String(before * 2), "Twice would do if every pixel lay in two windows; in the middle it lies in nine.", all),
        yes(String(after), all),
      ],
      because: `${conv.K} rows, one for each weight of a filter, times ${conv.L} columns, one for each window: ${after} numbers, ${brief(after / before)} times as many. Memory is the price; one matrix product, which computers are best at, is what it buys.`,
    },
    {
      ask: "Where in the matrix of columns does a pixel from the middle of the picture stand?",
      answers: [
        no("in one column", "A column is one window, and the pixel lies under nine of them.", middle),
        no("nine times in one row", "A row belongs to one weight, which meets each pixel only once.", middle),
        yes("in nine columns, each time in another row", middle),
      ],
      because:
        "In each of its nine windows it lies under another weight. One row is lit: it is the image, shifted, as one weight sees it.",
    },
    {
      ask: `The weights are ${conv.O} × ${conv.K}, the columns ${conv.K} × ${conv.L}. What comes out of the product?`,
      answers: [
        yes(`${conv.O} × ${conv.L}`, all),
        no(`${conv.K} × ${conv.K}`, `The inner ${conv.K} is what is summed over; it does not come out.`, all),
        no(`${conv.L} × ${conv.O}`, "The rows come from the left factor: one per filter.", all),
      ],
      because: `One row per filter, one column per window: the ${conv.O} output maps, each laid out as a row of ${conv.L} numbers.`,
    },
  ];
}

export function sizeQuestions() {
  const [eight, same, wide] = [
    { n: 8, k: 3, ss: 2, sp: 0, sd: 1 },
    { n: 9, k: 5, ss: 1, sp: 2, sd: 1 },
    { n: 9, k: 3, ss: 1, sp: 0, sd: 2 },
  ];
  return [
    {
      ask: "7 pixels, a kernel of 3, stride 2: three outputs. With 8 pixels instead, how many?",
      answers: [
        yes("3, as with 7", eight),
        no("3½", "Half a window is no window: what hangs over the edge is not computed.", eight),
        no("4", "The fourth would begin at pixel 6 and need pixel 8, which is not there.", eight),
      ],
      because:
        "The last pixel is left over: no window reaches it, and the floor in the formula drops it. Nothing warns you.",
    },
    {
      ask: "A kernel of 5 with stride 1. How much padding keeps the size?",
      answers: [
        no("1", "With 1 there are two outputs fewer than pixels: try it.", { ...same, sp: 1 }),
        yes("2", same),
        no("4", "4 is what is needed in all; padding counts each side.", { ...same, sp: 3 }),
      ],
      because: "(k − 1) / 2 on each side: the window’s middle can then stand on every pixel.",
    },
    {
      ask: "Dilation 2 puts gaps into a kernel of 3. How many pixels does its window span?",
      answers: [
        no("3", "It still has three weights, but with a gap after each of the first two.", wide),
        yes("5", wide),
        no("6", "2 · 3 counts a gap after the last weight, where none is needed.", wide),
      ],
      because: "d · (k − 1) + 1 = 2 · 2 + 1 = 5: a wider view for the same three weights.",
    },
  ];
}

export function channelsQuestions() {
  const wide = DATA.model?.layers.filter((layer) => layer.kind === "conv2d").at(-1);
  const [C, O, k] = wide ? [wide.shape_in[0], wide.shape_out[0], wide.options.kernel_size] : [2, 2, [3, 3]];
  const each = C / (wide ? wide.options.groups : 1);
  const go = wide ? { src: wide.label, o: 0 } : TOY;
  return [
    {
      ask: `A convolution turns ${C} maps into ${O}. How many ${k.join(" × ")} kernels does it hold?`,
      answers: [
        ...(each * O === O
          ? []
          : [no(String(O), "That is how many filters there are; each has a kernel for every input map.", go)]),
        no(String(C + O), "They do not add: every filter needs a kernel for every input map.", go),
        yes(String(each * O), go),
      ],
      because: `One for every pair of an output and an input map: ${O} · ${each} = ${each * O}. Each output map is the sum of ${each} partial ${each === 1 ? "map" : "maps"} and a bias; that sum is what you see below.`,
    },
    {
      ask: "How many biases does it need?",
      answers: [
        no(String(each * O), "One per kernel would be summed anyway: a single number does the same.", go),
        yes(String(O), go),
        no("1", "Then all output maps would be raised together; each filter has its own.", go),
      ],
      because: "One for each filter. It is added once, after the partial maps are summed.",
    },
    {
      ask: "All pixels of one input channel become 0. What happens to an output map?",
      answers: [
        no("it becomes 0", "The other channels’ partial maps are still in the sum.", go),
        yes("one of its partial maps becomes 0", go),
        no("nothing", "The channel’s partial map was part of the sum, and is gone.", go),
      ],
      because: "An output map is a sum over the channels; one of its terms vanishes, the others and the bias stay.",
    },
  ];
}
