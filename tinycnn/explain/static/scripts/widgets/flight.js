// flight: moving numbers across the page.

import { calm, h } from "../base/dom.js";

/** Let copies of numbers fly from where they are to where they go: [[text, fromRect, toRect, class]]. */
export function fly(flights) {
  if (calm.matches) return;
  flights.forEach(([text, from, to, kind], index) => {
    const ghost = h("span", { class: `ghost ${kind}`, "aria-hidden": "true", style: placeOf(from) }, text);
    document.body.append(ghost);
    const shift = `translate(${to.left - from.left}px, ${to.top - from.top}px)`;
    const scale = `scale(${to.width / from.width}, ${to.height / from.height})`;
    const steps = [
      { transform: "none", opacity: 1 },
      { transform: `${shift} ${scale}`, opacity: 0.5 },
    ];
    const timing = { duration: 420, delay: index * 9, easing: "cubic-bezier(.4,0,.2,1)", fill: "backwards" };
    const remove = () => ghost.remove();
    ghost.animate(steps, timing).finished.then(remove, remove);
  });
}

function placeOf(from) {
  return {
    left: `${from.left + window.scrollX}px`,
    top: `${from.top + window.scrollY}px`,
    width: `${from.width}px`,
    height: `${from.height}px`,
    "font-size": `${Math.min(from.height, 40) * 0.42}px`,
  };
}
