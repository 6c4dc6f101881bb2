// The round trip to the hub.
import { byId, drawSpark, formatMs, quantile, setText, whileVisible } from "./dom.js";

const EVERY_MS = 2_000;
const KEPT = 60; // two minutes
const SETTLE_MS = 400; // the first ping waits until the page has drawn itself
const SILENT_MS = 10_000; // an unanswered ping and no other frame for so long: gone

/** Pings the hub and draws the round trips; gives up a connection gone silent. */
export class Latency {
  #link;
  #samples = [];
  #beat;

  constructor(link) {
    this.#link = link;
    this.#beat = whileVisible(() => this.#ping(), EVERY_MS);
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
