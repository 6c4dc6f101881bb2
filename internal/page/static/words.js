// Plain words for the protocol's error and close codes.

const ERRORS = {
  1000: "Something went wrong on the hub.",
  1001: "The hub could not read this.",
  1002: "The hub did not accept the message id.",
  1003: "The hub failed while handling this.",
  1004: "The hub cannot tell whether this arrived.",
  1005: "A limit of the hub is reached.",
  2000: "The hub wants a token for this.",
  2001: "You are not allowed to do this.",
  2002: "Your token has expired.",
  2003: "The hub does not accept this token.",
  3000: "There is no such room.",
  3001: "This room exists already.",
  3002: "This room is full.",
  3003: "You are not in this room.",
  3004: "You are already in this room.",
  4000: "Nobody with this id is connected.",
  4001: "The receiver is offline.",
  4002: "This is larger than the hub takes.",
};

/** Why a request failed. `uncertain` means it may have been carried out. */
export class HubError extends Error {
  constructor(code, words, { detail = "", uncertain = false } = {}) {
    super(words);
    this.code = code;
    this.detail = detail;
    this.uncertain = uncertain;
  }

  /** From the data of an error message. */
  static from(data) {
    const code = Number(data?.code) || 1000;
    const known = ERRORS[code];
    const detail = String(data?.message ?? "");
    let words = known ? `${known.slice(0, -1)} (${code}).` : `The hub says: ${detail || "error"} (${code}).`;
    if (code === 1005 && detail) words = `${known.slice(0, -1)} (${code}): ${detail}.`; // which limit, only the hub knows
    return new HubError(code, words, { detail, uncertain: code === 1004 });
  }

  static lost() {
    return new HubError("lost", "The connection ended before the hub answered.", { uncertain: true });
  }

  static timeout() {
    return new HubError("timeout", "The hub has not answered.", { uncertain: true });
  }

  static offline() {
    return new HubError("offline", "Not connected.");
  }
}

// retry: come back by itself; gone: to another hub, if there is one; wait: at
// least so many ms before that; ask: what the reader can give to go on.
const CLOSES = {
  1000: { retry: false, words: "The hub closed the connection." },
  1001: { retry: true, gone: true, words: "The hub is going away." },
  1002: { retry: true, words: "The hub saw a protocol error." },
  1003: { retry: true, words: "The hub does not take this kind of data." },
  1007: { retry: true, words: "The hub saw text that is not UTF-8." },
  1008: { retry: true, wait: 2000, words: "The hub closed the connection by its rules." },
  1009: { retry: true, words: "The last message was larger than the hub takes." },
  1011: { retry: true, gone: true, words: "The hub had an internal error." },
  1012: { retry: true, gone: true, words: "The hub restarts." },
  1013: { retry: true, gone: true, wait: 3000, words: "The hub is full." },
  4001: { retry: false, ask: "token", words: "The hub wants a new token: yours has expired." },
  4003: { retry: false, words: "The hub does not let you in." },
  4008: { retry: true, words: "This page read too slowly, so the hub let go." },
  4009: { retry: false, words: "Someone connected with your id; the newest connection wins." },
  4029: { retry: true, wait: 2000, words: "This page sent too fast, so the hub let go." },
};

/** What a close code means and whether to connect again. */
export function closeVerdict(code, reason) {
  const verdict = CLOSES[code] ?? { retry: true, gone: true, words: "The connection was lost." };
  const said = reason ? ` (${code}: ${reason})` : CLOSES[code] ? ` (${code})` : "";
  return { wait: 0, ask: "", gone: false, ...verdict, words: `${verdict.words.slice(0, -1)}${said}.` };
}
