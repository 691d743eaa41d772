// dom: making elements, and moving numbers across the page.

/** An element: h("p", {class: "note", onclick: f, data: {id: 3}}, "text", child, [more]). */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Let copies of numbers fly from where they are to where they go: [[text, fromRect, toRect, class]]. */
function fly(flights) {
  if (calm.matches) return;
  flights.forEach(([text, from, to, kind], index) => {
    const size = Math.min(from.height, 40);
    const ghost = h(
      "span",
      {
        class: `ghost ${kind}`,
        "aria-hidden": "true",
        style: {
          left: `${from.left + window.scrollX}px`,
          top: `${from.top + window.scrollY}px`,
          width: `${from.width}px`,
          height: `${from.height}px`,
          "font-size": `${size * 0.42}px`,
        },
      },
      text,
    );
    document.body.append(ghost);
    const [dx, dy] = [to.left - from.left, to.top - from.top];
    const scale = `scale(${to.width / from.width}, ${to.height / from.height})`;
    ghost
      .animate(
        [
          { transform: "none", opacity: 1 },
          { transform: `translate(${dx}px, ${dy}px) ${scale}`, opacity: 0.5 },
        ],
        { duration: 420, delay: index * 9, easing: "cubic-bezier(.4,0,.2,1)", fill: "backwards" },
      )
      .finished.then(
        () => ghost.remove(),
        () => ghost.remove(),
      );
  });
}

/** A row of choices, one of which holds: arrow keys and clicks move it. */
function choice(label, options, onpick) {
  const buttons = options.map(([value, text]) =>
    h(
      "button",
      {
        type: "button",
        role: "radio",
        "aria-checked": "false",
        data: { value },
        onclick: () => onpick(value),
      },
      text,
    ),
  );
  const root = h(
    "div",
    {
      class: "choice",
      role: "radiogroup",
      "aria-label": label,
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const usable = buttons.filter((button) => !button.disabled);
        const next = usable[(usable.indexOf(document.activeElement) + step + usable.length) % usable.length];
        next.focus();
        next.click();
      },
    },
    buttons,
  );
  root.show = (value) => {
    for (const button of buttons) {
      const chosen = button.dataset.value === String(value);
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    if (!buttons.some((button) => button.tabIndex === 0)) buttons[0].tabIndex = 0;
  };
  root.show(null);
  const control = h("div", { class: "control" }, h("span", { class: "name", "aria-hidden": "true" }, label), root);
  control.show = root.show;
  control.buttons = buttons;
  return control;
}

/** A slider with its name and value. */
function slider(label, least, most, oninput) {
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

/** Put these children, the missing ones left out, in the place of all others. */
function replace(element, ...children) {
  element.replaceChildren(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false && child !== ""),
  );
}

function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** Who computed what is shown here. */
function origin(who) {
  return h("span", { class: `origin ${who}` }, who === "engine" ? "engine" : "browser’s arithmetic");
}
