// verdict: what the self-check found: the badge in the header, the dialog behind it, a bar across the page.

import { div, h, span } from "../base/dom.js";
import { brief } from "../base/numbers.js";
import { words } from "../base/words.js";
import { button } from "./controls.js";
import { table, tableRow } from "./labels.js";

/** The badge in the header, the dialog behind it, and a bar across the page if anything is off. */
export function showSelfcheck(checks) {
  const { selfcheck: verdict, maxdiff } = document.documentElement.dataset;
  const badge = document.getElementById("badge");
  badge.className = `badge ${verdict}`;
  badge.textContent = words(verdict === "pass" ? "check.passed" : "check.failed");
  badge.title = words("check.largest", { difference: brief(Number(maxdiff)) });
  if (verdict === "fail") document.body.prepend(h("p", { class: "alarm", role: "alert" }, words("check.alarm")));
  const dialog = document.getElementById("checks");
  const close = button(words("page.close"), () => dialog.close(), { class: "quiet" });
  const title = words(verdict === "pass" ? "check.agrees" : "check.disagrees");
  dialog.replaceChildren(
    div("dialog-head", h("h2", {}, title), close),
    h("p", {}, words("check.what")),
    div(
      "scroll",
      table([words("check.recomputed"), words("check.difference"), words("check.allowed")], 1, checks.map(checkRow), {
        kind: "checks",
      }),
    ),
  );
  dialog.onclick = (event) => event.target === dialog && dialog.close(); // a click beside it
  badge.onclick = () => dialog.showModal();
}

function checkRow({ ok, name, difference, tolerance }) {
  const numbers = [Number.isFinite(difference) ? brief(difference) : "—", brief(tolerance)];
  return tableRow([span("mark-of", ok ? "✓ " : "✗ "), name], null, numbers, ok ? "" : "bad");
}
