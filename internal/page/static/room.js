// What the page knows of one room: its entries, members and positions.

const KEPT_ENTRIES = 400;
const KEPT_POSITIONS = 4000; // what the fastest sender adds while SETTLE_MS passes
const SETTLE_MS = 2000; // by then a message overtaken by an answer has come

export const BURST = /^burst:([0-9a-f]{8}):(\d+)\/(\d+)$/;

export class Room {
  /** joining | joined | away | left */
  status = "joining";
  /** What is shown, oldest first: messages, notices and bursts. */
  entries = [];
  unread = 0;
  draft = "";
  members = null; // null: not known
  memberCount = NaN;
  membersHidden = "";
  toldOfMembers = false; // the hub sends member notices here
  awaySince = 0; // performance.now() when the connection went
  everJoined = false;
  node = ""; // the hub it was joined on
  /** The last position before which nothing is missing; "" without history. */
  since = "";

  #sequence = 0;
  #known = new Set(); // positions seen, oldest first
  #heard = 0; // messages of others with a position
  #chained = false; // the next message's prev can be judged
  #changed;
  #timers = new Set();

  /** changed(room, entry?) is called when the room or one entry changed. */
  constructor(id, changed) {
    this.id = id;
    this.#changed = changed;
  }

  add(entry) {
    const added = { time: Date.now(), ...entry, sequence: ++this.#sequence };
    this.entries.push(added);
    if (this.entries.length > KEPT_ENTRIES) this.entries.splice(0, this.entries.length - KEPT_ENTRIES);
    this.#changed(this, added);
    return added;
  }

  /** An honest word in the flow; tone is "" or "warn". */
  notice(text, tone = "") {
    return this.add({ kind: "notice", text, tone });
  }

  update(entry, changes) {
    Object.assign(entry, changes);
    this.#changed(this, entry);
  }

  /**
   * After room_joined of the hub `node`. `sinceAsked` is the position that was
   * sent along, if any.
   */
  joined(data, sinceAsked, node) {
    const away = this.awaySince ? performance.now() - this.awaySince : 0;
    const returning = this.everJoined && away > 0;
    this.status = "joined";
    this.everJoined = true;
    this.awaySince = 0;
    const recovered = Boolean(sinceAsked) && data.recovered === true;
    this.#chained = recovered;
    if (!recovered) {
      this.#known.clear();
      this.since = "";
      if (data.position) {
        this.#learn(String(data.position));
        this.since = String(data.position);
      }
    }
    const moved = node && node !== this.node ? `, now on ${node}` : "";
    this.node = node;
    if (returning) this.#tellReturn(away, moved, sinceAsked, recovered);
    this.#changed(this);
  }

  #tellReturn(awayMs, moved, sinceAsked, recovered) {
    const span = awayMs < 1000 ? "less than a second" : `${Math.round(awayMs / 1000)} s`;
    const back = `Back after ${span}${moved}.`;
    if (recovered) {
      this.notice(`${back} The hub sends what you missed.`);
    } else if (sinceAsked) {
      this.notice(`${back} The hub's history does not reach back to where you left: messages may be missing here.`, "warn");
    } else {
      this.notice(`${back} This room has no history to catch up from: messages sent meanwhile are not shown.`, "warn");
    }
  }

  /** Takes a room_message; returns its entry, or null for one already shown. */
  receive(data, own) {
    const position = data.position ? String(data.position) : "";
    if (position && this.#known.has(position)) return null;
    if (position) this.#follow(position, data.prev ? String(data.prev) : "");
    const content = typeof data.content === "string" ? data.content : JSON.stringify(data.content ?? null);
    const sender = String(data.sender_id ?? "");
    const burst = BURST.exec(content);
    if (burst) return this.#receiveBurst(sender, burst);
    const open = own && this.entries.find((e) => e.own && e.state === "unknown" && e.text === content);
    if (open) {
      this.update(open, { state: "sent", why: "" });
      return null;
    }
    const time = Number(data.timestamp) || Date.now();
    return this.add({ kind: "message", sender, own, text: content, time, state: own ? "sent" : "" });
  }

  // A burst is many messages and one line.
  #receiveBurst(sender, [, run, , total]) {
    const shown = this.entries.findLast((e) => e.kind === "burst" && e.run === run);
    if (!shown) return this.add({ kind: "burst", sender, run, count: 1, total: Number(total) });
    this.update(shown, { count: shown.count + 1 });
    return null;
  }

  /** An own message has this position; "" in a room without history. */
  confirmed(position) {
    if (!position) return;
    this.#learn(position);
    // Messages before ours may still be under way, and a resume from our own
    // position would skip them: move on only once they must have come.
    const heard = this.#heard;
    this.#later(() => {
      if (this.status === "joined" && this.#heard === heard) this.since = position;
    });
  }

  #follow(position, prev) {
    if (this.#chained && prev && !this.#known.has(prev)) this.#suspect(prev);
    this.#chained = true;
    this.#learn(position);
    this.#heard++;
    this.since = position;
  }

  // prev may be an own message whose answer is still under way.
  #suspect(prev) {
    this.#later(() => {
      if (!this.#known.has(prev)) this.notice("At least one message is missing here: the hub's chain has a gap.", "warn");
    });
  }

  #learn(position) {
    this.#known.add(position);
    if (this.#known.size > KEPT_POSITIONS) this.#known.delete(this.#known.values().next().value);
  }

  #later(act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, SETTLE_MS);
    this.#timers.add(timer);
  }

  /** The connection went: what was being sent has an unknown fate. */
  lost() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    if (this.status === "left") return;
    if (!this.awaySince) this.awaySince = performance.now();
    this.status = "away";
    this.#changed(this);
  }
}
