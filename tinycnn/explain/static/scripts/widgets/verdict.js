// verdict: what the self-check found: the badge in the header, the dialog behind it, a bar across the page.

import { div, h, span } from "../base/dom.js";
import { brief } from "../base/numbers.js";
import { button } from "./controls.js";
import { table, tableRow } from "./labels.js";

const ALARM =
  "The browser’s arithmetic does not reproduce the engine’s numbers on this page. Do not trust what is labelled “browser”. See the self-check.";
const WHAT =
  "When this page opened, the browser recomputed what it will compute for you later and compared it with the arrays that the engine exported. Differences are relative to the largest number of each array; the browser adds in float64, the engine in float32.";

/** The badge in the header, the dialog behind it, and a bar across the page if anything is off. */
export function showSelfcheck(checks) {
  const { selfcheck: verdict, maxdiff } = document.documentElement.dataset;
  const badge = document.getElementById("badge");
  badge.className = `badge ${verdict}`;
  badge.textContent = verdict === "pass" ? "self-check passed" : "self-check failed";
  badge.title = `largest relative difference ${brief(Number(maxdiff))}`;
  if (verdict === "fail") document.body.prepend(h("p", { class: "alarm", role: "alert" }, ALARM));
  const dialog = document.getElementById("checks");
  const close = button("Close", () => dialog.close(), { class: "quiet" });
  const title = verdict === "pass" ? "The browser agrees with the engine" : "The browser disagrees with the engine";
  dialog.replaceChildren(
    div("dialog-head", h("h2", {}, title), close),
    h("p", {}, WHAT),
    div("scroll", table(["recomputed", "difference", "allowed"], 1, checks.map(checkRow), { kind: "checks" })),
  );
  dialog.onclick = (event) => event.target === dialog && dialog.close(); // a click beside it
  badge.onclick = () => dialog.showModal();
}

function checkRow({ ok, name, difference, tolerance }) {
  const numbers = [Number.isFinite(difference) ? brief(difference) : "—", brief(tolerance)];
  return tableRow([span("mark-of", ok ? "✓ " : "✗ "), name], null, numbers, ok ? "" : "bad");
}
