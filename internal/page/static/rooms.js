// The rooms the page is in, and what the hub says about them.
import { formatSpan, plural, randomHex } from "./dom.js";
import { HubError } from "./words.js";
import { Room } from "./room.js";

const AGAIN_MS = 4_000;

/** Why a name cannot be a room's, in words; "" when it can. */
export function nameProblem(name) {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes === 0) return "Give the room a name.";
  if (bytes > 512) return `A room name has at most 512 bytes; this one has ${bytes}.`;
  if (/\p{Cc}/u.test(name)) return "A room name has no control characters.";
  return "";
}

export class Rooms {
  #link;
  #hooks;
  #mine = new Set(); // every id this page has had: a guest's changes with each connection

  all = new Map();
  current = null;

  /**
   * Hooks: onList(), onRoom(room), onEntry(room, entry), onSelect(room|null),
   * onRefused(name, words), onMembers(room), reach(scope), which returns how far
   * a message went in words.
   */
  constructor(link, hooks) {
    this.#link = link;
    this.#hooks = hooks;
  }

  /** Joins, or selects a room the page is in. Offline it joins on connect. */
  join(name) {
    let room = this.all.get(name);
    if (!room) {
      room = new Room(name, (r, entry) => this.#changed(r, entry));
      this.all.set(name, room);
    }
    this.select(room);
    if (room.status !== "joined" && this.#link.online) this.#enter(room);
  }

  select(room) {
    this.current = room;
    if (room) room.unread = 0;
    this.#hooks.onSelect(room);
    this.#hooks.onList();
  }

  /** Selects the room `steps` further down the list. */
  step(steps) {
    const rooms = [...this.all.values()];
    if (rooms.length < 2) return;
    const at = rooms.indexOf(this.current);
    this.select(rooms[(at + steps + rooms.length) % rooms.length]);
  }

  leave(room) {
    if (room.status === "joined") this.#link.request("leave_room", { room_id: room.id }).catch(() => {});
    this.#forget(room);
  }

  /** The link is up: be everywhere again. */
  rejoin() {
    for (const room of this.all.values()) if (room.status !== "left") this.#enter(room);
  }

  /** The link is down. */
  lost() {
    for (const room of this.all.values()) room.lost();
  }

  learnID(id) {
    if (id) this.#mine.add(id);
  }

  /** Shows the message at once and sends it. */
  say(room, text) {
    const entry = room.add({ kind: "message", sender: "", own: true, text, state: "sending", why: "", key: randomHex(12) });
    this.#send(room, entry);
  }

  /** Sends an unsent message again; its key lets the hub know it for the same. */
  retry(room, entry) {
    room.update(entry, { state: "sending", why: "" });
    this.#send(room, entry);
  }

  async #send(room, entry) {
    try {
      if (room.status !== "joined") throw new HubError("away", "You are not in the room right now.");
      const data = { room_id: room.id, content: entry.text, idempotency_key: entry.key };
      const sent = await this.#link.request("room_message", data);
      room.confirmed(sent.position ? String(sent.position) : "");
      room.update(entry, { state: "sent", why: this.#hooks.reach(sent.scope) });
    } catch (error) {
      room.update(entry, { state: error.uncertain ? "unknown" : "failed", why: error.message, detail: error.detail });
    }
  }

  async #enter(room) {
    room.status = "joining";
    this.#changed(room);
    const since = room.everJoined ? room.since : "";
    try {
      const data = since ? { room_id: room.id, since } : { room_id: room.id };
      room.joined(await this.#link.request("join_room", data), since, this.#link.node);
    } catch (error) {
      if (error.code === 3004) room.joined({}, since, this.#link.node);
      else if (error.code === "lost" || error.code === "offline") room.lost();
      else if (room.everJoined && (error.uncertain || error.code === 1005)) this.#enterLater(room);
      else this.#refused(room, error);
      return;
    }
    this.#hooks.onMembers(room);
  }

  // The hub could not say yes just now; that is no reason to give the room up.
  #enterLater(room) {
    room.lost();
    setTimeout(() => {
      const wanted = this.all.get(room.id) === room && room.status === "away";
      if (wanted && this.#link.online) this.#enter(room);
    }, AGAIN_MS * (0.5 + Math.random()));
  }

  #refused(room, error) {
    if (!room.everJoined) {
      this.#forget(room);
      this.#hooks.onRefused(room.id, error.message);
      return;
    }
    room.status = "left";
    room.notice(`Not in the room any more: ${error.message}`, "warn");
  }

  #forget(room) {
    this.all.delete(room.id);
    if (this.current === room) this.select([...this.all.values()].at(-1) ?? null);
    else this.#hooks.onList();
  }

  #changed(room, entry) {
    if (entry) this.#hooks.onEntry(room, entry);
    else this.#hooks.onRoom(room);
  }

  /** Takes a message that answers no request; true when it was about rooms. */
  receive(type, data) {
    const room = this.all.get(data.room_id ?? data.room);
    switch (type) {
      case "room_message":
        if (room) this.#heard(room, room.receive(data, this.#mine.has(String(data.sender_id))));
        return true;
      case "room_left":
      case "room_deleted":
        if (room) this.#ended(room, type);
        return true;
      case "member_joined":
      case "member_left":
        if (room) {
          room.toldOfMembers = true;
          this.#hooks.onMembers(room);
        }
        return true;
      case "gap":
        for (const r of room ? [room] : this.all.values()) r.notice(gapWords(data), "warn");
        return true;
      default:
        return false;
    }
  }

  #heard(room, entry) {
    const seen = room === this.current && document.visibilityState === "visible";
    if (!entry || entry.own || seen) return;
    room.unread++;
    this.#hooks.onList();
  }

  #ended(room, type) {
    room.status = "left";
    room.members = null;
    room.notice(type === "room_deleted" ? "The room was deleted." : "The hub took you out of this room.", "warn");
    this.#changed(room);
  }
}

const GAP_REASONS = {
  slow: "this page read too slowly",
  lost: "the bus between the hubs dropped some",
  bus: "the bus between the hubs was away",
  node: "a hub died, or did not answer",
  history: "the history does not reach back so far, or began anew",
};

// since_ms is a span, or a moment on the hub's clock.
function gapWords(data) {
  const since = Number(data.since_ms);
  const span = since > 1e11 ? Date.now() - since : since;
  const when = Number.isFinite(span) && span >= 0 ? ` in the last ${formatSpan(Math.max(span, 1000))}` : "";
  const count = Number(data.count ?? data.missed);
  const what = count > 0 ? `${plural(count, "message")} may be missing` : "Messages may be missing";
  const why = GAP_REASONS[data.reason] ?? data.reason;
  return `${what} here${when}${why ? `: ${why}` : ""}.`;
}
