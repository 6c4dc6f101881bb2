// The list of rooms, the form to join one, and on small screens the tabs.
import { byId, formatCount, make, setText } from "./dom.js";
import { nameProblem } from "./rooms.js";

export class Sidebar {
  #rooms;
  #input = byId("room-input");
  #items = new Map(); // room -> its list item

  constructor(rooms) {
    this.#rooms = rooms;
    byId("join-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.open(this.#input.value.trim());
    });
    this.#input.addEventListener("input", () => setText(byId("join-error"), ""));
    byId("welcome-join").addEventListener("click", () => this.open("lobby"));
    byId("tabs").addEventListener("click", (event) => {
      const view = event.target.closest("button")?.dataset.view;
      if (view) showView(view);
    });
  }

  /** Says by the form why a room was not joined. */
  refuse(name, words) {
    setText(byId("join-error"), `“${name}”: ${words}`);
    showView("rooms");
    this.#input.value = name;
    this.#input.select();
  }

  /** Lists the rooms; an item keeps its element, and so the focus. */
  refresh() {
    const rooms = [...this.#rooms.all.values()];
    for (const [room, item] of this.#items) {
      if (this.#rooms.all.get(room.id) === room) continue;
      item.remove();
      this.#items.delete(room);
    }
    for (const room of rooms) {
      if (!this.#items.has(room)) this.#add(room);
      this.#fill(room);
    }
    byId("rooms-empty").hidden = rooms.length > 0;
    const elsewhere = rooms.reduce((sum, room) => sum + room.unread, 0);
    byId("tab-unread").hidden = elsewhere === 0;
    setText(byId("tab-unread"), formatCount(elsewhere));
    const open = this.#rooms.current ? `${this.#rooms.current.id} · ` : "";
    document.title = `${elsewhere > 0 ? `(${formatCount(elsewhere)}) ` : ""}${open}GoHub`;
  }

  /** Joins the room and shows it; says by the form what is wrong with its name. */
  open(name) {
    const problem = nameProblem(name);
    setText(byId("join-error"), problem);
    if (problem) {
      this.#input.focus();
      return;
    }
    this.#input.value = "";
    this.#rooms.join(name);
    showView("chat");
  }

  #add(room) {
    const button = make("button", { type: "button", title: room.id, data: { testid: "room", room: room.id } },
      make("span", { className: "name", textContent: room.id }),
      make("span", { className: "badge", hidden: true }));
    button.addEventListener("click", () => {
      setText(byId("join-error"), "");
      this.#rooms.select(room);
      showView("chat");
    });
    const item = make("li", {}, button);
    this.#items.set(room, item);
    byId("rooms").append(item);
  }

  #fill(room) {
    const button = this.#items.get(room).firstChild;
    const badge = button.lastChild;
    button.dataset.status = room.status;
    if (room === this.#rooms.current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    badge.hidden = room.unread === 0;
    setText(badge, room.unread > 0 ? formatCount(room.unread) : "");
    button.setAttribute("aria-label", room.unread > 0 ? `${room.id}, ${room.unread} unread` : room.id);
  }
}

/** Chooses the part that fills a small screen; a wide one shows them all. */
export function showView(view) {
  document.body.dataset.view = view;
  for (const tab of byId("tabs").children) {
    if (tab.dataset.view === view) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
  document.dispatchEvent(new CustomEvent("viewchange"));
}
