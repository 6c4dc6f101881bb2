// A websocket client (npm package ws) that does what its standard input says;
// see program_test.go for the requests and replies.
import { createInterface } from "node:readline";
import WebSocket from "ws";

const connections = new Map();

// Connection keeps what came until it is asked for.
class Connection {
  #events = [];
  #waiting = [];

  constructor(request) {
    this.ws = new WebSocket(request.url, request.subprotocols ?? [], {
      headers: request.headers,
      perMessageDeflate: request.compress ?? false,
    });
    this.ws.on("message", (data, binary) => this.#push(binary ? { binary: data.toString("hex") } : { text: data.toString() }));
    this.ws.on("close", (code, reason) => this.#push({ closed: true, code, reason: reason.toString() }));
  }

  opened() {
    return new Promise((resolve) => {
      this.ws.once("open", () => resolve({ subprotocol: this.ws.protocol, extensions: this.ws.extensions }));
      this.ws.once("unexpected-response", (_, response) => {
        response.resume();
        resolve({ status: response.statusCode });
      });
      this.ws.on("error", (error) => resolve({ error: String(error) }));
    });
  }

  next() {
    if (this.#events.length > 0) return this.#events.shift();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #push(event) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(event);
    else this.#events.push(event);
  }
}

const actions = {
  connect(request) {
    const connection = new Connection(request);
    connections.set(request.conn, connection);
    return connection.opened();
  },
  send({ conn, parts }) {
    const { ws } = connections.get(conn);
    parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1 }));
    return {};
  },
  sendBinary({ conn, binary }) {
    connections.get(conn).ws.send(Buffer.from(binary, "hex"));
    return {};
  },
  ping({ conn, text }) {
    const { ws } = connections.get(conn);
    return new Promise((resolve) => {
      ws.once("pong", (data) => resolve({ text: data.toString() }));
      ws.ping(text);
    });
  },
  next: ({ conn }) => connections.get(conn).next(),
  close({ conn, code, reason }) {
    connections.get(conn).ws.close(code, reason);
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const reply = await actions[request.do](request);
  process.stdout.write(JSON.stringify(reply) + "\n");
}
for (const { ws } of connections.values()) ws.terminate();
