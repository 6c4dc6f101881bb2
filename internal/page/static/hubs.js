// The hubs of the cluster: where the page is, and where it can go.
import { byId, formatCount, make, plural, setText } from "./dom.js";

const REMEMBER_MS = 60_000; // a hub that is gone stays listed for so long

export class Hubs {
  #link;
  #known = new Map(); // id -> {node, goneAt}
  #tried = new Set(); // hosts that did not take us since we were last connected
  #items = new Map(); // id -> its list item

  constructor(link) {
    this.#link = link;
  }

  /** How many hubs there are. */
  get count() {
    return this.#live().length;
  }

  /** The live hubs that the page can connect to. */
  get reachable() {
    return this.#live().filter((n) => n.host && n.ready && !n.silent && !n.draining);
  }

  /** Takes what a hub tells of the cluster. */
  take({ nodes = [] }) {
    const now = performance.now();
    for (const entry of this.#known.values()) entry.goneAt ||= now;
    for (const node of nodes) this.#known.set(node.id, { node, goneAt: 0 });
    for (const [id, { goneAt }] of this.#known) if (goneAt && now - goneAt > REMEMBER_MS) this.#known.delete(id);
    this.refresh();
  }

  /** The page has a connection: every hub may be tried again. */
  arrived() {
    this.#tried.clear();
    this.refresh();
  }

  /**
   * The host to try after this one: a live hub's that has not failed, else the
   * page's own; when all have failed it begins anew. Chosen at random, so that
   * the pages of a hub that died spread over the others.
   */
  elsewhere(host) {
    this.#tried.add(host);
    const fit = this.reachable.map((n) => n.host);
    let choices = fit.filter((h) => !this.#tried.has(h));
    if (choices.length === 0 && !this.#tried.has(location.host)) choices = [location.host];
    if (choices.length === 0) {
      this.#tried.clear();
      choices = fit.length > 0 ? fit : [location.host];
    }
    return choices[Math.floor(Math.random() * choices.length)];
  }

  #live() {
    return [...this.#known.values()].filter(({ goneAt }) => !goneAt).map(({ node }) => node);
  }

  /** Draws the list; an item keeps its element, and so the focus. */
  refresh() {
    const several = this.#known.size > 1;
    byId("hubs-card").hidden = !several;
    setText(byId("welcome-title"), this.count > 1 ? `Your ${this.count} hubs are running as one` : "Your hub is running");
    if (this.count > 1) setText(byId("welcome-text"), "Join a room, then open the page of another hub (↗) and join the same one.");
    setText(byId("hub-count"), formatCount(this.count));
    for (const [id, item] of this.#items) {
      if (this.#known.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    const ids = [...this.#known.keys()].sort();
    for (const id of ids) {
      if (!this.#items.has(id)) this.#items.set(id, this.#item(id));
      this.#fill(this.#items.get(id), this.#known.get(id));
    }
    const items = ids.map((id) => this.#items.get(id));
    const list = byId("hubs");
    if (items.some((item, i) => item !== list.children[i])) list.replaceChildren(...items);
  }

  #item(id) {
    const go = make("button", { type: "button", data: { testid: "hub" } },
      make("span", { className: "light", ariaHidden: "true" }),
      make("span", { className: "name", textContent: id }),
      make("span", { className: "tag" }),
      make("span", { className: "count" }));
    go.addEventListener("click", () => this.#link.move(this.#known.get(id).node.host));
    const page = make("a", { target: "_blank", rel: "noopener", textContent: "↗", title: `Open the page of ${id}`, ariaLabel: `Open the page of ${id} in a new tab` });
    return make("li", {}, go, page);
  }

  #fill(item, { node, goneAt }) {
    const [go, page] = item.children;
    const [, , tag, count] = go.children;
    const here = this.#link.online && node.id === this.#link.node;
    const [state, words] = stateOf(node, goneAt, here);
    go.dataset.state = state;
    go.disabled = !node.host || Boolean(goneAt) || node.draining || node.silent || here;
    if (here) go.setAttribute("aria-current", "true");
    else go.removeAttribute("aria-current");
    setText(tag, words);
    tag.hidden = !words;
    setText(count, goneAt ? "" : formatCount(node.connections));
    go.title = goneAt ? "" : `${plural(node.connections, "connection")}, ${plural(node.rooms, "room")}${go.disabled ? "" : ": connect there"}`;
    go.setAttribute("aria-label", [node.id, words, goneAt ? "" : plural(node.connections, "connection"), go.disabled ? "" : "connect there"].filter(Boolean).join(", "));
    page.hidden = !node.host || Boolean(goneAt);
    if (node.host) page.href = `${location.protocol}//${node.host}/${location.hash}`;
  }
}

// What to say of a hub, the worst first.
function stateOf(node, goneAt, here) {
  if (goneAt) return ["gone", "gone"];
  if (node.silent) return ["silent", "silent"];
  if (node.draining) return ["draining", "draining"];
  if (!node.ready) return ["starting", "starting"];
  return ["live", here ? "you" : ""];
}
