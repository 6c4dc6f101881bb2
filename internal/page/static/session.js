// One websocket from dial to close: envelopes, and requests with their answers.
import { HubError } from "./words.js";

const DIAL_MS = 10_000;
const ANSWER_MS = 10_000;

/** The websocket address of the hub on this host. */
export const hubURL = (host) => `${location.protocol === "https:" ? "wss" : "ws"}://${host}/ws`;

export class Session {
  #ws;
  #hooks;
  #nextID = 1;
  #pending = new Map(); // message_id -> {resolve, reject, timer}
  #dialTimer;
  #over = false;

  opened = false;
  /** The hub's id, where whoever listens for `connected` sets it. */
  node = "";
  /** performance.now() of the last frame from the hub. */
  heardAt = 0;

  /**
   * Dials the hub on this host at once. Hooks: onOpen(), onMessage(type, data, envelope) for what
   * answers no request, onClose({code, reason, opened}) exactly once,
   * tap(direction, text) for every frame. Throws a SyntaxError for a token no
   * subprotocol can carry.
   */
  constructor(host, token, hooks) {
    this.#hooks = hooks;
    const protocols = ["gohub.v1"];
    if (token) protocols.push(`gohub.token.${token}`);
    this.#ws = new WebSocket(hubURL(host), protocols);
    this.#ws.binaryType = "arraybuffer";
    this.#dialTimer = setTimeout(() => this.close(), DIAL_MS);
    this.#ws.onopen = () => {
      clearTimeout(this.#dialTimer);
      this.opened = true;
      this.heardAt = performance.now();
      hooks.onOpen?.();
    };
    this.#ws.onmessage = (event) => this.#receive(event.data);
    this.#ws.onclose = (event) => this.#finish(event.code, event.reason);
  }

  get isOpen() {
    return !this.#over && this.#ws.readyState === WebSocket.OPEN;
  }

  /** Sends without asking for an answer; false when the socket is not open. */
  send(type, data) {
    return this.#write({ message_type: type, data });
  }

  /** Sends a request; resolves with the reply's data, rejects with a HubError. */
  request(type, data) {
    return new Promise((resolve, reject) => {
      const id = this.#nextID++;
      if (!this.#write({ message_type: type, data, message_id: id })) {
        reject(HubError.offline());
        return;
      }
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(HubError.timeout());
      }, ANSWER_MS);
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  /** Ends the session now; a peer that no longer answers cannot delay it. */
  close(code = 1006, reason = "") {
    this.#ws.onmessage = this.#ws.onopen = this.#ws.onclose = null;
    this.#ws.close(1000);
    this.#finish(code, reason);
  }

  #write(envelope) {
    if (!this.isOpen) return false;
    const text = JSON.stringify(envelope);
    this.#ws.send(text);
    this.#hooks.tap?.("out", text);
    return true;
  }

  #receive(raw) {
    this.heardAt = performance.now();
    const text = typeof raw === "string" ? raw : `(${raw.byteLength} bytes of binary)`;
    this.#hooks.tap?.("in", text);
    let envelope;
    try {
      envelope = JSON.parse(text);
    } catch {
      return; // not of this protocol; the wire panel shows it
    }
    if (typeof envelope?.message_type !== "string") return;
    const data = envelope.data ?? {};
    const id = envelope.request_id || (envelope.message_type === "error" && data.request_id) || 0;
    const waiting = this.#pending.get(id);
    if (!waiting) {
      this.#hooks.onMessage?.(envelope.message_type, data, envelope);
      return;
    }
    this.#pending.delete(id);
    clearTimeout(waiting.timer);
    if (envelope.message_type === "error") waiting.reject(HubError.from(data));
    else waiting.resolve(data);
  }

  #finish(code, reason) {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#dialTimer);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(HubError.lost());
    }
    this.#pending.clear();
    this.#hooks.onClose?.({ code, reason, opened: this.opened });
  }
}
