// A square in which a density is chosen or drawn, with the mouse, a finger or the keys.

import { DRAWING_SIDE, PRESET_NAMES, asDrawing, drawingText } from "./plane.js";
import { make } from "./pictures.js";
import { button, choices } from "./controls.js";

export const GROUND = "#222"; // dark in both colour schemes, as all pictures are
const SIDE_OF_FIELD = 480;
const EMPTY = `~${"A".repeat(DRAWING_SIDE ** 2 / 3)}`;

// A picture of a density, one pixel a node, that is enlarged where it is shown.
export function densityPicture({ n, levels }, brightest) {
  const canvas = make("canvas", { width: n, height: n }), context = canvas.getContext("2d");
  const image = context.createImageData(n, n), most = Math.max(...levels) || 1;
  levels.forEach((level, i) => image.data.set([214, 206, 190, brightest * Math.sqrt(level / most)], 4 * i));
  context.putImageData(image, 0, 0);
  return canvas;
}

// A square to draw a density in, with presets: {element, set(text, density)}. A stroke adds a level to what it covers.
export function drawingField(title, act) {
  const canvas = make("canvas", { width: SIDE_OF_FIELD, height: SIDE_OF_FIELD, tabIndex: 0, role: "application" });
  const presets = choices(title, [...PRESET_NAMES.map(name => [name, name]), [EMPTY, "drawn"]], act);
  const cell = SIDE_OF_FIELD / DRAWING_SIDE, brush = [DRAWING_SIDE / 2, DRAWING_SIDE / 2];
  let shown = null, stroke = null;

  function paint() {
    const context = canvas.getContext("2d");
    context.fillStyle = GROUND;
    context.fillRect(0, 0, SIDE_OF_FIELD, SIDE_OF_FIELD);
    context.drawImage(densityPicture(shown, 255), 0, 0, SIDE_OF_FIELD, SIDE_OF_FIELD);
    Object.assign(context, { strokeStyle: "#888", lineWidth: 3 });
    context.strokeRect(0, 0, SIDE_OF_FIELD, SIDE_OF_FIELD);
    if (!canvas.matches(":focus-visible")) return;
    Object.assign(context, { strokeStyle: "#ffb070", lineWidth: 5 });
    context.strokeRect((brush[0] - 1) * cell, (brush[1] - 1) * cell, 3 * cell, 3 * cell);
  }

  // Covers the cells around these; a stroke covers each only once.
  function cover(places) {
    const levels = asDrawing(shown);
    for (const [column, row] of places) {
      for (let k = 0; k < 9; k++) {
        const i = column - 1 + (k % 3), j = row - 1 + Math.floor(k / 3), at = DRAWING_SIDE * j + i;
        if (i < 0 || j < 0 || i >= DRAWING_SIDE || j >= DRAWING_SIDE || stroke.has(at)) continue;
        stroke.add(at);
        levels[at] = Math.min(3, levels[at] + 1);
      }
    }
    act(drawingText(levels));
  }

  // The pointer may skip cells from one event to the next: those between are covered, too.
  function follow(event) {
    const box = canvas.getBoundingClientRect(), side = Math.min(box.width, box.height);
    const along = (place, from, length) => Math.floor((DRAWING_SIDE * (place - from - (length - side) / 2)) / side);
    const to = [along(event.clientX, box.left, box.width), along(event.clientY, box.top, box.height)];
    const from = stroke.size ? [...brush] : to;
    const count = Math.max(1, Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
    const after = k => from.map((place, i) => Math.round(place + ((to[i] - place) * k) / count));
    cover(Array.from({ length: count }, (_, k) => after(k + 1)));
    brush.splice(0, 2, ...to);
  }

  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    stroke = new Set();
    follow(event);
  });
  canvas.addEventListener("pointermove", event => stroke && follow(event));
  for (const ended of ["pointerup", "pointercancel"]) canvas.addEventListener(ended, () => (stroke = null));
  canvas.addEventListener("keydown", event => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter") {
      stroke = new Set();
      cover([brush]);
      stroke = null;
    } else if (!move) return;
    if (move) brush.forEach((place, i) => (brush[i] = Math.min(DRAWING_SIDE - 1, Math.max(0, place + move[i]))));
    event.preventDefault();
    paint();
  });
  canvas.addEventListener("focus", paint);
  canvas.addEventListener("blur", paint);

  function set(text, density) {
    shown = density;
    presets.set(PRESET_NAMES.includes(text) ? text : EMPTY);
    const what = density.empty ? "empty" : PRESET_NAMES.includes(text) ? text : "drawn";
    canvas.setAttribute("aria-label", `${title}, ${what}. The arrow keys move the brush, Enter paints.`);
    paint();
  }
  const clear = button("Clear ", () => act(EMPTY));
  clear.append(make("span", { className: "of" }, title));
  return { element: make("figure", {}, canvas, make("div", { className: "row" }, presets.element, clear)), set };
}
