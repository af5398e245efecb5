// What a page does by itself: the network runs on the front page where there is room, and print shows what is folded.

// Answers that somebody prints are to be read; afterwards they are folded as before.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});

// The playground takes the banner's place once it is there. A phone keeps the banner, and a link.
addEventListener("load", () => {
  const place = document.querySelector(".live");
  if (!place || place.clientWidth < 640) return;
  const frame = document.createElement("iframe");
  frame.title = "The network, live: scrub α from noise to digits";
  frame.src = place.querySelector("a").href;
  frame.style.position = "absolute"; // laid out, and so painted, but not in the way until it is there
  frame.style.visibility = "hidden";
  frame.onload = () => {
    frame.removeAttribute("style");
    place.querySelector("a").remove();
  };
  place.append(frame);
});
