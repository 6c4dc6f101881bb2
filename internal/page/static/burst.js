// The burst: many messages to the room, timed as they arrive on a second
// connection, which may be to another hub. Both ends are this page, so one
// clock measures them.
import { byId, drawSpark, formatCount, formatMs, make, plural, quantile, randomHex, setText } from "./dom.js";
import { BURST } from "./room.js";
import { Session } from "./session.js";
import { HubError } from "./words.js";

const PER_MS = 0.9; // 900 a second: under the hub's 1,000
const SLICE_MS = 8;
const SLICE_MOST = 100; // after a stall, at once
const GIVE_UP_MS = 3_000; // without one more arrival
const OPEN_MS = 5_000;
const DRAW_MS = 200; // seldom: drawing delays the arrivals it shows

export class BurstView {
  #link;
  #room = null;
  #running = false;
  #tap;

  /** tap(direction, text) sees the second connection's frames. */
  constructor(link, tap) {
    this.#link = link;
    this.#tap = tap;
    byId("burst-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      if (this.#running || !this.#room) return;
      this.#running = true;
      this.refresh(this.#room);
      try {
        await this.#run(this.#room, Number(byId("burst-size").value));
      } catch (error) {
        setText(byId("burst-note"), error.message);
      } finally {
        this.#running = false;
        this.refresh(this.#room);
      }
    });
  }

  /** Offers these hubs, as {id, host}, for the second connection. */
  offer(hubs) {
    const choice = byId("burst-hub");
    choice.hidden = hubs.length < 2;
    if (hubs.map((n) => n.host).join() === Array.from(choice.options, (o) => o.value).join()) return;
    const chosen = choice.value;
    choice.replaceChildren(...hubs.map((n) => make("option", { value: n.host, textContent: `to ${n.id}`, selected: n.host === chosen })));
    if (!hubs.some((n) => n.host === chosen)) choice.value = hubs.find((n) => n.host !== this.#link.host)?.host ?? "";
  }

  /** The open room or its state changed. */
  refresh(room) {
    this.#room = room;
    byId("burst-button").disabled = this.#running || room?.status !== "joined";
  }

  async #run(room, total) {
    const run = new Run(this.#link, room, total);
    setText(byId("burst-note"), "");
    byId("burst-result").hidden = false;
    this.#show(run);
    const second = await listen(byId("burst-hub").value || this.#link.host, room.id, (data) => run.arrived(data), this.#tap);
    try {
      const progress = setInterval(() => this.#show(run), DRAW_MS);
      await run.send(Boolean(second)).finally(() => clearInterval(progress));
    } finally {
      second?.close(1000);
    }
    this.#show(run);
    setText(byId("burst-note"), run.verdict(second));
  }

  #show(run) {
    const { took, rate, total } = run;
    byId("burst-progress").value = took.length / total;
    setText(byId("burst-p50"), formatMs(quantile(took, 0.5)));
    setText(byId("burst-p99"), formatMs(quantile(took, 0.99)));
    setText(byId("burst-rate"), formatCount(rate));
    drawSpark(byId("burst-spark"), thin(took), Math.min(total, 240));
  }
}

// The second connection, in the room; null when the hub does not let it in.
// It never carries the token: with it, it would replace the page's own.
async function listen(host, roomID, onRoomMessage, tap) {
  let session;
  try {
    await new Promise((resolve, reject) => {
      session = new Session(host, "", {
        tap,
        onOpen: resolve,
        onClose: () => reject(HubError.lost()),
        onMessage: (type, data) => {
          if (type === "room_message") onRoomMessage(data);
          if (type === "connected") session.node = String(data.node ?? "");
        },
      });
      setTimeout(() => reject(HubError.timeout()), OPEN_MS);
    });
    await session.request("join_room", { room_id: roomID });
    return session;
  } catch {
    session?.close(1000);
    return null;
  }
}

class Run {
  #link;
  #room;
  #id = randomHex(4);
  #sentAt = [];
  #firstAt = 0;
  #lastAt = 0;

  total;
  /** Milliseconds each message took, in order of arrival. */
  took = [];

  constructor(link, room, total) {
    this.#link = link;
    this.#room = room;
    this.total = total;
  }

  /** Arrivals a second, from the first send to the last arrival; NaN before. */
  get rate() {
    return this.took.length > 1 ? (this.took.length * 1000) / (this.#lastAt - this.#firstAt) : NaN;
  }

  arrived(data) {
    const [, id, index] = BURST.exec(data.content) ?? [];
    if (id === this.#id) this.#note(Number(index), data.position);
  }

  // The position keeps the page's own chain whole: it does not hear itself.
  #note(index, position) {
    this.#room.confirmed(position ? String(position) : "");
    this.#lastAt = performance.now();
    this.took.push(this.#lastAt - this.#sentAt[index]);
  }

  /** Sends all, paced, and resolves when all came back or no more do. */
  async send(second) {
    this.#firstAt = this.#lastAt = performance.now();
    const sent = await this.#sendOne(0, true); // the hub may refuse: it says so to a request
    const entry = this.#room.add({ kind: "burst", own: true, run: this.#id, count: 1, total: this.total });
    if (!second) this.#note(0, sent.position);
    await this.#sendRest(entry, second);
    const enough = () => this.took.length >= this.total || performance.now() - this.#lastAt > GIVE_UP_MS;
    while (!enough()) await pause(SLICE_MS);
  }

  async #sendRest(entry, second) {
    let next = 1;
    const told = setInterval(() => this.#room.update(entry, { count: next }), DRAW_MS);
    try {
      while (next < this.total) {
        const due = Math.min(this.total, next + SLICE_MOST, 1 + (performance.now() - this.#firstAt) * PER_MS);
        for (; next < due; next++) this.#sendNext(next, second);
        await pause(SLICE_MS);
      }
    } finally {
      clearInterval(told);
      this.#room.update(entry, { count: next });
    }
  }

  // Without a second connection, each answer to the sender is timed instead.
  #sendNext(index, second) {
    const sent = this.#sendOne(index, !second);
    if (!second) sent.then((data) => this.#note(index, data.position), () => {});
    else if (!sent) throw HubError.lost();
  }

  #sendOne(index, ask) {
    const data = { room_id: this.#room.id, content: `burst:${this.#id}:${index}/${this.total}` };
    this.#sentAt[index] = performance.now();
    return ask ? this.#link.request("room_message", data) : this.#link.send("room_message", data);
  }

  verdict(second) {
    const missing = this.total - this.took.length;
    const across = second?.node && second.node !== this.#link.node;
    const how = second
      ? across ? `Sent through ${this.#link.node}, received through ${second.node}.` : "Sent on one connection, received on another."
      : "The hub let no second guest into the room, so these are the times to the hub's answer.";
    if (missing > 0) return `${plural(missing, "message")} of ${formatCount(this.total)} did not come back. ${how}`;
    return `All ${formatCount(this.total)} came back. ${how}`;
  }
}

// At most 240 points: one for each unit of the drawing's width.
function thin(values) {
  if (values.length <= 240) return values;
  const step = values.length / 240;
  return Array.from({ length: 240 }, (_, i) => Math.max(...values.slice(Math.floor(i * step), Math.floor((i + 1) * step))));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
