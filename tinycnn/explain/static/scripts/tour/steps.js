// steps: what the tour shows, asks for and explains, from one number of the output to what learning is.

import { DATA, values } from "../base/data.js";
import { outputSize } from "../model/conv.js";
import { currentConv } from "../model/convolutions.js";
import { twin } from "../model/twin.js";

const TOY = { src: "toy", s: 1, p: 1, d: 1, flip: 0, o: 0, edits: "" };

/**
 * The steps that this page can show.  Each has the tab and the state that it begins with, what is lit (a selector), a
 * title and a text; then either a task with `done(state)`, or a question with its answers; and at last the reason.
 */
export function tourSteps() {
  return [
    ...slideSteps(),
    ...filterSteps(),
    ...sizeSteps(),
    ...columnSteps(),
    ...networkSteps(),
    ...backwardSteps(),
    ...kernelSteps(),
    ...endSteps(),
  ].filter((step) => !step.when || step.when());
}

const right = (text) => ({ text, right: true });
const wrong = (text, reply) => ({ text, reply });
const at = (conv, { i, j }) => i * conv.OW + j;

function slideSteps() {
  return [
    {
      tab: "slide",
      state: { ...TOY, i: 2, j: 2 },
      light: ".slide .output .grid",
      title: "One number of the output",
      text: "An image with two channels, a filter, and the output that they make. The framed number was made from the framed window: multiply what lies on top of each other, add it all up, add the bias.",
      task: "Press another number of the output, or go there with the arrow keys.",
      done: ({ i, j }) => i !== 2 || j !== 2,
      because:
        "The window went along. Every number of the output has a window of its own, and says how well the filter fits there.",
    },
    {
      tab: "slide",
      state: { ...TOY, i: 2, j: 2 },
      light: ".slide .channel-rows",
      title: "A filter has a kernel for every channel",
      text: "The two rows are the two channels of the image. Each has a kernel of 3 × 3 weights of its own.",
      ask: "How many multiplications make one number of the output?",
      answers: [
        wrong("9", "That is one channel; there are two."),
        right("18"),
        wrong("72", "That is how many numbers the image has; a window sees only some of them."),
      ],
      because: "2 channels · 9 weights = 18 products. Their sum and the bias are written out under the figure.",
    },
  ];
}

function filterSteps() {
  return [
    {
      tab: "slide",
      state: { ...TOY, i: 0, j: 0 },
      light: ".slide .output .grid",
      title: "What a filter looks for",
      text: "Filter 0’s first kernel is negative on the left and positive on the right. So its sum is large where the image grows brighter towards the right.",
      task: "Find the largest number of the output, and press it.",
      done: (now) => {
        const map = currentConv().out.part(now.o);
        return map.at(now.i, now.j) === Math.max(...map.data);
      },
      because:
        "Dark on the left, bright on the right: a rising edge. The kernel is a question; the map shows where the answer is yes.",
    },
    {
      tab: "slide",
      state: { ...TOY, i: 2, j: 2 },
      light: ".slide .kernel .grid",
      title: "The same weights everywhere",
      text: "You may change the filter. Watch the whole output while you do.",
      task: "Press a weight of a kernel, then + or − below the figure.",
      done: ({ edits }) => /(^|,)w\./.test(edits),
      because:
        "Much of the output changed, not one number: the same 18 weights are used at every place. That is why a convolution needs so few.",
    },
  ];
}

function sizeSteps() {
  return [
    {
      tab: "size",
      state: { n: 7, k: 3, ss: 1, sp: 0, sd: 1 },
      light: ".sliders",
      title: "Padding",
      text: "A window of 3 fits into 7 pixels at five places, so the output is smaller than the image. A frame of zeros, the padding, makes room for more windows.",
      task: "Choose the padding with which as many numbers come out as go in.",
      done: ({ n, k, ss, sp, sd }) => sp > 0 && outputSize(n, k, ss, sp, sd) === n,
      because: "With one zero on each side the window’s middle can stand on every pixel: (k − 1) / 2 keeps the size.",
    },
    {
      tab: "size",
      state: { n: 7, k: 3, ss: 2, sp: 0, sd: 1 },
      light: ".sliders",
      title: "Stride, and what is lost",
      text: "With stride 2 the window takes two pixels at a time: three windows on 7 pixels, and every pixel is used.",
      task: "Give the image one pixel more.",
      done: ({ n }) => n === 8,
      because:
        "Still three: the last pixel is hatched, no window reaches it. The formula rounds down, and nothing warns you.",
    },
    {
      tab: "channels",
      state: { ...TOY, i: 2, j: 2 },
      light: ".sum-rows",
      title: "Maps add up",
      text: "Each channel convolved with its kernel gives a partial map. The output map is their sum and the bias.",
      task: "Choose the other filter.",
      done: ({ o }) => o === 1,
      because: "Another filter, other kernels, another map. A layer has as many output maps as filters: here two.",
    },
  ];
}

function columnSteps() {
  return [
    {
      tab: "im2col",
      state: { ...TOY, fill: 1, i: 0, j: 0, tap: -1, stored: 0 },
      light: ".product-scheme .labelled .grid",
      title: "Every window becomes a column",
      text: "Computers are best at products of matrices. im2col writes each window as a column; the filter’s weights are a row. Row times column is then one number of the output.",
      task: "Press → or Play until six columns are filled.",
      done: (now) => now.fill === 1 && at(currentConv(), now) >= 5,
      because:
        "Six windows, six columns, and below them six numbers of each output map. One product of matrices makes them all.",
    },
    {
      tab: "im2col",
      state: { ...TOY, fill: 0, i: 2, j: 2, tap: -1, stored: 0 },
      light: ".product-scheme .labelled .grid",
      title: "Every row is the image, shifted",
      text: "The same matrix, read the other way. Each row belongs to one weight: channel c, row u, column v of the kernel.",
      task: "Press a row of the columns, or go there with the arrow keys up and down.",
      done: ({ tap }) => tap >= 0,
      because:
        "The lit row is what this weight meets while the window slides: the image, shifted. im2col is made of such shifted copies.",
    },
  ];
}

function networkSteps() {
  const last = DATA.model.layers.filter((layer) => layer.kind === "conv2d").at(-1)?.label;
  return [
    {
      tab: "network",
      tabs: ["network", "slide"],
      when: () => Boolean(last),
      state: { img: 0, unit: "", scope: "layer" },
      light: ".network, .slide",
      title: "A whole network",
      text: `Convolutions, activations, pooling, dense layers: this network tells garments apart. Every small picture is a map, every cell of it one number. The frame at the side is all that the chosen number of ${last} can see of the image, its receptive field; the gradient below it shows which pixels it cares about.`,
      task: `Choose another number of ${last}, open “How is it made?”, and let Slide show it.`,
      done: ({ tab, src }) => tab === "slide" && src === last,
      because:
        "The same picture as at the beginning: windows, kernels, one sum. Only the kernels were learnt, and there is one for each of the channels below.",
    },
  ];
}

function backwardSteps() {
  const sample = DATA.samples[0];
  const p = twin.softmax(values(sample.layers[DATA.model.layers.at(-1).label].out));
  const others = p.map((v, k) => [v, k]).filter(([, k]) => k !== sample.label);
  const rival = others.sort(([a], [b]) => b - a)[0][1];
  return [
    {
      tab: "backward",
      state: { part: 1, img: 0 },
      light: ".bars",
      title: "What is wrong, as numbers",
      text: `The truth is ${DATA.classes[sample.label]}. The left bars are the network’s probabilities p; the right ones p − y, the gradient of its last numbers, the logits.`,
      ask: "A step goes against the gradient. Which logit does it raise?",
      answers: [
        right(DATA.classes[sample.label]),
        wrong(DATA.classes[rival], "Its p − y is positive, so going against it lowers this logit."),
      ],
      because:
        "Only the right class has a negative p − y: it is raised, all others are lowered, each by as much as it was wrong.",
    },
  ];
}

function kernelSteps() {
  return [
    {
      tab: "backward",
      state: { ...TOY, part: 3, i: 5, j: 3, c: 0 },
      light: ".backward-sums",
      title: "Into the kernel",
      text: "How should a weight change? It was used in every window, so every window has a say: its pixels, times the gradient of the number that it made.",
      task: "Go on with → until the last window is added.",
      done: (now) => at(currentConv(), now) === currentConv().L - 1,
      because: "before + this window = after, 36 times; the sum is the engine’s own dw.",
    },
    {
      tab: "backward",
      state: { ...TOY, part: 4, i: 5, j: 5, c: 0 },
      light: ".backward-sums",
      title: "Back to the pixels",
      text: "The layer before wants to know the same of its pixels. Each window hands back weights times gradient, and col2im adds them to the pixels that lay under it.",
      ask: "How many such shares does a pixel in the middle get?",
      answers: [
        wrong("1", "One per window that covers it, and windows overlap."),
        right("9"),
        wrong("36", "That is the number of windows; not all of them reach it."),
      ],
      because:
        "It was copied into nine columns, so nine shares come back and add up. That makes col2im the adjoint of im2col, not its inverse.",
    },
  ];
}

function endSteps() {
  return [
    {
      tab: "training",
      when: () => Boolean(DATA.training.snapshots),
      state: { view: DATA.training.history ? 2 : 1, step: -1 },
      light: ".kernels",
      title: "Why does it learn?",
      text: "The kernels of the first layer, as they are after training. At each step every weight moved a little against its gradient.",
      task: "Move the slider back to epoch 0.",
      done: ({ step }) => step === 0,
      because:
        "Noise, at first. Press Play: thousands of small steps, each a little less wrong, made edges and areas of it. Nobody told the kernels what to look for.",
    },
    {
      tab: "edit",
      when: () => !twin.unknownLayer(),
      state: { pic: 0, moves: "" },
      light: ".easel-side",
      title: "What it has learnt, and what not",
      text: "Change the garment and see what the network makes of it. The maps of the first convolution are below the probabilities.",
      task: "Shift the garment with the arrows.",
      done: ({ moves }) => /(^|,)[xy]/.test(moves),
      because:
        "The maps moved along, the same numbers elsewhere; the probabilities changed as they liked. Now paint, turn, invert: the tour ends here, and all tabs are yours.",
    },
  ];
}
