// The page's wiring: the link feeds the rooms, the views show them.
import { BurstView } from "./burst.js";
import { Chat } from "./chat.js";
import { ConnectionView } from "./connection.js";
import { byId } from "./dom.js";
import { Hubs } from "./hubs.js";
import { Latency } from "./latency.js";
import { Link } from "./link.js";
import { Members } from "./members.js";
import { NodeView } from "./node.js";
import { Rooms } from "./rooms.js";
import { hubURL } from "./session.js";
import { Sidebar } from "./sidebar.js";
import { Wire } from "./wire.js";
import { HubError } from "./words.js";

const wire = new Wire();
const touch = matchMedia("(hover: none)").matches; // focus would raise the keyboard over the page

const link = new Link({
  tap: (direction, text) => wire.tap(direction, text),
  onState: (state, before) => {
    if (state.name === "online") {
      hubs.arrived();
      rooms.rejoin();
      latency.restart();
    } else if (before.name === "online") {
      rooms.lost();
    }
    connection.refresh();
    hubs.refresh();
  },
  elsewhere: (host) => hubs.elsewhere(host),
  onMessage: (type, data) => {
    if (type === "connected") {
      rooms.learnID(link.id);
      hubs.refresh();
      node.refresh();
    }
    if (connection.receive(type, data) || rooms.receive(type, data)) return;
    if (type === "direct_message") rooms.current?.notice(`${data.sender_id} to you alone: ${asText(data.content)}`);
    if (type === "error") rooms.current?.notice(HubError.from(data).message, "warn");
  },
});

const rooms = new Rooms(link, {
  onList: () => sidebar.refresh(),
  onRoom: (room) => {
    sidebar.refresh();
    chat.refresh(room);
    if (room === rooms.current) burst.refresh(room);
  },
  onEntry: (room, entry) => chat.refreshEntry(room, entry),
  onSelect: (room) => {
    chat.show(room);
    members.show(room);
    burst.refresh(room);
    rememberRoom(room);
    if (room && !touch) chat.focus();
  },
  onRefused: (name, words) => sidebar.refuse(name, words),
  onMembers: (room) => members.soon(room),
  reach: (scope) => (scope === "node" ? "on this hub only" : hubs.count > 1 ? "to all hubs" : ""),
});

const sidebar = new Sidebar(rooms);
const chat = new Chat(rooms);
const members = new Members(link, (room) => chat.refresh(room));
const connection = new ConnectionView(link);
const latency = new Latency(link);
const burst = new BurstView(link, (direction, text) => wire.tap(direction, text, true));
const hubs = new Hubs(link);
const node = new NodeView(link, (stats) => {
  hubs.take(stats);
  burst.offer(hubs.reachable);
});

function asText(content) {
  return typeof content === "string" ? content : JSON.stringify(content);
}

// The open room is in the address, so it can be reloaded and shared.
function rememberRoom(room) {
  history.replaceState(null, "", room ? `#${encodeURIComponent(room.id)}` : location.pathname);
}

function roomInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

byId("snippet").textContent = [
  `const ws = new WebSocket("${hubURL(location.host)}")`,
  `ws.onmessage = (event) => console.log(event.data)`,
  `ws.onopen = () => ws.send(JSON.stringify(`,
  `  {message_type: "join_room", data: {room_id: "lobby"}}))`,
].join("\n");

document.addEventListener("keydown", (event) => {
  if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
  event.preventDefault();
  rooms.step(event.key === "ArrowUp" ? -1 : 1);
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !rooms.current?.unread) return;
  rooms.current.unread = 0;
  sidebar.refresh();
});
addEventListener("online", () => link.retryNow());

sidebar.refresh();
link.connect("");
const asked = roomInAddress();
if (asked) sidebar.open(asked);
else if (!touch) byId("room-input").select();
