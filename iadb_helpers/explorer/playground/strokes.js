// A drawing of the reader's: its strokes, as a link carries them, and the picture that they make.

import { LINK_LETTERS } from "./letters.js";
import { PIXELS, SIDE, fromDisplay } from "./network.js";

// A drawing is made of strokes, a stroke of points on a grid of 64 × 64. A link has two letters a point, its column and
// its row, and a full stop between strokes.
export const GRID = 64;

export function strokesOf(text) {
  const points = stroke => stroke.match(/../g).map(pair => [...pair].map(letter => LINK_LETTERS.indexOf(letter)));
  return text ? text.split(".").map(points) : [];
}

export const strokeText = points => points.map(([x, y]) => LINK_LETTERS[x] + LINK_LETTERS[y]).join("");

// The square of how far (x, y) is from the line between two points.
function squareAway(x, y, [fromX, fromY], [toX, toY]) {
  const alongX = toX - fromX, alongY = toY - fromY, square = alongX * alongX + alongY * alongY;
  const share = square && Math.min(1, Math.max(0, ((x - fromX) * alongX + (y - fromY) * alongY) / square));
  const awayX = x - fromX - share * alongX, awayY = y - fromY - share * alongY;
  return awayX * awayX + awayY * awayY;
}

// Fewer points for the same stroke, which moves by no more than 0.7 of the grid (Ramer, Douglas and Peucker).
export function thinned(points) {
  const from = points[0], to = points.at(-1);
  const away = points.map(([x, y]) => squareAway(x, y, from, to)), far = Math.max(...away), split = away.indexOf(far);
  if (far <= 0.49) return points.length > 1 ? [from, to] : [from];
  return [...thinned(points.slice(0, split + 1)).slice(0, -1), ...thinned(points.slice(split))];
}

// The drawing as a picture of MNIST's kind, in the model's range: inked at 28 × 28 by a round brush, then resized to
// 32 × 32 bilinearly. Inked at 32 × 32 at once it would look the same to us, but not to the network: the noise found
// for it would be hundreds of times too strong. Only + − × ÷ and √, so that it is the same in every browser.
const MNIST_SIDE = 28, BRUSH_FULL = 1, BRUSH_EDGE = 0.8; // pixels: the radius of full ink, and how far it fades beyond
export function inked(strokes) {
  const scale = MNIST_SIDE / GRID, small = [];
  const lines = strokes.flatMap(points => {
    const placed = points.map(point => point.map(value => (value + 0.5) * scale));
    return placed.map((from, i) => [from, placed[i + 1] ?? from]);
  });
  for (let i = 0; i < MNIST_SIDE * MNIST_SIDE; i++) {
    const x = (i % MNIST_SIDE) + 0.5, y = Math.floor(i / MNIST_SIDE) + 0.5;
    const away = Math.sqrt(lines.reduce((least, [from, to]) => Math.min(least, squareAway(x, y, from, to)), PIXELS));
    small.push(Math.min(1, Math.max(0, (BRUSH_FULL + BRUSH_EDGE - away) / BRUSH_EDGE)));
  }
  const places = Array.from({ length: SIDE }, (_, i) => {
    const place = Math.max(0, ((i + 0.5) * MNIST_SIDE) / SIDE - 0.5), low = Math.floor(place);
    return [low, Math.min(MNIST_SIDE - 1, low + 1), place - low];
  });
  return Float32Array.from({ length: PIXELS }, (_, i) => {
    const [left, right, x] = places[i % SIDE], [above, below, y] = places[Math.floor(i / SIDE)];
    const row = at => (1 - x) * small[MNIST_SIDE * at + left] + x * small[MNIST_SIDE * at + right];
    return fromDisplay((1 - y) * row(above) + y * row(below));
  });
}
