// data: the engine's arrays, decoded from base64.

export const DATA = JSON.parse(document.getElementById("trace").textContent);

const TYPES = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int32: Int32Array };

/** An array of the engine with its shape; the bytes are the engine's own, little-endian. */
export class Values {
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
export function values(id) {
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
