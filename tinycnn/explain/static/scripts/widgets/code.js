// code: the engine's own lines.

import { DATA } from "../base/data.js";
import { h, span } from "../base/dom.js";
import { words } from "../base/words.js";
import { button } from "./controls.js";

const AROUND = 2; // lines shown before and after one that is lit, while the rest of the function is folded away

/** The engine's own lines; lit(["product"]) lights those that are at work.  Long functions are folded around them. */
export function code(name, note, whole = false) {
  const source = DATA.sources[name];
  const lines = linesOf(source.text);
  const open = () => {
    whole = true;
    show();
  };
  const unfold = button(words("code.whole"), open, { class: "quiet unfold" });
  const root = h(
    "figure",
    { class: "code" },
    h("figcaption", {}, span("file", `${source.file}:${source.line}`), note && span("why", note), unfold),
    h("pre", { tabindex: 0, "aria-label": words("code.source", { file: source.file }) }, h("code", {}, lines)),
  );
  let at = [];
  const show = () => {
    const folded = !whole && lines.length > 12 && at.length > 0;
    unfold.hidden = !folded;
    lines.forEach((line, index) => {
      line.hidden = folded && index > 0 && !at.some((k) => Math.abs(k - index) <= AROUND);
      line.classList.toggle("lit", at.includes(index));
      line.classList.toggle("after-gap", folded && index > 0 && Boolean(lines[index - 1].hidden) && !line.hidden);
    });
  };
  root.lit = (marks) => {
    at = marks.flatMap((mark) => source.marks[mark] ?? []);
    show();
  };
  show();
  return root;
}

/** One element per line; docstrings and comments are dim. */
function linesOf(text) {
  let quoted = false;
  return text.split("\n").map((line) => {
    const quotes = line.split('"""').length - 1;
    const dim = quoted || quotes > 0;
    if (quotes % 2) quoted = !quoted;
    const hash = dim ? -1 : line.search(/(^|\s)#\s/);
    const [command, comment] = hash < 0 ? [line, ""] : [line.slice(0, hash), line.slice(hash)];
    return span(dim ? "line dim" : "line", command, comment && span("dim", comment), "\n");
  });
}
