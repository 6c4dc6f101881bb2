// The wire: the last frames as they were sent and received.
import { byId, formatCount, make, setText } from "./dom.js";

const KEPT = 100;
const DRAW_MS = 100;
const PREVIEW = 400; // characters of a frame on its line
const PING = /"message_type":\s*"p[io]ng"/;

const clock = new Intl.DateTimeFormat("en", { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

export class Wire {
  #frames = []; // the last KEPT
  #drawn = 0; // how many frames had come when last drawn
  #came = 0;
  #paused = false;
  #timer = 0;
  #counts = { in: 0, out: 0 };
  #list = byId("frames");

  constructor() {
    byId("wire-toggle").addEventListener("click", () => this.#toggle());
    byId("wire-pause").addEventListener("click", () => this.#pause());
    byId("wire-clear").addEventListener("click", () => this.#clear());
    byId("wire-pings").addEventListener("change", (event) => this.#list.classList.toggle("pings", event.target.checked));
    document.addEventListener("viewchange", () => this.#draw());
  }

  /** Takes one frame; second marks the burst's second connection. */
  tap(direction, text, second = false) {
    this.#counts[direction]++;
    this.#timer ||= setTimeout(() => this.#draw(), DRAW_MS);
    if (this.#paused) return;
    this.#came++;
    this.#frames.push({ direction, text, second, time: Date.now() });
    if (this.#frames.length > KEPT) this.#frames.shift();
  }

  #toggle() {
    const open = byId("wire").dataset.open !== "true";
    byId("wire").dataset.open = String(open);
    byId("wire-toggle").setAttribute("aria-expanded", String(open));
    this.#draw();
  }

  #pause() {
    this.#paused = !this.#paused;
    byId("wire-pause").setAttribute("aria-pressed", String(this.#paused));
    setText(byId("wire-pause"), this.#paused ? "Resume" : "Pause");
  }

  #clear() {
    this.#frames = [];
    this.#list.replaceChildren();
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    setText(byId("wire-in"), formatCount(this.#counts.in));
    setText(byId("wire-out"), formatCount(this.#counts.out));
    const count = this.#came - this.#drawn;
    if (count === 0 || byId("wire-body").offsetParent === null) return; // nothing new, or nobody looks
    const fresh = this.#frames.slice(-count);
    this.#drawn = this.#came;
    const list = this.#list;
    const stick = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...fresh.map(row));
    while (list.childElementCount > KEPT) list.firstChild.remove();
    if (stick) list.scrollTop = list.scrollHeight;
  }
}

function row({ direction, text, second, time }) {
  const arrow = make("span", { className: "arrow", textContent: direction === "in" ? "↓" : "↑", title: direction === "in" ? "received" : "sent" });
  const at = make("time", { textContent: clock.format(time) });
  const parts = [arrow, at];
  if (second) parts.push(make("span", { className: "tag", textContent: "2nd", title: "the burst's second connection" }));
  parts.push(make("code", { textContent: text.length > PREVIEW ? `${text.slice(0, PREVIEW)}…` : text }));
  const details = make("details", {}, make("summary", {}, ...parts));
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("pre")) details.append(make("pre", { textContent: pretty(text) }));
  });
  const item = make("li", { data: { testid: "frame", direction } }, details);
  if (PING.test(text)) item.className = "ping";
  return item;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
