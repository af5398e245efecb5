// Two densities in the plane, and what leads from one to the other: random and mean deblending, with no network.
// As in lesson 00 (notebooks/00_the_idea.ipynb), and the same in every browser.

import { LINK_LETTERS } from "./letters.js";
import { drawer } from "./noise.js";

export const DRAWING_SIDE = 24; // of a drawing, each way
const SHAPE_LEVELS = 4;
const PRESET_SIDE = 64; // of a preset, each way
const POOL = 4096, LISTED = 300; // points that stand for a density, and how many of them one deblending looks at
const PARTICLES = 1000;

// The presets: heights from 0 to 1 on the square from −1 to 1, y up.
const bell = (centreX, centreY, spread) => (x, y) =>
  Math.exp(-((x - centreX) ** 2 + (y - centreY) ** 2) / (2 * spread ** 2));
const together = (...heights) => (x, y) => Math.max(...heights.map(height => height(x, y)));
const evenly = test => (x, y) => (test(x, y) ? 1 : 0);
const curveOf = (from, to, place) => Array.from({ length: 49 }, (_, i) => place(from + ((to - from) * i) / 48));
const arc = (centreX, centreY, radius, from, to) =>
  curveOf(from, to, u => [centreX + radius * Math.cos(u * Math.PI), centreY + radius * Math.sin(u * Math.PI)]);
// A pen's line through points: a bell across it.
const penLine = (points, spread = 0.06) => (x, y) => {
  let least = Infinity;
  for (let i = 1; i < points.length; i++) {
    const [fromX, fromY] = points[i - 1], alongX = points[i][0] - fromX, alongY = points[i][1] - fromY;
    const share = ((x - fromX) * alongX + (y - fromY) * alongY) / (alongX ** 2 + alongY ** 2);
    const nearest = Math.min(1, Math.max(0, share));
    least = Math.min(least, (x - fromX - nearest * alongX) ** 2 + (y - fromY - nearest * alongY) ** 2);
  }
  return Math.exp(-least / (2 * spread ** 2));
};
const PRESETS = {
  gaussian: bell(0, 0, 0.3),
  square: evenly((x, y) => Math.abs(x) < 0.7 && Math.abs(y) < 0.7),
  triangle: evenly((x, y) => y > -0.7 && Math.abs(x) < (0.8 - y) * 0.55),
  ring: penLine(arc(0, 0, 0.65, 0, 2)),
  moons: together(penLine(arc(-0.25, -0.13, 0.55, 0, 1)), penLine(arc(0.25, 0.13, 0.55, 1, 2))),
  blobs: together(bell(-0.5, 0.4, 0.14), bell(0.5, 0.4, 0.14), bell(0, -0.5, 0.14)),
  spiral: penLine(curveOf(0, 1, u => [(0.1 + 0.7 * u) * Math.cos(11 * u), (0.1 + 0.7 * u) * Math.sin(11 * u)])),
  letter: together(penLine([[-0.6, -0.75], [0, 0.75], [0.6, -0.75]]), penLine([[-0.36, -0.15], [0.36, -0.15]])),
};
export const PRESET_NAMES = Object.keys(PRESETS);

// A density as a drawing, DRAWING_SIDE × DRAWING_SIDE levels from 0 to 3, so that one can go on drawing on a preset.
export function asDrawing({ n, levels }) {
  const node = i => Math.floor(((i + 0.5) * n) / DRAWING_SIDE);
  return Array.from({ length: DRAWING_SIDE ** 2 }, (_, i) =>
    Math.round((SHAPE_LEVELS - 1) * levels[n * node(Math.floor(i / DRAWING_SIDE)) + node(i % DRAWING_SIDE)]));
}

// A drawing as text: "~", then three cells a letter, the top row first.
export function drawingText(levels) {
  let text = "~";
  for (let i = 0; i < levels.length; i += 3) text += LINK_LETTERS[levels[i] + 4 * levels[i + 1] + 16 * levels[i + 2]];
  return text;
}

function drawnLevels(text) {
  return [...text.slice(1)].flatMap(letter => {
    const value = LINK_LETTERS.indexOf(letter);
    return [value % 4, (value >> 2) % 4, value >> 4];
  });
}

// Whether a text names a preset or is a drawing.
export function isShape(text) {
  return PRESET_NAMES.includes(text) || (/^~[\w-]*$/.test(text) && text.length === 1 + DRAWING_SIDE ** 2 / 3);
}

// The density of such a text: a height on each of n × n nodes, and bilinear between them.
//
// levels: the heights, from 0 to 1, the top row first; heights: the same within a border of zeros, so that no node is
// a special case; running: their sums. empty: nothing is drawn. points: places that stand for the density, and any few
// hundred of them in a row do so, too.
export function densityOf(text) {
  const drawing = text.startsWith("~"), n = drawing ? DRAWING_SIDE : PRESET_SIDE;
  const levels = drawing ? drawnLevels(text).map(level => level / (SHAPE_LEVELS - 1)) : presetLevels(text);
  const heights = new Float64Array((n + 2) ** 2), running = new Float64Array(n * n);
  let total = 0;
  for (let i = 0; i < n * n; i++) {
    heights[(Math.floor(i / n) + 1) * (n + 2) + (i % n) + 1] = levels[i];
    running[i] = total += levels[i];
  }
  const made = { n, levels, heights, running, empty: total === 0 };
  if (!made.empty) made.points = evenPoints(made);
  return made;
}

// Rounded, because browsers may differ in the last bit of an exponential.
function presetLevels(name) {
  const coordinate = i => ((i + 0.5) * 2) / PRESET_SIDE - 1;
  return Array.from({ length: PRESET_SIDE ** 2 }, (_, i) =>
    Math.round(1e6 * PRESETS[name](coordinate(i % PRESET_SIDE), -coordinate(Math.floor(i / PRESET_SIDE)))) / 1e6);
}

// A place drawn from a density: a node, where the heights before it add up to a share of the whole, 0 to 1; then a
// place under the tent that stands on the node, because the sum of all tents is what is bilinear.
function placeAt({ n, running }, share, uniform) {
  const wanted = share * running[n * n - 1];
  let low = 0, high = n * n - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (running[middle] > wanted) high = middle;
    else low = middle + 1;
  }
  const under = i => ((i + uniform() + uniform() - 0.5) * 2) / n - 1;
  return [under(low % n), -under(Math.floor(low / n))];
}

const uniforms = seed => {
  const draw = drawer(seed);
  return () => draw() / 4294967296;
};

// Multiples of the golden ratio fill the shares from 0 to 1 evenly, however far one has counted.
function evenPoints(density) {
  const uniform = uniforms(0), points = new Float64Array(2 * POOL);
  for (let i = 0; i < POOL; i++) points.set(placeAt(density, (i * 0.6180339887498949) % 1, uniform), 2 * i);
  return points;
}

// A thousand random pairs: x0 and x1 with x and y in turn, and the chance that is left for random deblending.
export function drawPairs({ start, target }, seed) {
  const uniform = uniforms(seed);
  const [x0, x1] = [start, target].map(density => {
    const places = new Float64Array(2 * PARTICLES);
    for (let i = 0; i < PARTICLES; i++) places.set(placeAt(density, uniform(), uniform), 2 * i);
    return places;
  });
  return { x0, x1, uniform };
}

// The height of a density at a place given in nodes: `right` of the border's left one, and `down` from its upper one.
function heightAt({ n, heights }, right, down) {
  if (!(right >= 0 && down >= 0 && right < n + 1 && down < n + 1)) return 0;
  const i = right | 0, j = down | 0, u = right - i, v = down - j, at = j * (n + 2) + i;
  const above = heights[at] + u * (heights[at + 1] - heights[at]);
  const below = heights[at + n + 2] + u * (heights[at + n + 3] - heights[at + n + 2]);
  return above + v * (below - above);
}

// x₁ − x₀ of the mean pair behind each blend, or, given `uniform` for the chance, of a pair drawn with its probability.
//
// One end of a pair is taken from a list of points, and the blend says what the other must be; the other's density is
// the pair's weight. Listed is the end with the smaller share in the blend: from pair to pair the other end then moves
// no more than the listed one does, and a few hundred points are enough. A random pair's list begins anywhere among the
// points: else it could end in a few hundred places only.
export function tangents(x, alpha, { start, target }, uniform = null) {
  const early = alpha < 0.5, share = early ? alpha : 1 - alpha, rest = 1 - share, sign = early ? 1 : -1;
  const { points } = early ? target : start, density = early ? start : target, { n } = density;
  const toNodes = n / 2 / rest, byPoint = share * toNodes;
  const d = new Float64Array(x.length), sums = new Float64Array(LISTED);
  for (let i = 0; i < x.length; i += 2) {
    const first = uniform ? 2 * Math.floor(uniform() * (POOL - LISTED)) : 0;
    const right = x[i] * toNodes + n / 2 + 0.5, down = n / 2 + 0.5 - x[i + 1] * toNodes;
    let sum = 0, meanX = 0, meanY = 0;
    // Steps that are too long lead to places that no pair can have made: all weights are 0 there. The particle must
    // still go on. So all pairs count, the more the nearer their other end is to the middle of the square.
    for (let astray = 0; sum === 0 && astray < 2; astray++) {
      for (let k = 0; k < LISTED; k++) {
        const px = points[first + 2 * k], py = points[first + 2 * k + 1];
        const toRight = right - byPoint * px, toDown = down + byPoint * py;
        const away = astray && (toRight / n - 0.5) ** 2 + (toDown / n - 0.5) ** 2;
        const weight = astray ? (1 + away) ** -8 : heightAt(density, toRight, toDown);
        sums[k] = sum += weight;
        meanX += weight * px;
        meanY += weight * py;
      }
    }
    let endX = meanX / sum, endY = meanY / sum;
    if (uniform) {
      const wanted = uniform() * sum;
      let k = 0;
      while (sums[k] <= wanted) k++;
      [endX, endY] = [points[first + 2 * k], points[first + 2 * k + 1]];
    }
    d[i] = (sign * (endX - x[i])) / rest;
    d[i + 1] = (sign * (endY - x[i + 1])) / rest;
  }
  return d;
}

// The places of all particles at α = 0, 1/T, … 1, one array at a time: blend, deblend, repeat.
export function* trajectory(x0, T, shapes, uniform = null) {
  let x = x0;
  yield x;
  for (let t = 0; t < T; t++) {
    const d = tangents(x, t / T, shapes, uniform);
    x = x.map((value, i) => value + d[i] / T);
    yield x;
  }
}

// The places at any α: a step is a straight line.
export function placesAt(moments, alpha) {
  const steps = moments.length - 1, t = Math.min(steps - 1, Math.floor(alpha * steps)), share = alpha * steps - t;
  return moments[t].map((value, i) => value + share * (moments[t + 1][i] - value));
}

// The mean distance of two sets of particles, one by one.
export function meanDistance(x, y) {
  let sum = 0;
  for (let i = 0; i < x.length; i += 2) sum += Math.sqrt((x[i] - y[i]) ** 2 + (x[i + 1] - y[i + 1]) ** 2);
  return (2 * sum) / x.length;
}

// How well particles match a density: the share of them that is where it wants them, 1 if each of 12 × 12 cells has
// its own.
export function matched(x, density) {
  const shares = places => {
    const cells = new Float64Array(144);
    for (let i = 0; i < places.length; i += 2) {
      const column = Math.floor(6 * (places[i] + 1)), row = Math.floor(6 * (places[i + 1] + 1));
      if (column >= 0 && row >= 0 && column < 12 && row < 12) cells[12 * row + column] += 2 / places.length;
    }
    return cells;
  };
  const wanted = shares(density.points);
  return shares(x).reduce((sum, share, i) => sum + Math.min(share, wanted[i]), 0);
}
