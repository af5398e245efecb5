// Starts reveal.js, and lets the playground live on the slide that shows it, and on no other.

const receiving = /[?&](receiver|print-pdf)/.test(location.search); // the speaker's small views, or paper
document.getElementById("engine").media = "all"; // without scripts the slides stand one below the other
document.documentElement.classList.add("scripted");
let address, frame;

// The playground in a frame of its own, made when its slide is shown. Until it says that it runs, the picture stays.
function begin(slide) {
  frame?.remove();
  document.querySelector(".live.running")?.classList.remove("running");
  frame = undefined;
  const place = slide?.querySelector(".live");
  if (!place || receiving) return;
  address ??= URL.createObjectURL(new Blob(
    [JSON.parse(document.getElementById("playground").textContent)], { type: "text/html" }));
  frame = Object.assign(document.createElement("iframe"), { title: place.dataset.title });
  frame.src = `${address}#${place.dataset.moment}`;
  place.append(frame);
}

// What the playground tells: that it runs, or a key that belongs to the slides.
addEventListener("message", ({ source, data }) => {
  if (!frame || source !== frame.contentWindow) return;
  if (data?.running) frame.parentElement.classList.add("running");
  if (!data?.key) return;
  frame.blur(); // the keys are the slides' again
  window.focus();
  if (data.key === "PageDown") Reveal.next();
  if (data.key === "PageUp") Reveal.prev();
});

Reveal.initialize({
  width: 1280, height: 720, margin: 0, center: false, hash: true, slideNumber: "c/t", transition: "none",
  backgroundTransition: "none", controls: true, controlsLayout: "edges", pdfSeparateFragments: false, plugins: [RevealNotes],
}).then(() => {
  begin(Reveal.getCurrentSlide());
  Reveal.on("slidechanged", ({ currentSlide }) => begin(currentSlide));
});
