// Gaussian noise from a seed, to the last bit the same in every browser: only + − × ÷ and √, which IEEE 754 fixes.
// Math.log and Math.cos may differ in their last bit from one browser to the next.

// Whole numbers of 32 bits, by Steele, Lea and Flood's SplitMix in the form for 32 bits.
export function drawer(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

// The natural logarithm of a number in (0, 1]: halved or doubled into [¾, 3/2), and there by the series of artanh.
function logarithm(value) {
  let doublings = 0;
  while (value < 0.75) {
    value *= 2;
    doublings += 1;
  }
  const ratio = (value - 1) / (value + 1), square = ratio * ratio;
  let sum = 0;
  for (let n = 21; n >= 1; n -= 2) sum = sum * square + 1 / n;
  return 2 * ratio * sum - doublings * 0.6931471805599453;
}

// n pictures of noise, n × 1024 numbers from N(0, 1), by Marsaglia's polar method. A larger n begins with the same.
export function noise(seed, n) {
  const draw = drawer(seed), values = new Float32Array(1024 * n);
  for (let i = 0; i < values.length; i += 2) {
    let u, v, square;
    do {
      u = draw() / 2147483648 - 1;
      v = draw() / 2147483648 - 1;
      square = u * u + v * v;
    } while (square >= 1 || square === 0);
    const stretch = Math.sqrt((-2 * logarithm(square)) / square);
    values[i] = u * stretch;
    values[i + 1] = v * stretch;
  }
  return values;
}

// The one of a seed's noise samples that a state has chosen.
export const x0Of = ({ seed, which }) => noise(seed, which + 1).slice(1024 * which);

// The noise sample after this one.
export function nextNoise({ seed, which }) {
  return which < 15 ? { which: which + 1 } : { seed: (seed + 1) % 4294967296, which: 0 };
}
