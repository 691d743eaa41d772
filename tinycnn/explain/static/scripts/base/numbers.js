// numbers: as text for people, and within bounds.

/** v, or the nearest number from least to most. */
export function clamp(v, least, most) {
  return Math.min(Math.max(v, least), most);
}

export function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}

/** All digits of a float32: the shortest decimal that is no other float32 (or no other double, for doubles). */
export function exact(v) {
  if (!Number.isFinite(v) || Number.isInteger(v)) return String(v);
  if (Math.fround(v) !== v) return String(v);
  for (let digits = 1; digits <= 9; digits++) {
    const text = v.toPrecision(digits);
    if (Math.fround(Number(text)) === v) return String(Number(text));
  }
  return String(v);
}

/** A number for people: integers as they are, others rounded, with a real minus sign. */
export function round(v, decimals = 2) {
  if (!Number.isFinite(v)) return String(v);
  let text = Number.isInteger(v) && Math.abs(v) < 1e6 ? String(v) : v.toFixed(decimals);
  if (Number(text) === 0) text = "0";
  return text.replace("-", "−");
}

/** A number of unknown size: three significant digits. */
export function brief(v) {
  if (Number.isInteger(v) && Math.abs(v) < 1e5) return minus(String(v));
  const size = Math.abs(v);
  return minus(size >= 1e5 || size < 1e-3 ? v.toExponential(1) : String(Number(v.toPrecision(3))));
}

export function minus(text) {
  return text.replace(/-/g, "−");
}

export function exactly(v) {
  return minus(exact(v));
}

/** The number that an arrow key stands for, as [rows, columns]; null for other keys, or with a modifier. */
export function arrow(event) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  return step && !event.altKey && !event.ctrlKey && !event.metaKey ? step : null;
}
