// practice: questions with random numbers, small enough for the head: a size, an output, a gradient's entry, a pixel.

import { scale } from "../base/colour.js";
import { Values } from "../base/data.js";
import { div, h, replace } from "../base/dom.js";
import { round } from "../base/numbers.js";
import { words } from "../base/words.js";
import { Conv, outputSize } from "../model/conv.js";
import { scatter, weightGradient } from "../model/gradients.js";
import { twin } from "../model/twin.js";
import { button } from "../widgets/controls.js";
import { mapGrid, panel } from "../widgets/panel.js";

const OPTIONS = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
const KINDS = [sizeQuestion, outputQuestion, weightQuestion, pixelQuestion];

/** The dialog behind the button "Practice"; the score stays until the page is closed. */
export function practice() {
  const dialog = document.getElementById("practice");
  const [score, form] = [{ right: 0, asked: 0 }, practiceForm()];
  let [turn, question] = [0, null];
  const next = () => {
    question = KINDS[turn++ % KINDS.length]();
    replace(form.ask, question.text);
    replace(form.grids, question.grids ?? []);
    form.reset();
  };
  form.onanswer = (guess) => {
    const right = guess === question.answer;
    score.asked += 1;
    score.right += Number(right);
    const parts = { answer: round(question.answer), why: question.why, score: score.right, asked: score.asked };
    form.tell(words(right ? "practice.right" : "practice.wrong", parts), right);
  };
  const close = button(words("page.close"), () => dialog.close(), { class: "quiet" });
  const another = button(words("practice.another"), next, { class: "primary" });
  replace(
    dialog,
    div("dialog-head", h("h2", {}, words("practice.name")), close),
    form.ask,
    form.grids,
    form.root,
    form.told,
    another,
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.getElementById("practise").addEventListener("click", () => {
    if (!question) next();
    dialog.showModal();
    form.field.focus();
  });
}

/** The question's text and figures, the field for the answer, and what is said of it. */
function practiceForm() {
  const field = h("input", { type: "number", "aria-label": words("practice.field"), placeholder: "?" });
  const told = h("p", { class: "practice-told", role: "status" });
  const form = { field, told, ask: h("p", { class: "practice-ask" }), grids: div("practice-grids"), onanswer: null };
  const answer = (event) => {
    event.preventDefault();
    if (field.value === "" || field.readOnly) return;
    field.readOnly = true;
    form.onanswer(Number(field.value));
  };
  form.root = h("form", { class: "practice-form", onsubmit: answer }, field, h("button", {}, words("practice.answer")));
  form.reset = () => {
    field.value = "";
    field.readOnly = false;
    replace(told);
    field.focus();
  };
  form.tell = (text, right) => {
    told.textContent = text;
    told.classList.toggle("right", right);
  };
  return form;
}

/** A whole number from least to most. */
function pick(least, most) {
  return least + Math.floor(Math.random() * (most - least + 1));
}

function numbers(shape, least, most) {
  const size = shape.reduce((a, b) => a * b);
  return new Values(
    Float64Array.from({ length: size }, () => pick(least, most)),
    shape,
  );
}

/** A convolution of 3 x 3 pixels with 2 x 2 weights, with a gradient that comes back. */
function tinyConv() {
  const [x, w] = [numbers([1, 3, 3], 0, 4), numbers([1, 1, 2, 2], -2, 3)];
  const arrays = { x, w, b: null, out: twin.conv2d(x, w, null, OPTIONS), grad_out: numbers([1, 2, 2], -2, 2) };
  return new Conv("practice", OPTIONS, arrays, false);
}

function figure(title, map, role) {
  const text = (v) => round(v, 0);
  return panel(
    title,
    mapGrid(map, scale("signed", map.most), { role, cell: 44, text, name: words("practice.figure", { title }) }),
    role,
  );
}

/** "2·3 + 0·(−1)": products written out. */
export function products(pairs) {
  const one = (v) => (v < 0 ? `(${round(v, 0)})` : round(v, 0));
  return pairs.map(([a, b]) => `${one(a)}·${one(b)}`).join(" + ");
}

function sizeQuestion() {
  const [n, k, s, p] = [pick(6, 14), pick(2, 5), pick(1, 3), pick(0, 2)];
  const text = words("practice.ask.size", { n, k, s, p });
  return { text, answer: outputSize(n, k, s, p, 1), why: `⌊(${n} + 2·${p} − ${k}) / ${s}⌋ + 1` };
}

function outputQuestion() {
  const conv = tinyConv();
  const [i, j] = [pick(0, 1), pick(0, 1)];
  const pairs = conv.window(i, j).map(([u, v, r, q]) => [conv.pixel(0, r, q), conv.w.at(0, 0, u, v)]);
  return {
    text: words("practice.ask.output", { i, j }),
    grids: [
      figure(words("practice.figures.image"), conv.x.part(0), "input"),
      figure(words("practice.figures.kernel"), conv.w.part(0).part(0), "kernel"),
    ],
    answer: conv.out.at(0, i, j),
    why: products(pairs),
  };
}

function weightQuestion() {
  const conv = tinyConv();
  const [u, v] = [pick(0, 1), pick(0, 1)];
  const places = [0, 1, 2, 3].map((l) => conv.position(l));
  const pairs = places.map(([i, j]) => [conv.grad_out.at(0, i, j), conv.pixel(0, i + u, j + v)]);
  return {
    text: words("practice.ask.weight", { u, v }),
    grids: [
      figure(words("practice.figures.image"), conv.x.part(0), "input"),
      figure("dy", conv.grad_out.part(0), "gradient"),
    ],
    answer: weightGradient(conv)[u * 2 + v],
    why: products(pairs),
  };
}

function pixelQuestion() {
  const conv = tinyConv();
  const [r, q] = [pick(0, 2), pick(0, 2)];
  const pairs = conv.outputsOf(r, q).map(([i, j, u, v]) => [conv.grad_out.at(0, i, j), conv.w.at(0, 0, u, v)]);
  return {
    text: words("practice.ask.pixel", { r, q }),
    grids: [
      figure(words("practice.figures.kernel"), conv.w.part(0).part(0), "kernel"),
      figure("dy", conv.grad_out.part(0), "gradient"),
    ],
    answer: scatter(conv).at(0, r, q),
    why: products(pairs),
  };
}
