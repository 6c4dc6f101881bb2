// Finding, making and filling elements. Text goes in through textContent only.

/** @returns {HTMLElement} the element with this id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element: properties by name, data as {key: value}, then its children. */
export function make(tag, { data = {}, ...properties } = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/** Sets text only where it changed, so screen readers are not told twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Draws values as a line and the area under it into a 240 x 44 svg.sparkline. */
export function drawSpark(svg, values, slots = values.length) {
  const [area, line] = [svg.querySelector(".area"), svg.querySelector(".line")];
  if (values.length < 2) {
    area.setAttribute("points", "");
    line.setAttribute("points", "");
    return;
  }
  const top = Math.max(...values, Number.MIN_VALUE) * 1.15;
  const step = 240 / Math.max(slots - 1, 1);
  const left = 240 - step * (values.length - 1);
  const points = values.map((v, i) => `${(left + i * step).toFixed(1)},${(43 - (v / top) * 41).toFixed(1)}`);
  line.setAttribute("points", points.join(" "));
  area.setAttribute("points", `${left.toFixed(1)},44 ${points.join(" ")} 240,44`);
}

/** The q-th quantile (0 to 1) of unsorted numbers by nearest rank; NaN of none. */
export function quantile(values, q) {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

/** Milliseconds with as many digits as help. */
export function formatMs(ms) {
  if (!Number.isFinite(ms)) return "–";
  return `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A count: in full up to 99,999, then 1.2M. */
export function formatCount(n) {
  if (!Number.isFinite(n)) return "–";
  return Math.abs(n) < 100000 ? whole.format(n) : compact.format(n);
}

/** "1 message", "2 messages". */
export const plural = (n, one, many = `${one}s`) => `${formatCount(n)} ${n === 1 ? one : many}`;

/** Calls act every ms while the page is visible, when it becomes so, and when told to. */
export function whileVisible(act, ms) {
  let busy = false;
  const turn = async () => {
    if (document.hidden || busy) return;
    busy = true;
    try {
      await act();
    } finally {
      busy = false;
    }
  };
  setInterval(turn, ms);
  document.addEventListener("visibilitychange", turn);
  return turn;
}

/** A span of time in words. */
export function formatSpan(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** A colour angle of its own for each name, the same on every page. */
export function hueOf(name) {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507); // spreads names that differ little
  return ((hash ^ (hash >>> 13)) >>> 0) % 360;
}

/** Random hex digits; crypto.randomUUID is missing on plain http. */
export function randomHex(bytes) {
  const raw = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(raw, (b) => b.toString(16).padStart(2, "0")).join("");
}
