// question: what a tab asks before it shows.

import { h } from "../base/dom.js";
import { set } from "../base/state.js";
import { button } from "./controls.js";

/**
 * The question of a tab and its possible answers: [[text, right?]]; `reveal` is shown once one is chosen, or asked for.
 */
export function lead(number, question, answers, reveal) {
  const buttons = answers.map(([text], index) =>
    button(text, () => set({ guess: String(index) }), { class: "answer" }),
  );
  const give = button("show me", () => set({ guess: "x" }), { class: "quiet skip" });
  const told = h("div", { class: "reveal", "aria-live": "polite" });
  const root = h(
    "div",
    { class: "lead" },
    h("p", { class: "number", "aria-hidden": "true" }, String(number)),
    h(
      "div",
      {},
      h("h2", { class: "question" }, question),
      h("div", { class: "predict", role: "group", "aria-label": "Your prediction" }, buttons, give),
      told,
    ),
  );
  root.show = (guess) => {
    const open = guess !== "";
    buttons.forEach((b, index) => {
      const right = answers[index][1];
      b.classList.toggle("right", open && right);
      b.classList.toggle("wrong", open && !right && guess === String(index));
      b.setAttribute("aria-pressed", guess === String(index));
    });
    give.hidden = open;
    root.classList.toggle("open", open);
    const verdict = answers[Number(guess)] && (answers[Number(guess)][1] ? "Yes. " : "Not quite. ");
    if (open && !told.childNodes.length) told.append(h("p", {}, h("strong", {}, ""), ...[reveal()].flat()));
    if (!open) told.replaceChildren();
    else told.querySelector("strong").textContent = verdict || "";
  };
  return root;
}
