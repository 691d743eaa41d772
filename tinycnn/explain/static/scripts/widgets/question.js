// question: what a tab asks before it shows: three questions, a reply to each answer, and what the figure then shows.

import { div, h, replace } from "../base/dom.js";
import { set } from "../base/state.js";
import { words } from "../base/words.js";
import { button } from "./controls.js";

/**
 * The questions of a tab: [{ask, answers: [{text, right, reply, go}], because}].  A reply says what is wrong with an
 * answer; `because` follows every answer; `go` holds the changes of the state that show it.  What was answered stays
 * until the page is closed, and never gets into a link.
 */
export function lead(number, questions) {
  const given = questions.map(() => ""); // the place of the answer; "x" where it was only asked for
  let at = 0;
  const ask = h("h2", { class: "question" });
  const answers = h("div", { class: "predict", role: "group", "aria-label": words("question.prediction") });
  const told = h("div", { class: "reveal", "aria-live": "polite" });
  const turn = (k) => {
    at = k;
    show();
  };
  const turns = questions.map((_, k) =>
    button(String(k + 1), () => turn(k), { "aria-label": words("question.one", { k: k + 1 }) }),
  );
  const next = button(words("question.next"), () => turn(at + 1), { class: "quiet" });
  const answer = (text) => {
    given[at] = text;
    show();
    const { go } = questions[at].answers[Number(text)] ?? questions[at].answers.find((one) => one.right);
    if (go) set(go);
  };
  const show = () => {
    const [question, open] = [questions[at], given[at] !== ""];
    ask.textContent = question.ask;
    replace(answers, answerButtons(question, given[at], answer));
    replace(told, open && reply(question, given[at]), open && at + 1 < questions.length && next);
    root.classList.toggle("open", open);
    turns.forEach((one, k) => {
      one.setAttribute("aria-pressed", k === at);
      one.classList.toggle("done", given[k] !== "");
    });
  };
  const mark = h("p", { class: "number", "aria-hidden": "true" }, String(number));
  const which = h("div", { class: "which", role: "group", "aria-label": words("question.all") }, turns);
  const root = div("lead", mark, div("asked", ask, answers, told), which);
  root.show = (guess) => {
    if (guess !== "") given[at] = guess;
    show();
  };
  return root;
}

function answerButtons(question, given, answer) {
  const open = given !== "";
  const buttons = question.answers.map(({ text, right }, k) => {
    const chosen = given === String(k);
    const mark = !open ? "" : right ? " right" : chosen ? " wrong" : "";
    return button(text, () => answer(String(k)), { class: `answer${mark}`, "aria-pressed": chosen });
  });
  return [buttons, !open && button(words("question.show"), () => answer("x"), { class: "quiet skip" })];
}

function reply(question, given) {
  const chosen = question.answers[Number(given)];
  const verdict = !chosen ? "" : `${words(chosen.right ? "question.yes" : "question.no")} `;
  const why = chosen?.reply ? `${chosen.reply} ` : "";
  return h("p", {}, h("strong", {}, verdict), why, question.because);
}
