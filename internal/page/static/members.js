// Who is in the open room: the first page of its members, kept fresh.
import { byId, formatCount, hueOf, make, plural, setText } from "./dom.js";

const PAGE = 100;
const SOON_MS = 250; // notices that come together cost one request
const POLL_MS = 5_000;
const POLL_TOLD_MS = 30_000; // where the hub tells of changes, polling only repairs

export class Members {
  #link;
  #room = null;
  #timer = 0;
  #onCount;

  /** onCount(room) is called when a room's count changed. */
  constructor(link, onCount) {
    this.#link = link;
    this.#onCount = onCount;
    document.addEventListener("visibilitychange", () => !document.hidden && this.soon(this.#room));
  }

  show(room) {
    this.#room = room;
    this.#draw();
    this.soon(room);
  }

  /** Asks again shortly, if this is the open room. */
  soon(room) {
    if (room && room === this.#room) this.#schedule(SOON_MS);
  }

  #schedule(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ms);
  }

  async #ask() {
    const room = this.#room;
    if (!room) return;
    if (document.hidden) return; // asked again once visible
    let sure = false; // what is known holds until the hub tells of a change
    if (room.status === "joined" && this.#link.online) {
      try {
        take(room, await this.#link.request("room_members", { room_id: room.id, limit: PAGE }));
        room.membersHidden = "";
        sure = room.toldOfMembers && room.membersMissing.length === 0;
      } catch (error) {
        if (error.code === 2001) {
          room.members = null;
          sure = true;
        }
        room.membersHidden = error.code === "lost" ? "" : error.message;
      }
      this.#onCount(room);
    }
    if (room !== this.#room) return;
    this.#draw();
    this.#schedule(sure ? POLL_TOLD_MS : POLL_MS);
  }

  #draw() {
    const room = this.#room;
    const members = room?.members ?? [];
    const own = this.#link.id;
    setText(byId("member-count"), room && Number.isFinite(room.memberCount) ? formatCount(room.memberCount) : "");
    const sorted = own && members.includes(own) ? [own, ...members.filter((id) => id !== own)] : members;
    const list = byId("members");
    const shown = Array.from(list.children, (item) => item.dataset.client);
    if (sorted.length !== shown.length || sorted.some((id, i) => id !== shown[i])) {
      list.replaceChildren(...sorted.map((id) => item(id, id === own)));
    }
    setText(byId("members-note"), note(room, members.length));
  }
}

// The page of members: objects with client_id, or ids.
function take(room, data) {
  const list = Array.isArray(data.members) ? data.members : [];
  room.members = list.map((m) => String(typeof m === "object" && m ? m.client_id ?? m.id ?? "" : m));
  room.memberCount = Number.isFinite(data.count) ? Math.max(data.count, list.length) : list.length;
  const missing = data.missing_nodes ?? data.missing ?? data.nodes_missing;
  room.membersMissing = Array.isArray(missing) ? missing.map(String) : [];
}

function item(id, own) {
  const dot = make("span", { className: "dot", ariaHidden: "true" });
  dot.style.setProperty("--hue", hueOf(id));
  const children = [dot, make("span", { className: "name mono", textContent: id })];
  if (own) children.push(make("span", { className: "tag", textContent: "you" }));
  return make("li", { title: id, data: { testid: "member", client: id } }, ...children);
}

function note(room, shown) {
  if (!room) return "Join a room to see who is there.";
  if (room.membersHidden) return room.membersHidden;
  if (room.membersMissing?.length) return `Without those on ${room.membersMissing.join(", ")}: no answer from there.`;
  const more = room.memberCount - shown;
  return more > 0 && shown > 0 ? `and ${plural(more, "more", "more")}` : "";
}
