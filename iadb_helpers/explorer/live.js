// What only a kernel can answer, added to the slider of script.js. A burst of slider moves never queues: while the
// kernel is busy with one question, ipywidgets keeps only the newest of those that follow.

const PATIENCE = 5000; // milliseconds without a word from the kernel until we say why; it reports each evaluation

function addControls(view, first, ask) {
  const settings = { ...first };
  let patience = null, count = first.count, gone = false;

  const choice = (name, label, options) => {
    const select = make("select", {}, ...options.map(([key, text]) => make("option", { value: key, textContent: text })));
    select.value = settings[name];
    select.setAttribute("aria-label", label); // else the name would include what can be chosen
    select.addEventListener("change", () => change({ [name]: name === "digits" ? Number(select.value) : select.value }));
    return make("label", {}, label, select);
  };
  const mode = choice("mode", "Show", [["deblend", "Deblend: the network's path"], ["blend", "Blend: a pair's line"], ["jump", "Jump: one look"]]);
  const noise = make("button", { type: "button", textContent: "New noise" });
  noise.addEventListener("click", () => change({ seed: settings.seed + 1 }));
  const numbers = [...new Set([1, 16, 64, settings.digits])].sort((a, b) => a - b);
  const digits = choice("digits", "Digits", numbers.map(n => [n, n]));
  const method = choice("method", "Method", [["ab2", "Adams–Bashforth, small steps first"], ["euler", "Euler, equal steps (the paper's)"]]);
  const number = make("input", { type: "number", min: 1, max: 128, value: settings.steps });
  number.setAttribute("aria-label", "Steps T");
  const entered = () => {
    const steps = Math.min(128, Math.max(1, Math.round(number.valueAsNumber) || 1));
    number.value = steps;
    if (steps !== settings.steps) change({ steps });
  };
  number.addEventListener("change", entered);
  // JupyterLab cancels what Enter inserts, and then a browser sends no change.
  number.addEventListener("keydown", event => { if (event.key === "Enter") entered(); });
  const source = choice("source", "Look at", [["state", "the state"], ["blend", "a blend"], ["noise", "pure noise"]]);
  const label = choice("label", "Class", [["any", "any"], ...Array.from({ length: 10 }, (_, i) => [i, i])]);
  const forPath = make("div", { className: "iadb-row" }, method, make("label", {}, "Steps T", number));
  const forOthers = make("div", { className: "iadb-row" }, source, label);
  const bar = make("progress", { value: 0, max: 1 });
  bar.setAttribute("aria-label", "evaluations of the network");
  const status = make("span", { className: "iadb-status" });
  status.setAttribute("role", "status");
  // The rows of two modes share one place, so that nothing below or above moves when the mode changes.
  const controls = make("fieldset", { className: "iadb-row" }, mode, noise, digits,
    make("div", { className: "iadb-swap" }, forPath, forOthers));
  view.inside.append(controls, make("div", { className: "iadb-row iadb-wait" }, bar, status));

  function settle() { // only what has an effect in this mode is there
    const jump = settings.mode === "jump";
    forPath.style.visibility = settings.mode === "deblend" ? "" : "hidden";
    forOthers.style.visibility = settings.mode === "deblend" ? "hidden" : "";
    source.style.display = jump ? "" : "none";
    label.style.display = jump && settings.source !== "blend" ? "none" : "";
    view.play.disabled = jump;
    view.told = jump ? settings.told : null;
    if (jump) Object.assign(view.slider, { max: 100, value: Math.round(100 * settings.told) });
  }
  function change(changed) {
    view.stop();
    if (gone) return view.lost(); // a jump's slider is no part of what is disabled then
    if (changed.mode === "jump") { // what is looked at is made at the α where the slider stands
      Object.assign(settings, { x_at: view.alpha(), told: Math.round(100 * view.alpha()) / 100 });
    }
    Object.assign(settings, changed);
    settle();
    wait("computing …");
    ask({ ...settings, count: ++count });
  }
  function wait(text) {
    say(text);
    bar.removeAttribute("value"); // shows that something goes on, and not yet how much of it
    bar.style.visibility = "";
    clearTimeout(patience);
    patience = setTimeout(impatient, PATIENCE);
  }
  function impatient() { // not every front end tells us of a restart
    wait("The kernel is busy. The answer comes when it is free; if it was restarted, run the cell again.");
  }
  function say(text) {
    clearTimeout(patience);
    status.textContent = text;
    bar.style.visibility = "hidden";
  }

  view.say = say;
  view.tell = told => { change({ told }); view.paint(); };
  view.reported = ({ count: of_, done, of }) => {
    if (of_ !== count) return; // of a question that is no longer the newest
    wait("computing …");
    Object.assign(bar, { max: of, value: done });
  };
  view.answered = next => {
    if (next.count === count) say(""); // else a newer answer is to come
    view.show(next);
  };
  view.lost = () => {
    controls.disabled = gone = true;
    say("The kernel does not answer. Run the cell again; what is shown can still be scrubbed.");
  };
  say("");
  settle();
}

// In a notebook, through anywidget.
function render({ model, el }) {
  const ask = asked => {
    model.set("asked", asked);
    model.save_changes();
  };
  const view = mount(el, model.get("frames"), view => addControls(view, model.get("asked"), ask));
  const handlers = {
    "change:frames": () => view.answered(model.get("frames")),
    "msg:custom": message => view.reported(message),
    comm_live_update: () => view.lost(), // it changes only once: when the kernel is restarted
  };
  for (const [event, handler] of Object.entries(handlers)) model.on(event, handler);
  const kernel = model.widget_manager?.kernel; // JupyterLab and Notebook 7 have it, and it tells of a crash, too
  const changed = (_, status) => { if (["autorestarting", "restarting", "terminating", "dead"].includes(status)) view.lost(); };
  kernel?.statusChanged?.connect(changed);
  return () => {
    view.stop();
    for (const [event, handler] of Object.entries(handlers)) model.off(event, handler);
    kernel?.statusChanged?.disconnect(changed);
  };
}
