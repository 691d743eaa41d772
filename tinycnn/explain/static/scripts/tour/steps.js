// steps: what the tour shows, asks for and explains, from one number of the output to what learning is.

import { DATA, values } from "../base/data.js";
import { entry, filled, words } from "../base/words.js";
import { outputSize } from "../model/conv.js";
import { currentConv } from "../model/convolutions.js";
import { className } from "../model/samples.js";
import { LAB } from "../model/small_net.js";
import { twin } from "../model/twin.js";
import { question } from "../tabs/answers.js";

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

/** A step with the words that the table has for it. */
function stepOf(name, facts, parts = {}) {
  const key = `tour.steps.${name}`;
  const { title, text, task, because, ask } = entry(key);
  const act = ask ? question(key, parts) : { task: filled(task, parts), because: filled(because, parts) };
  return { title: filled(title, parts), text: filled(text, parts), ...act, ...facts };
}

const at = (conv, { i, j }) => i * conv.OW + j;

function slideSteps() {
  return [
    stepOf("number", {
      tab: "slide",
      state: { ...TOY, i: 2, j: 2 },
      light: ".slide .output .grid",
      done: ({ i, j }) => i !== 2 || j !== 2,
    }),
    stepOf("channels", { tab: "slide", state: { ...TOY, i: 2, j: 2 }, light: ".slide .channel-rows" }),
  ];
}

function filterSteps() {
  return [
    stepOf("looks_for", {
      tab: "slide",
      state: { ...TOY, i: 0, j: 0 },
      light: ".slide .output .grid",
      done: (now) => {
        const map = currentConv().out.part(now.o);
        return map.at(now.i, now.j) === Math.max(...map.data);
      },
    }),
    stepOf("same_weights", {
      tab: "slide",
      state: { ...TOY, i: 2, j: 2 },
      light: ".slide .kernel .grid",
      done: ({ edits }) => /(^|,)w\./.test(edits),
    }),
  ];
}

function sizeSteps() {
  return [
    stepOf("padding", {
      tab: "size",
      state: { n: 7, k: 3, ss: 1, sp: 0, sd: 1 },
      light: ".sliders",
      done: ({ n, k, ss, sp, sd }) => sp > 0 && outputSize(n, k, ss, sp, sd) === n,
    }),
    stepOf("stride", {
      tab: "size",
      state: { n: 7, k: 3, ss: 2, sp: 0, sd: 1 },
      light: ".sliders",
      done: ({ n }) => n === 8,
    }),
    stepOf("maps", { tab: "channels", state: { ...TOY, i: 2, j: 2 }, light: ".sum-rows", done: ({ o }) => o === 1 }),
  ];
}

function columnSteps() {
  return [
    stepOf("columns", {
      tab: "im2col",
      state: { ...TOY, fill: 1, i: 0, j: 0, tap: -1, stored: 0 },
      light: ".product-scheme .labelled .grid",
      done: (now) => now.fill === 1 && at(currentConv(), now) >= 5,
    }),
    stepOf("rows", {
      tab: "im2col",
      state: { ...TOY, fill: 0, i: 2, j: 2, tap: -1, stored: 0 },
      light: ".product-scheme .labelled .grid",
      done: ({ tap }) => tap >= 0,
    }),
  ];
}

function networkSteps() {
  const last = DATA.model.layers.filter((layer) => layer.kind === "conv2d").at(-1)?.label;
  return [
    stepOf(
      "network",
      {
        tab: "network",
        tabs: ["network", "slide"],
        when: () => Boolean(last),
        state: { img: 0, unit: "", scope: "layer" },
        light: ".network, .slide",
        done: ({ tab, src }) => tab === "slide" && src === last,
      },
      { layer: last ?? "" },
    ),
  ];
}

function backwardSteps() {
  const sample = DATA.samples[0];
  const p = twin.softmax(values(sample.layers[DATA.model.layers.at(-1).label].out));
  const others = p.map((v, k) => [v, k]).filter(([, k]) => k !== sample.label);
  const rival = others.sort(([a], [b]) => b - a)[0][1];
  return [
    stepOf(
      "wrong",
      { tab: "backward", state: { part: 1, img: 0 }, light: ".bars" },
      { truth: className(sample.label), rival: className(rival) },
    ),
  ];
}

function kernelSteps() {
  return [
    stepOf("kernel", {
      tab: "backward",
      state: { ...TOY, part: 3, i: 5, j: 3, c: 0 },
      light: ".backward-sums",
      done: (now) => at(currentConv(), now) === currentConv().L - 1,
    }),
    stepOf("pixels", { tab: "backward", state: { ...TOY, part: 4, i: 5, j: 5, c: 0 }, light: ".backward-sums" }),
  ];
}

function endSteps() {
  return [
    stepOf("learning", {
      tab: "training",
      when: () => Boolean(DATA.training.snapshots),
      state: { view: DATA.training.history ? 2 : 1, step: -1 },
      light: ".kernels",
      done: ({ step }) => step === 0,
    }),
    stepOf(
      "plateau",
      {
        tab: "lab",
        when: () => Boolean(values(LAB.images)),
        state: { act: "sigmoid", init: "small", rate: "0.1", ran: 400 },
        light: '[data-experiment="relu"]',
        done: ({ act, ran }) => act === "relu" && ran > 0,
      },
      { relu: words("lab.experiments.relu") },
    ),
    stepOf("learnt", {
      tab: "edit",
      when: () => !twin.unknownLayer(),
      state: { pic: 0, moves: "" },
      light: ".easel-side",
      done: ({ moves }) => /(^|,)[xy]/.test(moves),
    }),
  ];
}
