// The open room: its head, its flow of messages and the composer.
import { byId, hueOf, make, plural, setText } from "./dom.js";

const NEAR_END_PX = 80;
const SAME_BREATH_MS = 120_000; // messages of one sender this close share a head

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export class Chat {
  #rooms;
  #room = null;
  #list = byId("messages");
  #scroll = byId("scroll");
  #input = byId("message-input");
  #shown = new Map(); // entry -> element
  #last = null; // the last entry shown
  #frame = 0;

  constructor(rooms) {
    this.#rooms = rooms;
    byId("message-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say();
    });
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#say();
    });
    this.#input.addEventListener("input", () => this.#fit());
    byId("leave-button").addEventListener("click", () => this.#room && rooms.leave(this.#room));
    byId("newer").addEventListener("click", () => this.#toEnd());
    // A phone's keyboard or the wire panel must not hide the last message.
    let stuck = true;
    this.#scroll.addEventListener("scroll", () => {
      stuck = this.#atEnd();
      if (stuck) byId("newer").hidden = true;
    });
    new ResizeObserver(() => stuck && this.#toEnd()).observe(this.#scroll);
  }

  /** Shows this room, or the welcome for null. */
  show(room) {
    if (this.#room) this.#room.draft = this.#input.value;
    this.#room = room;
    byId("welcome").hidden = Boolean(room);
    byId("room").hidden = !room;
    this.#list.setAttribute("aria-live", "off"); // old messages are no news
    this.#list.replaceChildren();
    this.#shown.clear();
    this.#last = null;
    if (!room) return;
    this.#input.value = room.draft;
    this.#fit();
    this.refresh(room);
    this.#draw();
    this.#toEnd();
    requestAnimationFrame(() => this.#list.setAttribute("aria-live", "polite"));
  }

  focus() {
    if (this.#room) this.#input.focus({ preventScroll: true });
  }

  /** The room's head changed. */
  refresh(room) {
    if (room !== this.#room) return;
    setText(byId("room-name"), room.id);
    setText(byId("room-note"), headNote(room));
    byId("room").dataset.status = room.status;
    byId("send-button").disabled = room.status !== "joined";
  }

  /** An entry came or changed; a frame draws all that came since the last. */
  refreshEntry(room, entry) {
    if (room !== this.#room) return;
    const element = this.#shown.get(entry);
    if (element) this.#fill(element, entry);
    else if (document.hidden) this.#draw(); // no frames while hidden
    else this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const room = this.#room;
    if (!room) return;
    const stick = this.#atEnd();
    const fresh = room.entries.filter((entry) => entry.sequence > (this.#last?.sequence ?? 0));
    const elements = fresh.map((entry) => this.#make(entry));
    this.#list.append(...elements);
    const kept = room.entries[0]?.sequence ?? 0;
    for (const [entry, element] of this.#shown) {
      if (entry.sequence >= kept) break;
      element.remove();
      this.#shown.delete(entry);
    }
    if (fresh.length === 0) return;
    if (stick || fresh.some((entry) => entry.own)) this.#toEnd();
    else byId("newer").hidden = false;
  }

  #make(entry) {
    const element = make("div", { data: { testid: entry.kind } });
    const before = this.#last;
    const joined = before?.kind === "message" && entry.kind === "message" && before.own === entry.own
      && before.sender === entry.sender && entry.time - before.time < SAME_BREATH_MS;
    element.className = `entry ${entry.kind}${entry.own ? " own" : ""}${joined ? " follows" : ""}`;
    this.#shown.set(entry, element);
    this.#last = entry;
    this.#fill(element, entry);
    return element;
  }

  #fill(element, entry) {
    if (entry.kind === "notice") {
      element.dataset.tone = entry.tone;
      element.textContent = entry.text;
    } else if (entry.kind === "burst") {
      const who = entry.own ? "your burst" : `a burst from ${entry.sender}`;
      element.textContent = `${plural(entry.count, "message")} of ${who}`;
    } else {
      this.#fillMessage(element, entry);
    }
  }

  #fillMessage(element, entry) {
    element.dataset.state = entry.state;
    const who = make("span", { className: "who", title: entry.sender, textContent: entry.own ? "You" : entry.sender || "unknown" });
    const at = new Date(entry.time);
    const time = make("time", { dateTime: at.toISOString(), textContent: clock.format(at), title: at.toLocaleString() });
    if (!entry.own) element.style.setProperty("--hue", hueOf(entry.sender));
    const parts = [
      make("p", { className: "head" }, who, time),
      make("p", { className: "text", textContent: entry.text, data: { testid: "message-text" } }),
    ];
    if (entry.own) parts.push(this.#fate(entry));
    element.replaceChildren(...parts);
  }

  #fate(entry) {
    const words = { sending: "sending…", sent: "sent ✓", unknown: "may have arrived", failed: "not sent" }[entry.state];
    const text = entry.why ? `${words}${entry.state === "sent" ? " " : ": "}${entry.why}` : words;
    const fate = make("p", { className: "fate", title: entry.detail ?? "", data: { testid: "message-state" } }, text);
    if (entry.state === "unknown" || entry.state === "failed") {
      const again = make("button", { type: "button", className: "link", textContent: "Send again" });
      again.addEventListener("click", () => this.#rooms.retry(this.#room, entry));
      fate.append(" ", again);
    }
    return fate;
  }

  #say() {
    const text = this.#input.value.trim();
    if (!text || !this.#room || byId("send-button").disabled) return;
    this.#input.value = "";
    this.#fit();
    this.#rooms.say(this.#room, text);
  }

  // The field grows with its text up to the limit in the style sheet.
  #fit() {
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight + 2}px`;
  }

  #atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    byId("newer").hidden = true;
  }
}

function headNote(room) {
  switch (room.status) {
    case "joining":
      return "joining…";
    case "away":
      return "waiting for the connection";
    case "left":
      return "you are not in this room";
    default:
      return Number.isFinite(room.memberCount) ? plural(room.memberCount, "member") : "";
  }
}
