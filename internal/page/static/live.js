// Live figures: the round trip to the hub and the node's own numbers.
import { byId, drawSpark, formatCount, formatMs, formatSpan, quantile, setText } from "./dom.js";

const EVERY_MS = 2_000;
const KEPT = 60; // two minutes
const SETTLE_MS = 400; // the first ping waits until the page has drawn itself
const SILENT_MS = 10_000; // an unanswered ping and no other frame for so long: gone

/** Calls act every EVERY_MS while the page is visible, and when it becomes so. */
function whileVisible(act) {
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
  setInterval(turn, EVERY_MS);
  document.addEventListener("visibilitychange", turn);
  return turn;
}

/** Pings the hub and draws the round trips; gives up a connection gone silent. */
export class Latency {
  #link;
  #samples = [];
  #beat;

  constructor(link) {
    this.#link = link;
    this.#beat = whileVisible(() => this.#ping());
  }

  /** A new connection: its round trips are its own. */
  restart() {
    this.#samples = [];
    this.#draw();
    setTimeout(this.#beat, SETTLE_MS);
  }

  async #ping() {
    if (!this.#link.online) return;
    const sent = performance.now();
    try {
      await this.#link.request("ping", { ts: Date.now() });
      this.#samples.push(performance.now() - sent);
      if (this.#samples.length > KEPT) this.#samples.shift();
      this.#draw();
    } catch (error) {
      const silent = performance.now() - this.#link.heardAt;
      if (error.code === "timeout" && this.#link.online && silent >= SILENT_MS) this.#link.abandon();
    }
  }

  #draw() {
    const samples = this.#samples;
    setText(byId("latency"), formatMs(samples.at(-1)));
    setText(byId("bar-latency"), formatMs(samples.at(-1)));
    setText(byId("latency-p50"), formatMs(quantile(samples, 0.5)));
    setText(byId("latency-max"), formatMs(samples.length ? Math.max(...samples) : NaN));
    drawSpark(byId("latency-spark"), samples, KEPT);
  }
}

/** Reads /page/stats and draws the node's numbers. */
export class NodeStats {
  #before = null; // {stats, at}
  #rates = [];

  constructor() {
    whileVisible(() => this.#read())();
  }

  async #read() {
    if (byId("stats-card").hidden) return;
    try {
      const answer = await fetch("/page/stats", { cache: "no-store" });
      if (answer.status === 404) {
        byId("stats-card").hidden = true; // this hub keeps them to itself
        return;
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.#take(await answer.json(), performance.now());
    } catch {
      this.#before = null;
      setText(byId("stats-note"), "The node does not answer.");
    }
  }

  #take(stats, at) {
    const before = this.#before;
    this.#before = { stats, at };
    setText(byId("stats-clients"), formatCount(stats.clients));
    setText(byId("stats-rooms"), formatCount(stats.rooms));
    setText(byId("stats-node"), stats.node ?? "");
    setText(byId("stats-note"), `GoHub ${stats.version || "of unknown version"}, up ${formatSpan(stats.uptime_s * 1000)}.`);
    if (!before || before.stats.node !== stats.node || stats.messages_sent < before.stats.messages_sent) return;
    const seconds = (at - before.at) / 1000;
    const inRate = (stats.messages_received - before.stats.messages_received) / seconds;
    const outRate = (stats.messages_sent - before.stats.messages_sent) / seconds;
    setText(byId("stats-in"), formatCount(inRate));
    setText(byId("stats-out"), formatCount(outRate));
    this.#rates.push(outRate);
    if (this.#rates.length > KEPT) this.#rates.shift();
    drawSpark(byId("stats-spark"), this.#rates, KEPT);
  }
}
