// What a page does by itself: the network runs on the front page where there is room, and print shows what is folded.

// Answers that somebody prints are to be read, and paper is white; afterwards all is as before.
let opened = [], theme;
addEventListener("beforeprint", () => {
  const root = document.documentElement;
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
  theme = root.dataset.theme;
  root.dataset.theme = "light";
  for (const image of document.querySelectorAll("img.only-light")) image.loading = "eager"; // seen for the first time
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
  document.documentElement.dataset.theme = theme;
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
    place.querySelector("a").className = "covered"; // on paper it stands in for what is live
  };
  place.append(frame);
});
