"""The playground in Chromium and Firefox, one thread each: ``python -m benchmarks.playground [--minutes 5]``.

Speed, whether its digits are PyTorch's, its size, its memory. It needs what ``make test-browser`` installs.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright  # pyright: ignore[reportMissingImports] (see requirements-browser.txt)

from benchmarks.report import record, spread
from iadb_helpers import load_pretrained, sample, to_display
from iadb_helpers.explorer.page import page
from tools.browsers import chromium, in_firefox

DIGITS, ROUNDS = 32, 30
READY = "performance.getEntriesByName('first picture').length && window.iadb"
SPEED = """(async () => {
  const turns = async (n, act) => {
    const times = [];
    for (let i = 0; i < n; i++) {
      const began = performance.now();
      await act(i);
      times.push(performance.now() - began);
    }
    return times;
  };
  const [one, sixteen] = [await iadb.noise(1, 1), await iadb.noise(1, 16)];
  const settings = { steps: 16, method: "ab2", schedule: "early", guidance: 0.4 };
  const slider = document.querySelector("input.main"), picture = document.querySelectorAll("canvas.picture")[1];
  await new Promise(resolve => setTimeout(resolve, 5000)); // until the view has computed all it shows
  await turns(10, () => iadb.evaluate(one, 0.3));
  const opened = performance.getEntriesByName("first picture")[0].startTime;
  return {
    opened: [opened],
    evaluation: await turns(60, () => iadb.evaluate(one, 0.3)),
    slider: await turns(40, async i => {
      slider.value = 0.2 + 0.015 * i;
      const painted = new Promise(resolve => new MutationObserver((_, watcher) => {
        watcher.disconnect();
        requestAnimationFrame(resolve);
      }).observe(picture, { attributes: true }));
      slider.dispatchEvent(new Event("input"));
      await painted;
    }),
    "one digit": await turns(10, () => iadb.sample(one, settings)),
    "16 digits": await turns(3, () => iadb.sample(sixteen, settings)),
  };
})()"""
MANY_STEPS = f"""(async () => {{
  const x0 = await iadb.noise(7, {DIGITS});
  return [...x0, ...await iadb.sample(x0, {{ steps: 128 }})];
}})()"""
NAMES = {
    "opened": "from opening the file to the first picture, ms",
    "evaluation": "one evaluation of one digit, ms",
    "slider": "from a move of the slider to the next frame with its evaluation, ms",
    "one digit": "one digit in 16 guided evaluations, ms",
    "16 digits": "16 digits in 16 guided evaluations, ms",
}


def measured(speed: dict[str, list[float]], opened: list[float]) -> dict:
    """One browser's figures."""
    return {NAMES[name]: spread(times, 1) for name, times in (speed | {"opened": opened}).items()}


def agreement(told: list[float]) -> dict[str, float]:
    """How the page's digits after 128 Euler steps differ from PyTorch's, in grey levels of 255."""
    x0, x1 = torch.tensor(told).reshape(2, DIGITS, 1, 32, 32)
    rounded = load_pretrained("cpu").half().float()
    grey = to_display(x1) * 255
    same, whole = (
        to_display(sample(net, x0, 128, precision="float32")) * 255 for net in (rounded, load_pretrained("cpu"))
    )
    return {
        "greatest difference from the same rounded weights, grey levels": round((grey - same).abs().max().item(), 4),
        "greatest difference from the weights in float32": round((grey - whole).abs().max().item(), 4),
        "share of pixels that the weights in float32 would give another value": round(
            (grey.round() != whole.round()).float().mean().item(), 5
        ),
        "share of digits with a pixel more than one level off": round(
            ((grey - whole).abs().amax(dim=(1, 2, 3)) > 1).float().mean().item(), 3
        ),
    }


def in_chromium(address: str, minutes: float) -> tuple[dict, list[float], list[float]]:
    """Speed; x₀ and x₁ of many steps; and the page's memory after each minute of scrubbing, in MB."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        opened, tab = [], browser.new_page(viewport={"width": 1280, "height": 800})
        for _ in range(5):
            tab.goto("about:blank")
            tab.goto(address)
            tab.wait_for_function(READY)
            opened.append(tab.evaluate("performance.getEntriesByName('first picture')[0].startTime"))
        speed, many = tab.evaluate(SPEED), tab.evaluate(MANY_STEPS)
        session, heap = tab.context.new_cdp_session(tab), []
        for _ in range(round(minutes)):
            tab.evaluate(
                """async () => {
                  const slider = document.querySelector("input.main"), ends = performance.now() + 60000;
                  for (let i = 0; performance.now() < ends; i++) {
                    slider.value = Math.abs(Math.sin(i / 40));
                    slider.dispatchEvent(new Event("input"));
                    await new Promise(requestAnimationFrame);
                  }
                }"""
            )
            session.send("HeapProfiler.collectGarbage")
            heap.append(round(session.send("Runtime.getHeapUsage")["usedSize"] / 1e6, 2))
        browser.close()
    return measured(speed, opened), many, heap


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.playground", description=__doc__)
    parser.add_argument("--minutes", type=int, default=5, help="of scrubbing, for the memory (default: 5)")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "playground.html"
        file.write_text(page(load_pretrained("cpu")), encoding="utf-8")
        address = f"{file.as_uri()}#view=scrub&alpha=0.3"
        steps = []
        for _ in range(5):
            opened = "performance.getEntriesByName('first picture')[0].startTime"
            steps += [["goto", "about:blank"], ["goto", address], ["wait", READY], ["evaluate", opened]]
        *told, speed, many = in_firefox([["size", 1280, 800], *steps, ["evaluate", SPEED], ["evaluate", MANY_STEPS]])
        firefox = measured(speed, [time for time in told if time is not None])
        chromium_, many_chromium, heap = in_chromium(address, minutes)
        record(
            "playground",
            {
                "page, MB": round(file.stat().st_size / 1e6, 2),
                "digits": DIGITS,
                "chromium": chromium_ | agreement(many_chromium),
                "firefox": firefox | agreement(many),
                "both browsers give the same bits": json.dumps(many) == json.dumps(many_chromium),
                "memory of the page after each minute of scrubbing, MB": heap,
            },
        )


if __name__ == "__main__":
    main()
