// In the playground when it is a guest on a slide: says that it runs, and gives the slides their keys back.

const running = setInterval(() => {
  if (!window.iadb) return;
  clearInterval(running);
  parent.postMessage({ running: true }, "*"); // both pages may come from a disk, which has no origin to name
}, 50);

addEventListener("keydown", event => {
  if (!["PageDown", "PageUp", "Escape"].includes(event.key)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  parent.postMessage({ key: event.key }, "*");
}, { capture: true });
