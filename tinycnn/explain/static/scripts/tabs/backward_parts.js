// backward_parts: what the five parts of the tab share.

import { h } from "../base/dom.js";

export function section(number, title, text, ...content) {
  return h(
    "section",
    { class: "step" },
    h("h3", {}, h("span", { class: "step-number" }, number), title),
    h("p", { class: "prose" }, text),
    content,
  );
}
