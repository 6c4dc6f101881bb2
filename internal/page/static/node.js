// The numbers of the hub that the page is on, and what goes between hubs.
import { byId, drawSpark, formatCount, formatSpan, plural, setText, whileVisible } from "./dom.js";

const EVERY_MS = 2_000;
const KEPT = 60; // two minutes

/** Where the hub on this host tells its numbers. */
export const statsURL = (host) => (host === location.host ? "/page/stats" : `${location.protocol}//${host}/page/stats`);

/** Reads a hub's numbers again and again, and draws them. */
export class NodeView {
  #link;
  #onStats;
  #before = null; // {stats, at}
  #rates = { client: [], sent: [], received: [] };

  /** Asks again now. */
  refresh;

  /** onStats(stats) is told all that was read. */
  constructor(link, onStats) {
    this.#link = link;
    this.#onStats = onStats;
    this.refresh = whileVisible(() => this.#read(), EVERY_MS);
    this.refresh();
  }

  async #read() {
    if (byId("stats-card").hidden) return;
    const { host } = this.#link;
    try {
      const answer = await fetch(statsURL(host), { cache: "no-store" });
      if (answer.status === 404) {
        byId("stats-card").hidden = true; // this hub keeps them to itself
        return;
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const stats = await answer.json();
      if (host !== this.#link.host) return; // the page has moved on
      this.#take(stats, performance.now());
      this.#onStats(stats);
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
    this.#drawTotals(stats);
    if (before && before.stats.node === stats.node && stats.messages_sent >= before.stats.messages_sent) {
      this.#drawRates(before.stats, stats, (at - before.at) / 1000);
    } else {
      this.#rates = { client: [], sent: [], received: [] };
    }
  }

  #drawTotals(stats) {
    const crossing = byId("crossing-card");
    crossing.hidden = !(stats.nodes?.length > 1 || stats.bus_received > 0);
    setText(byId("crossing-note"), `${plural(stats.bus_sent ?? 0, "message")} to other hubs, ${formatCount(stats.bus_received ?? 0)} from them, heartbeats among them.`);
  }

  #drawRates(before, stats, seconds) {
    const rate = (key) => ((stats[key] ?? 0) - (before[key] ?? 0)) / seconds;
    setText(byId("stats-in"), formatCount(rate("messages_received")));
    this.#draw("client", "stats-out", "stats-spark", rate("messages_sent"));
    this.#draw("sent", "crossing-out", "crossing-out-spark", rate("bus_sent"));
    this.#draw("received", "crossing-in", "crossing-in-spark", rate("bus_received"));
  }

  #draw(name, figure, spark, rate) {
    const rates = this.#rates[name];
    rates.push(rate);
    if (rates.length > KEPT) rates.shift();
    setText(byId(figure), formatCount(rate));
    drawSpark(byId(spark), rates, KEPT);
  }
}
