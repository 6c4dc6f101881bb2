// Drives pages in Chromium as its standard input says; see browser_test.go for
// the requests and replies.
//
//   node pages.mjs <chromium> <new profile directory> <the hubs' origins...>
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const PATIENCE_MS = 30_000;

const [executablePath, profile, ...origins] = process.argv.slice(2);
const hosts = origins.map((origin) => new URL(origin).host);

// No sandbox: root, as which CI runs, cannot have one. Only the hubs' own pages
// are opened.
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
context.setDefaultTimeout(PATIENCE_MS);

const pages = new Map();
const problems = []; // since they were last asked for

// Nothing but the hubs' own origins is reached, and every try is a problem.
await context.route("**/*", (route) => {
  const url = new URL(route.request().url());
  if (origins.includes(url.origin)) return route.continue();
  problems.push(`external request: ${url}`);
  return route.abort();
});
await context.addInitScript(() => {
  addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy violation: ${event.effectiveDirective} ${event.blockedURI}`);
  });
});

function watch(name, page) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`${name}: ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`${name}: exception: ${error}`));
  page.on("websocket", (socket) => {
    if (!hosts.includes(new URL(socket.url()).host)) problems.push(`${name}: external websocket: ${socket.url()}`);
  });
}

const element = ({ page, id }) => pages.get(page).getByTestId(id);

const actions = {
  async open({ page, url }) {
    const tab = await context.newPage();
    pages.set(page, tab);
    watch(page, tab);
    const response = await tab.goto(url);
    return { status: response.status() };
  },
  async fill(request) {
    await element(request).fill(request.text);
    return {};
  },
  async click(request) {
    await element(request).filter({ hasText: new RegExp(request.text) }).click();
    return {};
  },
  // Waits until as many elements are visible that match the pattern.
  async see(request) {
    const matching = element(request).filter({ hasText: new RegExp(request.text), visible: true });
    try {
      await matching.nth(request.count - 1).waitFor();
    } catch {
      const body = await pages.get(request.page).locator("body").innerText();
      return { error: `not seen; the page shows: ${body}` };
    }
    const count = await matching.count();
    return count === request.count ? {} : { error: `seen ${count} times, want ${request.count}` };
  },
  async read(request) {
    return { text: await element(request).innerText() };
  },
  problems: () => ({ problems: problems.splice(0) }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const reply = await Promise.resolve(actions[request.do](request)).catch((error) => ({ error: String(error) }));
  process.stdout.write(JSON.stringify(reply) + "\n");
}
await context.close();
