// dom: making elements.

/** An element: h("p", {class: "note", onclick: f, data: {id: 3}}, "text", child, [more]). */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** The two most common elements, with their class. */
export function div(kind, ...children) {
  return h("div", { class: kind }, ...children);
}

export function span(kind, ...children) {
  return h("span", { class: kind }, ...children);
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

/** Put these children, the missing ones left out, in the place of all others. */
export function replace(element, ...children) {
  element.replaceChildren(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false && child !== ""),
  );
}

/** What the reader's system asks for: as little motion as possible. */
export const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
