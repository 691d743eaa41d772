// data: the engine's arrays, decoded from base64, and numbers as text.

const DATA = JSON.parse(document.getElementById("trace").textContent);
const TYPES = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int32: Int32Array };

/** An array of the engine with its shape; the bytes are the engine's own, little-endian. */
class Values {
  constructor(data, shape) {
    this.data = data;
    this.shape = shape;
    this.strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  }

  at(...index) {
    let place = 0;
    for (let axis = 0; axis < index.length; axis++) place += index[axis] * this.strides[axis];
    return this.data[place];
  }

  /** The part at `index` along the first axis, sharing the numbers. */
  part(index) {
    const size = this.strides[0];
    return new Values(this.data.subarray(index * size, (index + 1) * size), this.shape.slice(1));
  }

  reshape(...shape) {
    return new Values(this.data, shape);
  }

  /** The largest magnitude, at least a little above 0. */
  get most() {
    let most = 1e-12;
    for (const v of this.data) if (Math.abs(v) > most) most = Math.abs(v);
    return most;
  }
}

const decoded = new Map();

/** The array of that id, decoded when first asked for; null for an array that was left out of the page. */
function values(id) {
  if (!(id in DATA.arrays)) return null;
  if (!decoded.has(id)) {
    const { dtype, shape, b64 } = DATA.arrays[id];
    const text = atob(b64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    decoded.set(id, new Values(new TYPES[dtype](bytes.buffer), shape));
  }
  return decoded.get(id);
}

/** All digits of a float32: the shortest decimal that is no other float32 (or no other double, for doubles). */
function exact(v) {
  if (!Number.isFinite(v) || Number.isInteger(v)) return String(v);
  if (Math.fround(v) !== v) return String(v);
  for (let digits = 1; digits <= 9; digits++) {
    const text = v.toPrecision(digits);
    if (Math.fround(Number(text)) === v) return String(Number(text));
  }
  return String(v);
}

/** A number for people: integers as they are, others rounded, with a real minus sign. */
function round(v, decimals = 2) {
  if (!Number.isFinite(v)) return String(v);
  let text = Number.isInteger(v) && Math.abs(v) < 1e6 ? String(v) : v.toFixed(decimals);
  if (Number(text) === 0) text = "0";
  return text.replace("-", "−");
}

/** A number of unknown size: three significant digits. */
function brief(v) {
  if (Number.isInteger(v) && Math.abs(v) < 1e5) return minus(String(v));
  const size = Math.abs(v);
  return minus(size >= 1e5 || size < 1e-3 ? v.toExponential(1) : String(Number(v.toPrecision(3))));
}

function minus(text) {
  return text.replace(/-/g, "−");
}

function exactly(v) {
  return minus(exact(v));
}

function count(n, word, several = `${word}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? word : several}`;
}
