// The page's connection: keeps a session alive through restarts and losses.
import { Session } from "./session.js";
import { HubError, closeVerdict } from "./words.js";

const BASE_MS = 500;
const CAP_MS = 20_000;
const STABLE_MS = 10_000; // a connection that held this long resets the backoff
const LATE_MS = 5_000; // how long past its slot the hub may be with its 1012

export class Link {
  #session = null;
  #hooks;
  #token = "";
  #attempt = 0;
  #openedAt = 0;
  #moveAt = 0; // when the hub asked us to come back; 0: it did not
  #redial;
  #overdue;

  /** {name: offline|connecting|online|waiting|stopped, words, until, ask, refused} */
  state = { name: "offline", words: "" };
  /** From the hub's `connected`; "" until then. */
  id = "";
  node = "";
  /** Of the hub that is dialled: the page's own, until it is gone or another is chosen. */
  host = location.host;

  /**
   * Hooks: onState(state, before), onMessage(type, data, envelope),
   * tap(direction, text), elsewhere(host), which returns the host to try when
   * the hub on this one is gone.
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  get online() {
    return this.state.name === "online";
  }

  /** performance.now() of the last frame from the hub; 0 while not connected. */
  get heardAt() {
    return this.#session?.heardAt ?? 0;
  }

  /** Connects afresh with this token, "" for none. */
  connect(token) {
    this.#token = token;
    this.#attempt = 0;
    this.#dial();
  }

  /** Goes on with the hub on this host. */
  move(host) {
    this.host = host;
    this.#attempt = 0;
    this.#dial();
  }

  /** Tries again now instead of at the end of the wait. */
  retryNow() {
    if (this.state.name === "waiting") this.#dial();
  }

  disconnect() {
    this.#drop();
    this.#enter({ name: "offline", words: "You disconnected." });
  }

  /** Gives a silent connection up and dials again by the backoff. */
  abandon() {
    this.#session?.close(1006, "no answer");
  }

  request(type, data) {
    return this.#session ? this.#session.request(type, data) : Promise.reject(HubError.offline());
  }

  send(type, data) {
    return this.#session?.send(type, data) ?? false;
  }

  #enter(state) {
    const before = this.state;
    this.state = { words: "", until: 0, ask: "", refused: false, ...state };
    this.#hooks.onState(this.state, before);
  }

  #drop() {
    clearTimeout(this.#redial);
    clearTimeout(this.#overdue);
    const session = this.#session;
    this.#session = null; // before close, so that its onClose is not ours
    this.#moveAt = 0;
    session?.close(1000);
  }

  #dial() {
    this.#drop();
    this.id = this.node = "";
    this.#enter({ name: "connecting" });
    try {
      const session = new Session(this.host, this.#token, {
        tap: this.#hooks.tap,
        onOpen: () => {
          this.#openedAt = performance.now();
          this.#enter({ name: "online" });
        },
        onMessage: (type, data, envelope) => this.#receive(type, data, envelope),
        onClose: (close) => session === this.#session && this.#closed(close),
      });
      this.#session = session;
    } catch {
      this.#enter({ name: "stopped", ask: "token", words: "This is not a token: it has characters no token has." });
    }
  }

  #receive(type, data, envelope) {
    if (type === "connected") {
      this.id = String(data.client_id ?? data.id ?? "");
      this.node = String(data.node ?? data.node_id ?? "");
    } else if (type === "reconnect") {
      // The hub closes with 1012 in our slot. Should it not, we move ourselves.
      const after = Math.max(0, Number(data.after_ms) || 0);
      this.#moveAt = performance.now() + after;
      clearTimeout(this.#overdue);
      this.#overdue = setTimeout(() => this.#session?.close(1012, "moved by itself"), after + LATE_MS);
    }
    this.#hooks.onMessage(type, data, envelope);
  }

  #closed({ code, reason, opened }) {
    clearTimeout(this.#overdue);
    this.#session = null;
    const verdict = closeVerdict(code, reason);
    if (!verdict.retry) {
      this.#enter({ name: "stopped", words: verdict.words, ask: verdict.ask });
      return;
    }
    if (!opened || verdict.gone) this.host = this.#hooks.elsewhere(this.host);
    const delay = this.#delay(verdict.wait, opened);
    this.#enter({
      name: "waiting",
      words: opened ? verdict.words : "Could not connect.",
      refused: !opened,
      until: performance.now() + delay,
    });
    this.#redial = setTimeout(() => this.#dial(), delay);
  }

  // Full jitter: anything from nothing to the backoff, so that a crowd that
  // lost the same hub spreads itself out. A slot the hub named is kept.
  #delay(floor, opened) {
    const now = performance.now();
    if (opened && now - this.#openedAt > STABLE_MS) this.#attempt = 0;
    if (this.#moveAt) {
      const left = Math.max(0, this.#moveAt - now);
      this.#moveAt = 0;
      return left + Math.random() * 250;
    }
    const backoff = Math.min(CAP_MS, BASE_MS * 2 ** this.#attempt++);
    return floor + Math.random() * backoff;
  }
}
