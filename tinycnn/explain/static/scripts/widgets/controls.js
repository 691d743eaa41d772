// controls: buttons, choices, sliders, switches.

import { div, h } from "../base/dom.js";
import { arrow } from "../base/numbers.js";

export function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** A box to tick, with its name; show(on) ticks it. */
export function checkbox(text, onchange) {
  const input = h("input", { type: "checkbox", onchange: () => onchange(input.checked) });
  const root = h("label", { class: "control switch" }, input, h("span", {}, text));
  root.input = input;
  root.show = (on) => {
    input.checked = Boolean(on);
  };
  return root;
}

/** A row of choices [[value, text]], one of which holds: arrow keys and clicks move it. */
export function choice(label, options, onpick) {
  const buttons = options.map(([value, text]) =>
    button(text, () => onpick(value), { role: "radio", "aria-checked": "false", data: { value } }),
  );
  const group = {
    class: "choice",
    role: "radiogroup",
    "aria-label": label,
    onkeydown: (event) => step(event, buttons),
  };
  const control = div("control", h("span", { class: "name", "aria-hidden": "true" }, label), h("div", group, buttons));
  control.show = (value) => {
    for (const one of buttons) {
      const chosen = one.dataset.value === String(value);
      one.setAttribute("aria-checked", chosen);
      one.tabIndex = chosen ? 0 : -1;
    }
    if (!buttons.some((one) => one.tabIndex === 0)) buttons[0].tabIndex = 0;
  };
  if (buttons.length) control.show(null);
  return control;
}

/** An arrow key in a row of choices takes the next one. */
function step(event, buttons) {
  const by = arrow(event);
  if (!by) return;
  event.preventDefault();
  const usable = buttons.filter((one) => !one.disabled);
  const next = usable[(usable.indexOf(document.activeElement) + by[0] + by[1] + usable.length) % usable.length];
  next.focus();
  next.click();
}

/** A slider with its name and value. */
export function slider(label, least, most, oninput) {
  const value = h("output", {});
  const input = h("input", {
    type: "range",
    min: least,
    max: most,
    step: 1,
    oninput: () => oninput(Number(input.value)),
  });
  const root = h("label", { class: "control slider" }, h("span", { class: "name" }, label), input, value);
  root.show = (v) => {
    input.value = v;
    value.textContent = v;
  };
  root.limit = (max) => {
    input.max = max;
  };
  root.input = input;
  return root;
}
