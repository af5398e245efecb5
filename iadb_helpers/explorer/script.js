// The α slider in the browser, the same in a live notebook, a rendered page and a file on a stick. Python sends pictures
// of every moment ahead (fragment.payload); moving the slider asks nobody. What a kernel adds is in live.js.

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  // JupyterLab and Notebook 7 take keys before the page does: m, for example, would turn the cell into text and delete
  // the explorer. They look for this from the focused element upward, so it must be on each control itself.
  if (["button", "input", "select"].includes(tag)) element.setAttribute("data-lm-suppress-shortcuts", "true");
  return element;
}

const typeset = text => text.split(/(?<=x)_/).flatMap((part, i) => // "x_α" with its α as an index
  i ? [make("sub", { textContent: part[0] }), part.slice(1)] : [part]);
const plain = text => text.replaceAll("_", ""); // for labels, which have no index
const percent = share => `${100 * share}%`;

// Shows `first` in root, once its pictures are decoded: until then, and where they cannot be, what is there stays.
// `addLive(view)` may add what asks a kernel.
function mount(root, first, addLive = null) {
  let frames = first, at = 0, timer = null, pictures = [], turn = 0;
  const play = make("button", { type: "button", textContent: "Play" });
  const slider = make("input", { type: "range", min: 0, step: 1, value: 0 });
  slider.setAttribute("aria-label", "α, from noise (0) to digit (1)");
  const value = make("output");
  const question = make("div", { className: "iadb-question" });
  const panels = make("div", { className: "iadb-panels" });
  const axis = make("div", { className: "iadb-axis" });
  const note = make("div", { className: "iadb-note" });
  const words = make("p");
  const inside = make("div", { className: "iadb-in" }, question, panels,
    make("div", { className: "iadb-row" }, play, make("div", { className: "iadb-track" }, axis, slider), value), note, words);

  // The view as live.js sees it. `told` is the α that the network is told, where the slider is that: in a jump.
  const view = { inside, slider, play, told: null, tell: null, say: () => {}, stop, paint, show, alpha: () => frames.alphas[at] };

  function paint() {
    const last = frames.alphas.length - 1, [width, height] = frames.size;
    const label = view.told === null ? frames.labels[at] : view.told.toFixed(view.told > 0 && view.told < 0.1 ? 3 : 2);
    for (const { panel, canvas, sheet, ends } of pictures) {
      const end = at === 0 || at === last; // these are stored without loss
      const column = end ? Number(at === last && last > 0) : at % frames.columns;
      const row = end ? 0 : Math.floor(at / frames.columns);
      canvas.getContext("2d").drawImage(
        end ? ends : sheet, column * width, row * height, width, height, 0, 0, width, height);
      const shows = [panel.symbol, panel.meaning].filter(Boolean).join(", ");
      canvas.setAttribute("aria-label", `${plain(shows)}, at α = ${label}`);
    }
    if (view.told === null) slider.value = at;
    value.textContent = `α = ${label}`;
    slider.setAttribute("aria-valuetext", value.textContent);
    words.replaceChildren(...typeset(frames.words[at]));
    words.style.display = frames.words[at] ? "" : "none";
  }

  // Bands, curve and ticks lie behind the slider, on its own axis: moment i is at i / last of the thumb's way.
  function drawAxis() {
    const last = frames.alphas.length - 1, top = Math.max(...frames.speeds, 1e-9);
    const place = i => Math.min(1, Math.max(0, i / last));
    let begin = 0;
    const bands = frames.bands.map(([name, moments]) => {
      const [left, right] = [place(begin - 0.5), place((begin += moments) - 0.5)];
      const band = make("div", { className: "iadb-band", textContent: name });
      Object.assign(band.style, { left: percent(left), width: percent(right - left) });
      return band;
    });
    const ticks = [0, 0.25, 0.5, 0.75, 1].map(share => {
      const i = Math.round(share * last), told = view.told !== null;
      const tick = make("span", { className: "iadb-tick", textContent: told ? share : Number(frames.labels[i]) });
      tick.style.left = percent(told ? share : place(i));
      return tick;
    });
    const points = frames.speeds.map((speed, i) => `${100 * place(i + 0.5)},${100 - 96 * speed / top}`);
    axis.innerHTML = points.length > 1 ? `<svg class="iadb-curve" viewBox="0 0 100 100" preserveAspectRatio="none" role="img">
      <polygon points="${100 * place(0.5)},100 ${points.join(" ")} ${100 * place(last - 0.5)},100"/>
      <polyline points="${points.join(" ")}" vector-effect="non-scaling-stroke"/></svg>` : "";
    axis.querySelector("svg")?.setAttribute("aria-label", plain(frames.curve));
    axis.append(...bands, ...ticks);
    note.replaceChildren(...typeset(frames.curve));
    question.replaceChildren(...typeset(frames.question));
    question.style.display = frames.question ? "" : "none";
  }

  async function show(next) {
    const mine = ++turn;
    if (next.error) return view.say(next.error);
    const decoded = await Promise.all(next.panels.map(async panel => {
      const [ends, sheet] = [panel.ends, panel.sheet ?? panel.ends].map(src => Object.assign(new Image(), { src }));
      await Promise.all([ends.decode(), sheet.decode()]);
      return { panel, sheet, ends };
    }));
    if (mine !== turn) return; // a later answer has overtaken this one
    const near = next.alphas.map(other => Math.abs(other - frames.alphas[at]));
    frames = next;
    at = near.indexOf(Math.min(...near));
    const [width, height] = frames.size;
    pictures = decoded.map(picture => ({ ...picture, canvas: make("canvas", { width, height }) }));
    for (const { canvas } of pictures) canvas.setAttribute("role", "img");
    panels.replaceChildren(...pictures.map(({ panel, canvas }) => make("figure", {}, canvas,
      make("figcaption", {}, make("b", {}, ...typeset(panel.symbol)), ` ${panel.meaning}`))));
    if (view.told === null) slider.max = frames.alphas.length - 1;
    drawAxis();
    paint();
    if (inside.parentElement === root) return;
    root.classList.add("iadb");
    root.replaceChildren(inside);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) firstSight.observe(slider);
  }

  function stop() {
    firstSight.disconnect();
    clearTimeout(timer);
    timer = null;
    play.textContent = "Play";
  }
  function start(then = stop) {
    stop();
    if (at === frames.alphas.length - 1) at = 0;
    play.textContent = "Pause";
    const pace = Math.min(400, 6000 / frames.alphas.length);
    const step = () => {
      at += 1;
      paint();
      const over = at === frames.alphas.length - 1;
      if (over && then === stop) return stop();
      timer = over ? setTimeout(then, 2000) : setTimeout(step, pace);
    };
    timer = setTimeout(step, pace);
    paint();
  }
  // Moves once by itself when it comes into view, rests on the end, and goes back to where the reader begins.
  const firstSight = new IntersectionObserver(seen => {
    if (seen.some(entry => entry.isIntersecting)) start(() => { stop(); at = 0; paint(); });
  }, { threshold: 1 });
  play.addEventListener("click", () => (timer ? stop() : start()));
  for (const touch of ["focus", "pointerdown"]) slider.addEventListener(touch, stop);
  slider.addEventListener("input", () => {
    stop();
    if (view.told !== null) return view.tell(slider.valueAsNumber / 100);
    at = slider.valueAsNumber;
    paint();
  });

  addLive?.(view);
  show(first);
  return view;
}
