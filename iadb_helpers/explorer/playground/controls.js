// The controls that several views share.

import { SIDE } from "./network.js";
import { greyscale, make } from "./pictures.js";

export function button(text, act, properties = {}) {
  const element = make("button", { type: "button", ...properties }, text);
  element.addEventListener("click", event => {
    if (event.detail) element.blur(); // pressed by hand: the keys are the page's again
    act();
  });
  return element;
}

// A slider over numbers: {element, input, set(value)}. `text` makes a value readable.
export function slider(label, { least = 0, most = 1, step = 0.001, text = value => value.toFixed(2) } = {}, act) {
  const input = make("input", { type: "range", min: least, max: most, step, "aria-label": label });
  const output = make("output");
  const set = value => {
    input.value = value;
    output.textContent = text(value);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    set(input.valueAsNumber);
    act(input.valueAsNumber);
  });
  return { element: make("label", { className: "slider" }, make("span", {}, label), input, output), input, set };
}

// A list to choose from: {element, set(value)}. options: [[value, text]].
export function choices(label, options, act) {
  const listed = options.map(([value, text]) => make("option", { value }, text));
  const select = make("select", { "aria-label": label }, ...listed);
  select.addEventListener("change", () => act(options[select.selectedIndex][0]));
  const set = value => (select.selectedIndex = options.findIndex(([other]) => other === value));
  return { element: make("label", {}, label, " ", select), set };
}

// A box to tick: {element, set(value)}.
export function tick(label, act) {
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", () => act(box.checked));
  return { element: make("label", { className: "tick" }, box, " ", label), set: value => (box.checked = value) };
}

// A few buttons of which one is pressed: {element, set(value)}. options: [[value, text]].
export function segments(label, options, act) {
  const buttons = options.map(([value, text]) => button(text, () => act(value)));
  const set = chosen => options.forEach(([value], i) => buttons[i].setAttribute("aria-pressed", value === chosen));
  return { element: make("div", { className: "segments", role: "group", "aria-label": label }, ...buttons), set };
}

// A row of small pictures to choose from, with a name below each: {element, paint(i, pixels), clear(), set(i)}.
export function strip(label, names, act) {
  const canvases = names.map(() => make("canvas", { width: SIDE, height: SIDE, className: "picture" }));
  const buttons = names.map((name, i) =>
    button(canvases[i], () => act(i), { "aria-label": `${label}: ${name}`, "aria-pressed": false }));
  const cells = buttons.map((each, i) => make("span", {}, each, make("small", { "aria-hidden": "true" }, names[i])));
  return {
    element: make("div", { className: "strip", role: "group", "aria-label": label }, ...cells),
    paint: (i, pixels) => greyscale(canvases[i], pixels),
    clear: () => canvases.forEach(canvas => canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE)),
    set: chosen => buttons.forEach((each, i) => each.setAttribute("aria-pressed", i === chosen)),
  };
}

// Makes a picture of side × side cells one that is touched: by mouse, finger and pen, and by a cursor that the arrow
// keys move (with Shift by four cells) and Space or Enter presses: {element, size(cells)}. press and move are told the
// cell, (x, y). Without `release` a press is over at once; with it the key that pressed must be pressed again.
export function field(app, picture, side, label, { press, move = () => {}, release }) {
  const cursor = make("div", { className: "cursor" });
  const element = make("div", { className: "field", tabIndex: 0, role: "application", "aria-label": label },
    picture.canvas, cursor);
  picture.element.prepend(element);
  let at = [side / 2, side / 2], held = false, cells = 1;
  function place(x, y) {
    at = [x, y].map(value => Math.min(side - 1, Math.max(0, value)));
    cursor.style.width = `${(100 * cells) / side}%`;
    cursor.style.left = `${(100 * (at[0] + 0.5 - cells / 2)) / side}%`;
    cursor.style.top = `${(100 * (at[1] + 0.5 - cells / 2)) / side}%`;
    if (held) move(...at);
  }
  function hold(on) {
    if (on) press(...at);
    else if (held) release();
    held = on && Boolean(release);
    element.classList.toggle("held", held);
  }
  const follow = event => {
    const box = element.getBoundingClientRect(); // a square
    const cell = place => Math.floor((side * place) / box.width);
    place(cell(event.clientX - box.left), cell(event.clientY - box.top));
  };
  element.addEventListener("pointerdown", event => {
    if (!event.isPrimary || event.button) return;
    element.setPointerCapture(event.pointerId);
    hold(false);
    follow(event);
    hold(true);
  });
  element.addEventListener("pointermove", event => event.isPrimary && follow(event));
  for (const ended of ["pointerup", "pointercancel"]) {
    element.addEventListener(ended, event => event.isPrimary && hold(false));
  }
  element.addEventListener("blur", () => hold(false));
  element.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const pressed = event.key === " " || event.key === "Enter";
    if (!way && !pressed) return; // a key of the page's
    event.preventDefault();
    event.stopPropagation();
    const far = event.shiftKey ? 4 : 1;
    if (way) place(at[0] + far * way[0], at[1] + far * way[1]);
    else if (!event.repeat) hold(!held);
    app.say(`column ${at[0] + 1}, row ${at[1] + 1} of ${side}${held ? ", pen down" : ""}`);
  });
  place(...at);
  return { element, size: number => ((cells = number), place(...at)) };
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Moves α from where it is to 1, then rests there. α below ¼ gets half of the time: there the digit is decided.
export class Player {
  constructor(act, changed) {
    Object.assign(this, { act, changed, running: false, turn: 0 });
  }

  // seconds: from α = 0 to 1.
  start(alpha, seconds) {
    const from = alpha < 1 ? Math.sqrt(alpha) : 0, began = performance.now(), turn = ++this.turn;
    this.running = true;
    this.changed();
    const frame = () => {
      if (!this.running || turn !== this.turn) return; // stopped, or started anew
      const u = Math.min(1, from + (performance.now() - began) / (1000 * seconds));
      if (u === 1) this.stop();
      else requestAnimationFrame(frame);
      this.act(u ** 2); // half of the time is over at u = ½, α = ¼
    };
    requestAnimationFrame(frame);
  }

  stop() {
    if (!this.running) return;
    this.running = false;
    this.changed();
  }
}

// The button that starts and stops α.
export function playButton(app) {
  const act = () => (app.player.running ? app.pause() : app.play());
  return button("Play", act, { className: "play", "data-key": " " });
}

// The slider of α. Half of it is α below ¼, where the digit is decided: its place is u = √α, as the player's time is.
//
// Returns {element, set(alpha), draw(points, bands, meaning)}; what is drawn lies behind the track on the slider's own
// axis, its ends under the middle of the thumb at α = 0 and 1.
export const alphaText = alpha => alpha.toFixed(alpha < 0.1 ? 3 : 2); // it is read most closely where it is small
const TICKS = [0, 0.05, 0.1, 0.25, 0.5, 0.75, 1];
export function alphaTrack(app, label = "α, from noise (0) to digit (1)") {
  const text = u => `α = ${alphaText(u ** 2)}`;
  const control = slider(label, { text }, u => {
    app.pause();
    app.change({ alpha: u ** 2 });
  });
  control.input.classList.add("main");
  const back = drawn("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  const [names, ticks] = ["bands", "ticks"].map(className => make("div", { className, "aria-hidden": "true" }));
  const across = (element, from, to = from) => {
    element.style.left = `${100 * Math.sqrt(from)}%`;
    element.style.width = `${100 * (Math.sqrt(to) - Math.sqrt(from))}%`;
    return element;
  };
  ticks.append(...TICKS.map(alpha => across(make("span", {}, String(alpha)), alpha)));
  const element = make("div", { className: "alpha" },
    make("div", { className: "track" }, back, names, control.input, ticks), control.element.querySelector("output"));
  // points: [[alpha, height from 0 to 1]]; bands: [[name, from, to]]; meaning: of the curve, in words.
  function draw(points, bands, meaning) {
    const rectangles = bands.map(([, from, to], i) => drawn("rect", {
      x: 1000 * Math.sqrt(from), width: 1000 * (Math.sqrt(to) - Math.sqrt(from)), height: 100, class: `band${i}`,
    }));
    const places = points.map(([alpha, height]) => `${1000 * Math.sqrt(alpha)},${97 - 90 * height}`).join(" ");
    back.replaceChildren(...rectangles, drawn("polyline", { points: places, "vector-effect": "non-scaling-stroke" }));
    const labels = bands.map(([name, from, to]) => across(make("span", {}, make("b", {}, name)), from, to));
    names.replaceChildren(...labels, make("small", {}, meaning));
  }
  return { element, draw, set: alpha => control.set(Math.sqrt(alpha)) };
}

function drawn(tag, properties) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  return element;
}
