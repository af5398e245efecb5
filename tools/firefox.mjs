// Drives Firefox through a list of steps, by WebDriver BiDi: Playwright cannot drive the Firefox that systems bring.
// Reads {firefox, steps} as JSON, prints {results, errors}: what each step returned, and what the pages complained of.

import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

const { firefox, steps } = JSON.parse(readFileSync(0, "utf-8"));
const browser = await puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true, protocolTimeout: 600000 });
const errors = [], results = [];
try {
  const page = await browser.newPage();
  page.on("pageerror", error => errors.push(String(error)));
  page.on("console", message => message.type() === "error" && errors.push(message.text()));
  page.on("request", request => /^http/.test(request.url()) && errors.push(`asks ${request.url()}`));
  const doing = {
    goto: address => page.goto(address),
    reload: () => page.reload(),
    size: (width, height) => page.setViewport({ width, height }),
    evaluate: code => page.evaluate(code),
    wait: condition => page.waitForFunction(condition, { timeout: 30000 }),
    press: key => page.keyboard.press(key),
    click: selector => page.click(selector),
    drag: async (from, to) => {
      await page.mouse.move(...from);
      await page.mouse.down();
      await page.mouse.move(...to, { steps: 8 });
      await page.mouse.up();
    },
  };
  for (const [what, ...values] of steps) {
    const result = await doing[what](...values);
    results.push(what === "evaluate" ? result : null);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify({ results, errors }));
