// Sampling as in iadb_helpers/sampling.py: from noise to digit along the network's tangents, and back.

export const GUIDANCE = 0.4; // w, as in iadb_helpers/guidance.py
export const SCHEDULES = { uniform: u => u, early: u => u ** 2 };

// How each method steps from α = a to b, given D there and `before`, D one step earlier and at which α.
const METHODS = {
  euler: (x, d, a, b) => x.map((value, i) => value + (b - a) * d[i]),
  ab2: (x, d, a, b, before) => { // Adams and Bashforth's second method
    const ahead = METHODS.euler(x, d, a, b);
    if (!before) return ahead;
    const share = (b - a) ** 2 / (2 * (a - before.alpha));
    return ahead.map((value, i) => value + share * (d[i] - before.d[i]));
  },
};
export const METHOD_NAMES = Object.keys(METHODS);

// The moments of a path, noise first: [{alpha, x, d}], with d the tangent at x; the last has none.
//
// tangents: a function (x, alpha) that promises D. outdated: a function; once it is true, null is returned in the place
// of a path that nobody waits for. from: the α where the path begins, below 1; then x0 is a blend of that α, and the
// steps keep their proportions between there and 1.
export async function path(tangents, x0, options, outdated = () => false) {
  const { steps, method = "euler", schedule = "uniform", from = 0 } = options;
  const moments = [], alphaAfter = share => from + (1 - from) * SCHEDULES[schedule](share);
  let x = x0;
  for (let t = 0; t < steps; t++) {
    const alpha = alphaAfter(t / steps), d = await tangents(x, alpha);
    if (outdated()) return null;
    moments.push({ alpha, x, d });
    x = METHODS[method](x, d, alpha, alphaAfter((t + 1) / steps), moments[t - 1]);
  }
  return [...moments, { alpha: 1, x }];
}

// Euler's steps backward, from a digit to its noise.
export async function inverted(tangents, x1, { steps }, outdated = () => false) {
  let x = x1;
  for (let t = steps - 1; t >= 0; t--) {
    const d = await tangents(x, t / steps);
    if (outdated()) return null;
    x = x.map((value, i) => value - d[i] / steps);
  }
  return x;
}

// x at any α of a path: a step is a straight line.
export function between(moments, alpha) {
  const last = moments.length - 1;
  const k = Math.min(last - 1, moments.findLastIndex(moment => moment.alpha <= alpha));
  const [from, to] = [moments[k], moments[k + 1]];
  const share = (alpha - from.alpha) / (to.alpha - from.alpha);
  return from.x.map((value, i) => value + share * (to.x[i] - value));
}

// The mean deblended pair, x̄₀ and x̄₁.
export function deblend(x, d, alpha) {
  return [x.map((value, i) => value - alpha * d[i]), x.map((value, i) => value + (1 - alpha) * d[i])];
}

// Root of the mean square of a difference, per pixel.
export function apart(x, y) {
  return Math.sqrt(x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0) / x.length);
}
