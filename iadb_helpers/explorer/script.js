// The α explorer in the browser, the same for a live notebook, a rendered page and a file on a stick. Python sends
// pictures of every moment ahead (fragment.payload); moving the slider asks nobody. `ask`, where there is a kernel,
// sends it the settings; its answer comes back through the `show` that mount returns.

function mount(root, first, ask = null) {
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const typeset = text => text.split(/(?<=x)_/).flatMap((part, i) => // "x_α" with its α as an index
    i ? [make("sub", { textContent: part[0] }), part.slice(1)] : [part]);
  let frames = first, timer = null, pictures = [], turn = 0;
  let at = frames.alphas.findIndex(alpha => alpha >= 0.2); // opens where both pictures show something

  const play = make("button", { type: "button", textContent: "Play" });
  const slider = make("input", { type: "range", min: 0, step: 1 });
  slider.setAttribute("aria-label", "α, from noise (0) to digit (1)");
  slider.setAttribute("data-lm-suppress-shortcuts", "true"); // else JupyterLab takes the arrow keys
  const value = make("output");
  const panels = make("div", { className: "iadb-panels" });
  const words = make("p");
  const curve = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  curve.setAttribute("class", "iadb-curve");
  curve.setAttribute("role", "img");
  const controls = make("div", { className: "iadb-row" });
  const status = make("div", { className: "iadb-status" });
  status.setAttribute("role", "status");
  root.classList.add("iadb");
  root.replaceChildren(make("div", { className: "iadb-in" },
    make("div", { className: "iadb-row" }, play, slider, value), panels, words, curve, ...(ask ? [controls, status] : [])));

  function paint() {
    const last = frames.alphas.length - 1, [width, height] = frames.size;
    const alpha = live.jumping() ? live.told() : frames.alphas[at];
    for (const { panel, canvas, sheet, ends } of pictures) {
      const end = at === 0 || at === last; // these are stored without loss
      const context = canvas.getContext("2d");
      const column = end ? Number(at === last && last > 0) : at % frames.columns;
      const row = end ? 0 : Math.floor(at / frames.columns);
      context.drawImage(end ? ends : sheet, column * width, row * height, width, height, 0, 0, width, height);
      const shows = [panel.symbol, panel.meaning].filter(Boolean).join(", ");
      canvas.setAttribute("aria-label", `${shows}, at α = ${alpha.toFixed(2)}`);
    }
    if (!live.jumping()) slider.value = at;
    value.textContent = `α = ${alpha.toFixed(2)}`;
    slider.setAttribute("aria-valuetext", value.textContent);
    words.replaceChildren(...typeset(frames.words[at]));
    words.style.display = frames.words[at] ? "" : "none";
    curve.querySelector(".iadb-now")?.setAttribute("transform", `translate(${10 + 580 * alpha} 0)`);
  }

  function drawCurve() {
    curve.setAttribute("viewBox", "0 0 600 70");
    curve.setAttribute("preserveAspectRatio", "none");
    curve.style.display = frames.curve ? "" : "none";
    const top = Math.max(...frames.speeds, 1e-9);
    const points = frames.speeds.map((speed, i) =>
      `${10 + 290 * (frames.alphas[i] + frames.alphas[i + 1])},${62 - 52 * speed / top}`).join(" ");
    curve.innerHTML = `<line x1="10" x2="590" y1="62" y2="62" stroke="#767676"/>
      <polyline points="${points}" fill="none" stroke="#0b62a4" stroke-width="2" vector-effect="non-scaling-stroke"/>
      <line class="iadb-now" y1="4" y2="66" stroke="#b34000" stroke-width="2" vector-effect="non-scaling-stroke"/>`;
    curve.setAttribute("aria-label", frames.curve);
    caption.replaceChildren(...typeset(frames.curve));
  }
  const caption = make("figcaption");
  curve.after(caption);

  async function show(next) {
    const mine = ++turn;
    if (next.error) return live.say(next.error);
    const decoded = await Promise.all(next.panels.map(async panel => {
      const [ends, sheet] = [panel.ends, panel.sheet ?? panel.ends].map(src => Object.assign(new Image(), { src }));
      await Promise.all([ends.decode(), sheet.decode()]);
      return { panel, sheet, ends };
    }));
    if (mine !== turn) return; // a later answer has overtaken this one
    const alpha = frames.alphas[at] ?? 0;
    frames = next;
    const near = frames.alphas.map(other => Math.abs(other - alpha));
    at = near.indexOf(Math.min(...near));
    const [width, height] = frames.size;
    pictures = decoded.map(picture => ({ ...picture, canvas: make("canvas", { width, height }) }));
    for (const { canvas } of pictures) canvas.setAttribute("role", "img");
    panels.replaceChildren(...pictures.map(({ panel, canvas }) => make("figure", {}, canvas,
      make("figcaption", {}, make("b", {}, ...typeset(panel.symbol)), ` ${panel.meaning}`))));
    if (!live.jumping()) slider.max = frames.alphas.length - 1;
    drawCurve();
    paint();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  function start() {
    if (at === frames.alphas.length - 1) at = 0;
    play.textContent = "Pause";
    timer = setInterval(() => {
      if (at < frames.alphas.length - 1) at += 1;
      paint();
      if (at === frames.alphas.length - 1) stop();
    }, 5000 / Math.max(8, frames.alphas.length));
    paint();
  }
  play.addEventListener("click", () => (timer ? stop() : start()));
  slider.addEventListener("input", () => {
    stop();
    if (live.jumping()) return live.tell();
    at = slider.valueAsNumber;
    paint();
  });

  const live = ask ? liveControls() : { jumping: () => false, say: () => {} };
  show(first);
  return { show: next => { live.answered(next); }, lost: () => live.lost() };

  // What only a kernel can answer. A burst of slider moves never queues: while the kernel is busy with one question,
  // ipywidgets keeps only the newest of those that follow.
  function liveControls() {
    const settings = { mode: "deblend", steps: 128, digits: frames.digits, seed: 0, label: "any", source: "state", x_at: 0, told: 0 };
    let patience = null, count = 0;
    const choice = (name, label, options) => {
      const select = make("select", {}, ...Object.entries(options).map(([key, text]) => make("option", { value: key, textContent: text })));
      select.value = settings[name];
      select.setAttribute("aria-label", label); // else the name would include what can be chosen
      select.addEventListener("change", () => change({ [name]: select.value }));
      return make("label", {}, label, select);
    };
    const mode = choice("mode", "Show", { deblend: "Deblend: the network's path", blend: "Blend: a pair's line", jump: "Jump: one look" });
    const number = make("input", { type: "number", min: 1, max: 128, value: 128 });
    number.setAttribute("aria-label", "Steps T");
    number.addEventListener("change", () => {
      number.value = Math.min(128, Math.max(1, Math.round(number.valueAsNumber) || 1));
      change({ steps: Number(number.value) });
    });
    const steps = make("label", {}, "Steps T", number);
    const digits = choice("digits", "Digits", Object.fromEntries([1, 16, 64, frames.digits].map(n => [n, n])));
    const label = choice("label", "Class", Object.fromEntries([["any", "any"], ...Array.from({ length: 10 }, (_, i) => [i, i])]));
    const source = choice("source", "Look at", { state: "the state", blend: "a blend", noise: "pure noise" });
    const noise = make("button", { type: "button", textContent: "New noise" });
    noise.addEventListener("click", () => change({ seed: settings.seed + 1 }));
    controls.append(mode, noise, digits, steps, label, source);
    settle();

    function settle() { // only what has an effect in this mode is there
      steps.hidden = settings.mode !== "deblend";
      label.hidden = !(settings.mode === "blend" || (settings.mode === "jump" && settings.source === "blend"));
      source.hidden = settings.mode !== "jump";
      play.disabled = settings.mode === "jump";
      for (const element of [steps, label, source]) element.style.display = element.hidden ? "none" : "";
    }
    function change(changed) {
      stop();
      if (changed.mode === "jump") { // what is looked at is made at the α where the slider stands
        Object.assign(settings, { x_at: frames.alphas[at], told: frames.alphas[at] });
        Object.assign(slider, { max: 100, value: Math.round(100 * settings.told) });
      }
      Object.assign(settings, changed, { digits: Number(changed.digits ?? settings.digits) });
      settle();
      say("computing …");
      clearTimeout(patience);
      patience = setTimeout(lost, 15000);
      ask({ ...settings, count: ++count });
    }
    function answered(next) {
      if (next.count === count) { // else a newer answer is to come
        clearTimeout(patience);
        say("");
      }
      show(next);
    }
    function lost() {
      say("The kernel does not answer. If it was restarted, run the cell again; what is shown can still be scrubbed.");
    }
    const say = text => { status.textContent = text; };
    const jumping = () => settings.mode === "jump";
    return {
      answered, lost, say, jumping,
      told: () => settings.told,
      tell: () => { change({ told: slider.valueAsNumber / 100 }); paint(); },
    };
  }
}

// In a notebook, through anywidget.
function renderLive({ model, el }) {
  const explorer = mount(el, model.get("frames"), asked => {
    model.set("asked", asked);
    model.save_changes();
  });
  const answered = () => explorer.show(model.get("frames"));
  const gone = () => { if (model.comm_live === false) explorer.lost(); };
  model.on("change:frames", answered);
  model.on("comm_live_update", gone);
  return () => { model.off("change:frames", answered); model.off("comm_live_update", gone); };
}
