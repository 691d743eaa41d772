// conv: one convolution as the tabs show it: its arrays, and which number meets which.

/**
 * x (C, H, W), w (O, C/G, KH, KW), b (O) or null, out (O, OH, OW), cols (G, OH, KH*C/G*KW, OW), and the gradients
 * grad_x, grad_w, grad_b, grad_out, grad_cols of the same shapes; some may be null where the page left them out.
 * `engine` tells whether these are the engine's arrays or the browser's, after an edit.
 */
class Conv {
  constructor(name, options, arrays, engine = true) {
    Object.assign(this, { name, engine, options, cols: null, partials: null, ...arrays });
    [this.SH, this.SW] = options.stride;
    [this.PH, this.PW] = options.padding;
    [this.DH, this.DW] = options.dilation;
    this.G = options.groups;
    [this.C, this.H, this.W] = this.x.shape;
    [this.O, this.CG, this.KH, this.KW] = this.w.shape;
    [, this.OH, this.OW] = this.out.shape;
    this.K = this.CG * this.KH * this.KW;
    this.L = this.OH * this.OW;
    [this.FH, this.FW] = [this.H + 2 * this.PH, this.W + 2 * this.PW]; // with the frame of padding
  }

  /** The channels that filter o sees. */
  channels(o) {
    const first = Math.floor(o / (this.O / this.G)) * this.CG;
    return Array.from({ length: this.CG }, (_, c) => first + c);
  }

  /** A pixel of the framed input: 0 in the frame. */
  pixel(c, r, q) {
    const [row, column] = [r - this.PH, q - this.PW];
    return this.inFrame(r, q) ? 0 : this.x.at(c, row, column);
  }

  inFrame(r, q) {
    return r < this.PH || q < this.PW || r >= this.PH + this.H || q >= this.PW + this.W;
  }

  /** The places of the framed input under the window of output (i, j): [[u, v, row, column]]. */
  window(i, j) {
    const places = [];
    for (let u = 0; u < this.KH; u++) {
      for (let v = 0; v < this.KW; v++) places.push([u, v, i * this.SH + u * this.DH, j * this.SW + v * this.DW]);
    }
    return places;
  }

  /** The box around that window: [row, column, height, width]. */
  box(i, j) {
    return [i * this.SH, j * this.SW, this.DH * (this.KH - 1) + 1, this.DW * (this.KW - 1) + 1];
  }

  /** The outputs that a place of the framed input takes part in, and under which tap: [[i, j, u, v]]. */
  outputsOf(r, q) {
    const found = [];
    for (let u = 0; u < this.KH; u++) {
      for (let v = 0; v < this.KW; v++) {
        const [i, j] = [(r - u * this.DH) / this.SH, (q - v * this.DW) / this.SW];
        if (Number.isInteger(i) && Number.isInteger(j) && i >= 0 && j >= 0 && i < this.OH && j < this.OW) {
          found.push([i, j, u, v]);
        }
      }
    }
    return found;
  }

  /** The product of one tap, and the sum of one channel's taps, at output (i, j) of filter o. */
  product(o, c, i, j, u, v) {
    return (
      this.pixel(this.channels(o)[c], i * this.SH + u * this.DH, j * this.SW + v * this.DW) * this.w.at(o, c, u, v)
    );
  }

  channelSum(o, c, i, j) {
    return this.window(i, j).reduce((sum, [u, v]) => sum + this.product(o, c, i, j, u, v), 0);
  }

  bias(o) {
    return this.b ? this.b.at(o) : 0;
  }

  /** An entry of the columns: row k of group g, column l; read off the image where the page has no columns. */
  column(g, k, l) {
    const [i, j] = this.position(l);
    if (this.cols) return this.cols.at(g, i, k, j);
    const [c, u, v] = this.tap(k);
    return this.pixel(g * this.CG + c, i * this.SH + u * this.DH, j * this.SW + v * this.DW);
  }

  /** The same of the columns' gradient: w.T @ dy, worked out here where the page has it not. */
  gradColumn(g, k, l) {
    const [i, j] = this.position(l);
    if (this.grad_cols) return this.grad_cols.at(g, i, k, j);
    const [c, u, v] = this.tap(k);
    const each = this.O / this.G;
    let sum = 0;
    for (let o = g * each; o < (g + 1) * each; o++) sum += this.w.at(o, c, u, v) * this.grad_out.data[o * this.L + l];
    return sum;
  }

  /** Rows of the columns are ordered (u, c, v): tap row, channel, tap column. */
  tap(k) {
    return [Math.floor(k / this.KW) % this.CG, Math.floor(k / (this.KW * this.CG)), k % this.KW];
  }

  row(c, u, v) {
    return (u * this.CG + c) * this.KW + v;
  }

  /** How many numbers the engine stores for the columns: shifts along the width only, the rest is overlap. */
  get stored() {
    return this.C * this.FH * this.KW * this.OW;
  }

  position(l) {
    return [Math.floor(l / this.OW), l % this.OW];
  }

  get whole() {
    return [this.x, this.w, this.out].every((array) => array.data.every(Number.isInteger));
  }
}

/** The convolutions that tabs can show: the toy, and every convolution of the model. */
function sources() {
  const layers = DATA.model ? DATA.model.layers.filter((layer) => layer.kind === "conv2d") : [];
  return ["toy", ...layers.map((layer) => layer.label)];
}

/** The convolution that the state points at. */
function currentConv() {
  return state.src === "toy" ? toyConv(state) : (modelConv(state.src, state.img) ?? toyConv(state));
}

const convs = new Map();

function remembered(name, make) {
  if (!convs.has(name)) convs.set(name, make());
  return convs.get(name);
}

function toyCase({ s, p, d, flip }) {
  return DATA.lesson.cases.find(
    (c) => c.stride[0] === s && c.padding[0] === p && c.dilation[0] === d && c.flip === !!flip,
  );
}

function toyConv(of) {
  const { s, p, d, flip, edits } = of;
  return remembered(`toy ${s} ${p} ${d} ${flip} ${edits}`, () => {
    const found = toyCase(of) ?? DATA.lesson.cases[0];
    const options = { stride: found.stride, padding: found.padding, dilation: found.dilation, groups: 1 };
    const conv = new Conv("toy", options, arraysOf(found.arrays));
    return edits ? edited(conv, edits) : conv;
  });
}

function modelConv(label, img) {
  const layer = DATA.model?.layers.find((l) => l.label === label && l.kind === "conv2d");
  const sample = DATA.samples?.[img] ?? DATA.samples?.[0];
  if (!layer || !sample) return null;
  return remembered(
    `${label} ${img}`,
    () =>
      new Conv(label, layer.options, {
        ...arraysOf(sample.layers[label]),
        x: inputOf(sample, label),
        w: values(layer.w),
        b: values(layer.b),
        grad_x: gradInputOf(sample, label),
      }),
  );
}

function arraysOf(ids) {
  return Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, values(id)]));
}

/** What a layer received: the output of the layer before, or the image. */
function inputOf(sample, label) {
  const place = DATA.model.layers.findIndex((layer) => layer.label === label);
  return place === 0 ? values(sample.x) : values(sample.layers[DATA.model.layers[place - 1].label].out);
}

function gradInputOf(sample, label) {
  const place = DATA.model.layers.findIndex((layer) => layer.label === label);
  return place === 0 ? values(sample.grad_x) : values(sample.layers[DATA.model.layers[place - 1].label].grad_out);
}

/** The toy with some numbers changed, "x.0.2.3=7,w.1.0.1.1=-2": what follows from them is the browser's work. */
function edited(conv, edits) {
  const copy = (array) => new Values(array.data.slice(), array.shape);
  const arrays = { x: copy(conv.x), w: copy(conv.w), b: conv.b };
  for (const edit of edits.split(",")) {
    const [place, v] = edit.split("=");
    const [name, ...index] = place.split(".");
    const array = arrays[name];
    if (!array || !Number.isFinite(Number(v)) || index.length !== array.shape.length) continue;
    const at = index.reduce((sum, k, axis) => sum + Number(k) * array.strides[axis], 0);
    if (at >= 0 && at < array.data.length) array.data[at] = Number(v);
  }
  const out = twin.conv2d(arrays.x, arrays.w, arrays.b, conv.options);
  return new Conv("toy", conv.options, { ...arrays, out }, false);
}
