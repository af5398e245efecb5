// D as a browser evaluates it: the layers of iadb_helpers/unet.py, on the convolutions of kernel.c. With it the
// Gaussian that guides (iadb_helpers/guidance.py) and the classifier (iadb_helpers/evaluation/classifier.py).

export const SIDE = 32, PIXELS = SIDE * SIDE;
const MEAN = 0.1307, STD = 0.3081; // of MNIST's pixels, as in iadb_helpers/data.py

// From the model's range to what is displayed, 0 (black) to 1, as `to_display` has it; and back.
export function toDisplay(value) {
  return Math.min(1, Math.max(0, ((value + 1) / 2) * STD + MEAN));
}
export function fromDisplay(value) {
  return (2 * (value - MEAN)) / STD - 1;
}

// What packing.py has packed: 16-bit floats, deflated, as base64.
export async function unpacked(packed) {
  const stream = new Blob([bytes(packed)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const halves = new Uint16Array(await new Response(stream).arrayBuffer());
  const values = new Float32Array(halves.length);
  halves.forEach((half, i) => {
    const exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction;
    values[i] = half & 32768 ? -size : size;
  });
  return values;
}

export function bytes(base64) {
  const letters = atob(base64), values = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) values[i] = letters.charCodeAt(i);
  return values;
}

// The kernel with its memory, in which each layer has its weights and a picture for what it returns.
class Layers {
  constructor(module, values) {
    this.memory = new WebAssembly.Memory({ initial: 112 }); // pages of 64 kB
    this.kernel = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports;
    this.free = this.kernel.__heap_base.value;
    this.values = values;
    this.read = 0;
    this.shared = this.room(8 * SIDE * (64 + 64)); // for conv_winograd
  }

  next(length) {
    return this.values.subarray(this.read, (this.read += length));
  }

  // Room for so many numbers, and the view of it.
  room(length) {
    const at = (this.free + 15) & ~15;
    this.free = at + 4 * length;
    return new Float32Array(this.memory.buffer, at, length);
  }

  picture(side, channels) {
    return { side, channels, values: this.room((side + 2) ** 2 * channels) };
  }

  // Values in the kernel's memory.
  kept(values) {
    const room = this.room(values.length);
    room.set(values);
    return room;
  }

  // A layer: a function of a picture x, and one of the result's shape to be added to it, that returns its own picture.
  conv(side, into, out, { stride = 1, transposed = false } = {}) {
    const fast = stride === 1 && !transposed && into % 4 === 0; // the first layers have one or two channels only
    const read = this.next(9 * into * out);
    const weights = this.kept(fast ? forWinograd(read, into * out) : read), bias = this.kept(this.next(out));
    const y = this.picture(side, out);
    return (x, skip = null) => {
      const places = [x.values, y.values, weights, bias].map(view => view.byteOffset);
      places.push(skip ? skip.values.byteOffset : 0, side, into, out);
      if (transposed) this.kernel.conv_transposed(...places);
      else if (fast) this.kernel.conv_winograd(...places, this.shared.byteOffset);
      else this.kernel.conv(...places, stride);
      return y;
    };
  }
}

// Weights [3][3][n] as conv_winograd takes them, [4][4][n]: rows, then columns, from three to four.
function forWinograd(weights, n) {
  const half = (a, b, c, sign) => a.map((value, i) => (value + sign * b[i] + c[i]) / 2);
  const four = (a, b, c) => [a, half(a, b, c, 1), half(a, b, c, -1), c];
  const three = row => [0, 1, 2].map(column => weights.subarray(n * (3 * row + column), n * (3 * row + column + 1)));
  const rows = [0, 1, 2].map(row => four(...three(row))), transformed = new Float32Array(16 * n);
  for (let column = 0; column < 4; column++) {
    four(...rows.map(row => row[column])).forEach((values, row) => transformed.set(values, n * (4 * row + column)));
  }
  return transformed;
}

// Where a picture's pixels begin among its values, row by row, its border left out.
function places({ side, channels }) {
  const place = i => (Math.floor(i / side) + 1) * (side + 2) + (i % side) + 1;
  return Array.from({ length: side * side }, (_, i) => place(i) * channels);
}

// D(x, α) of one picture, 1,024 numbers in the model's range.
export function loadNetwork(module, values) {
  const layers = new Layers(module, values);
  const conv = (side, into = 64) => layers.conv(side, into, 64);
  const down = side => layers.conv(side, 64, 64, { stride: 2 });
  const up = side => layers.conv(side, 64, 64, { transposed: true });
  const input = layers.picture(32, 2);
  const down32 = conv(32, 2), down16 = down(16), conv16 = conv(16), down8 = down(8);
  const conv8a = conv(8), conv8b = conv(8), conv8c = conv(8), down4 = down(4);
  const up8 = up(8), conv8d = conv(8), up16 = up(16), conv16b = conv(16), up32 = up(32), conv32 = conv(32);
  const last = layers.next(64), [bias] = layers.next(1);
  const from = places(input), to = places({ side: 32, channels: 64 });
  return (pixels, alpha) => {
    from.forEach((at, i) => {
      input.values[at] = pixels[i];
      input.values[at + 1] = alpha;
    });
    const a = down32(input);
    const b = down16(a);
    const c = down8(conv16(b));
    const d = conv8a(c);
    const e = conv8c(conv8b(d), d);
    let x = down4(e);
    x = up8(x, e);
    x = conv8d(x, c);
    x = up16(x, b);
    x = conv16b(x);
    x = up32(x, a);
    x = conv32(x);
    return Float32Array.from(to, at => {
      let sum = bias;
      for (let i = 0; i < 64; i++) sum += last[i] * x.values[at + i];
      return sum;
    });
  };
}

// D of somebody who knows of the digits only mean and spread: μ, directions [1024][K], their variances, all others'.
export function loadGaussian(values) {
  const count = (values.length - PIXELS - 1) / (PIXELS + 1);
  const mean = values.subarray(0, PIXELS), directions = values.subarray(PIXELS, PIXELS * (count + 1));
  const variances = values.subarray(PIXELS * (count + 1), -1), elsewhere = values[values.length - 1];
  return (pixels, alpha) => {
    const gain = variance => (alpha * variance - (1 - alpha)) / (alpha ** 2 * variance + (1 - alpha) ** 2);
    const away = pixels.map((value, i) => value - alpha * mean[i]);
    const along = new Float32Array(count);
    for (let i = 0; i < PIXELS; i++) for (let k = 0; k < count; k++) along[k] += away[i] * directions[count * i + k];
    for (let k = 0; k < count; k++) along[k] *= gain(variances[k]) - gain(elsewhere);
    return away.map((value, i) => {
      let sum = mean[i] + gain(elsewhere) * value;
      for (let k = 0; k < count; k++) sum += along[k] * directions[count * i + k];
      return sum;
    });
  };
}

// How sure the classifier is of each of the ten classes: numbers from 0 to 1 that add up to 1.
export function loadClassifier(module, values) {
  const layers = new Layers(module, values);
  const input = layers.picture(32, 1);
  const convs = [[32, 1, 16, 1], [16, 16, 32, 2], [16, 32, 32, 1], [8, 32, 64, 2], [8, 64, 64, 1], [4, 64, 32, 2]]
    .map(([side, into, out, stride]) => layers.conv(side, into, out, { stride }));
  const linear = (into, out) => {
    const weights = layers.next(into * out), bias = layers.next(out);
    return x => Array.from(bias, (sum, o) => x.reduce((total, value, i) => total + value * weights[into * o + i], sum));
  };
  const hidden = linear(512, 64), scores = linear(64, 10);
  const from = places(input), to = places({ side: 4, channels: 32 });
  return pixels => {
    from.forEach((at, i) => (input.values[at] = (toDisplay(pixels[i]) - MEAN) / STD));
    const last = convs.reduce((x, conv) => conv(x), input);
    const flat = Array.from({ length: 512 }, (_, i) => last.values[to[i % 16] + Math.floor(i / 16)]); // channels first
    const given = scores(hidden(flat).map(gelu));
    const sizes = given.map(score => Math.exp(score - Math.max(...given)));
    return Float32Array.from(sizes, size => size / sizes.reduce((a, b) => a + b));
  };
}

// x Φ(x), with Φ by Abramowitz and Stegun 7.1.26, within 1e-7.
function gelu(x) {
  const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z);
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - polynomial * Math.exp(-z * z);
  return (x * (1 + Math.sign(x) * erf)) / 2;
}
