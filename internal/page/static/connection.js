// What the page says about its connection, and the form to make one.
import { byId, formatSpan, setText } from "./dom.js";
import { statsURL } from "./node.js";
import { showView } from "./sidebar.js";

const NAMES = { offline: "Disconnected", connecting: "Connecting…", online: "Connected", waiting: "Reconnecting", stopped: "Stopped" };

const DEGRADED = "This hub has lost touch with the others: messages stay on it, and rooms with a history take none, until it is back.";
const NEWS_MS = 6_000;

export class ConnectionView {
  #link;
  #degraded = false;
  #recovered = 0; // the timer of the news that it is so; 0: no news
  #moveAt = 0;
  #refusedHint = "";
  #tick = 0;

  constructor(link) {
    this.#link = link;
    byId("connect-form").addEventListener("submit", (event) => {
      event.preventDefault();
      setText(byId("token-error"), "");
      link.connect(byId("token-input").value.trim().replace(/^bearer\s+/i, ""));
    });
    byId("disconnect-button").addEventListener("click", () => link.disconnect());
    byId("banner-action").addEventListener("click", () => {
      if (link.state.name === "waiting") link.retryNow();
      else byId("connect-form").requestSubmit();
    });
  }

  /** The link's state changed. */
  refresh() {
    const { state, id, node } = this.#link;
    const pill = byId("state");
    pill.dataset.state = state.name;
    setText(pill, state.ask === "token" ? "Needs a token" : NAMES[state.name]);
    setText(byId("client-id"), id || "–");
    byId("client-id").title = id;
    setText(byId("node"), node || "–");
    const trying = ["online", "connecting", "waiting"].includes(state.name);
    setText(byId("connect-button"), trying ? "Reconnect" : "Connect");
    byId("disconnect-button").hidden = !trying;
    if (state.name !== "online") {
      this.#degraded = false;
      this.#moveAt = 0;
    } else {
      this.#refusedHint = "";
      setText(byId("token-error"), "");
    }
    if (state.refused) this.#explain();
    if (state.ask === "token") this.#askToken(state.words);
    this.#banner();
  }

  /** Takes connected, reconnect, degraded and recovered; true when it was one. */
  receive(type, data) {
    switch (type) {
      case "connected":
        this.refresh();
        return true;
      case "reconnect":
        this.#moveAt = performance.now() + (Number(data.after_ms) || 0);
        break;
      case "degraded":
        this.#degraded = true;
        break;
      case "recovered":
        this.#degraded = false;
        this.#tellRecovered();
        break;
      default:
        return false;
    }
    this.#banner();
    return true;
  }

  #tellRecovered() {
    clearTimeout(this.#recovered);
    this.#recovered = setTimeout(() => {
      this.#recovered = 0;
      this.#banner();
    }, NEWS_MS);
  }

  #askToken(words) {
    setText(byId("token-error"), words);
    showView("rooms");
    byId("token-input").focus();
  }

  // A browser hides why an upgrade was refused; whether the hub answers at all
  // tells the two main reasons apart.
  async #explain() {
    let hint = "The hub cannot be reached.";
    try {
      await fetch(statsURL(this.#link.host), { cache: "no-store", method: "HEAD" });
      const token = byId("token-input").value.trim() !== "";
      hint = `The hub runs but refuses this connection. ${token ? "The token may be wrong or expired" : "It may want a token"}, or it is full or shutting down.`;
    } catch {
      // no answer: the first hint stands
    }
    if (!this.#link.state.refused) return;
    this.#refusedHint = hint;
    this.#banner();
  }

  // The countdown stands apart: a screen reader hears the news, not each second.
  #banner() {
    clearTimeout(this.#tick);
    const { text, tone = "", action = "", until = 0, what = "" } = this.#news();
    byId("banner").hidden = !text;
    byId("banner").dataset.tone = tone;
    setText(byId("banner-text"), text);
    byId("banner-action").hidden = !action;
    setText(byId("banner-action"), action);
    const left = until - performance.now();
    setText(byId("banner-count"), until ? `${what} ${left < 1000 ? "now" : `in ${formatSpan(left)}`}.` : "");
    if (until && left >= 1000) this.#tick = setTimeout(() => this.#banner(), 1000);
  }

  #news() {
    const { state } = this.#link;
    switch (state.name) {
      case "stopped":
        return { text: state.words, tone: "bad", action: state.ask ? "" : "Connect" };
      case "offline":
        return { text: state.words, action: "Connect" };
      case "waiting": {
        const text = (state.refused && this.#refusedHint) || state.words;
        return { text, tone: "warn", action: "Connect now", until: state.until, what: "Trying again" };
      }
      case "connecting":
        return { text: "" };
    }
    if (!this.#moveAt) return this.#clusterNews();
    return { text: "This node is about to restart.", tone: "warn", until: this.#moveAt, what: "The page moves to another" };
  }

  #clusterNews() {
    if (this.#degraded) return { text: DEGRADED, tone: "warn" };
    if (this.#recovered) return { text: "This hub hears the others again.", tone: "good" };
    return { text: "" };
  }
}
