// The read path: heads, entries, batches and checkpoints, for members of the consortium and users.
import type { Request, Response } from "@microsoft/ccf-app/endpoints";

import { answer, ENTRIES_MAX } from "./accept.js";
import { reader } from "./access.js";
import { concat, hex, utf8 } from "./bytes.js";
import { uuidText } from "./entry.js";
import { answering, collaborationOf, number, query, uuid } from "./http.js";
import { Refusal } from "./refusal.js";
import { type Head, Tables } from "./tables.js";

const LIST_MAX = 1000;
const LIST_DEFAULT = 100;
/** Bytes of entries in an answer, at most, unless one alone is longer. */
export const ANSWER_LEN_MAX = 2 << 20;

export function list(request: Request): Response {
  return answering(() => {
    reader(request.caller);
    const given = query(request, "after", "limit");
    const limit = number(given.get("limit") ?? `${LIST_DEFAULT}`, "limit", 1, LIST_MAX);
    const after = given.has("after") ? uuidText(uuid(given.get("after")!, "after")) : "";
    const all = new Tables().collaborations().map(uuidText).filter((id) => id > after);
    return { body: { collaborations: all.sort().slice(0, limit) } };
  });
}

export function head(request: Request): Response {
  return answering(() => {
    const { tables, collaboration, head } = open(request);
    const batch = tables.batch(collaboration, head.first);
    return {
      body: {
        collaboration: uuidText(collaboration),
        origin: head.origin,
        size: head.frontier.size,
        root: hex(head.root),
        leaf: hex(head.leaf),
        key: head.key.text,
        signed: head.signed,
        transaction: batch === null ? null : tables.transactionOf(collaboration, batch),
        fork: tables.fork(collaboration),
      },
    };
  });
}

export function entries(request: Request): Response {
  return answering(() => {
    const { tables, collaboration, head } = open(request);
    const given = query(request, "first", "count");
    const first = number(given.get("first") ?? "0", "first", 0, Number.MAX_SAFE_INTEGER);
    const count = number(given.get("count") ?? `${ENTRIES_MAX}`, "count", 1, ENTRIES_MAX);
    if (first >= head.frontier.size) throw unknownPosition(head);
    const kind = tables.entry(collaboration, first) === null ? "digests" : "entries";
    const found: Uint8Array[] = [];
    let length = 0;
    for (let position = first; position < Math.min(first + count, head.frontier.size); position++) {
      const bytes = kind === "entries" ? tables.entry(collaboration, position) : tables.leaf(collaboration, position);
      if (bytes === null) break;
      length += bytes.length;
      if (found.length > 0 && length > ANSWER_LEN_MAX) break;
      found.push(bytes);
    }
    const items = found.flatMap((bytes) => [cborHead(2, bytes.length), bytes]);
    const body = concat(
      Uint8Array.of(0x84, 0x01),
      cborHead(0, first),
      cborHead(3, kind.length),
      utf8(kind),
      cborHead(4, found.length),
      ...items,
    );
    return { headers: { "content-type": "application/cbor" }, body: body.buffer };
  });
}

export function batchOf(request: Request): Response {
  return answering(() => {
    const { tables, collaboration, head } = open(request);
    const given = query(request, "position");
    const position = number(given.get("position") ?? "", "position", 0, Number.MAX_SAFE_INTEGER);
    if (position >= head.frontier.size) throw unknownPosition(head);
    // A batch holds at most so many entries, so it began no further back.
    for (let first = position; first >= 0 && first > position - ENTRIES_MAX; first--) {
      const batch = tables.batch(collaboration, first);
      if (batch !== null) {
        return { body: answer(collaboration, head.origin, batch, tables.transactionOf(collaboration, batch)) };
      }
    }
    throw new Error("a held position is of no batch");
  });
}

export function checkpoint(request: Request): Response {
  return answering(() => {
    const { tables, collaboration, head } = open(request);
    const wanted = request.params["size"] ?? "";
    const size = wanted === "latest" ? head.signed : number(wanted, "size", 1, Number.MAX_SAFE_INTEGER);
    const note = tables.checkpoint(collaboration, size);
    if (note === null) throw new Refusal("unknown-checkpoint", "no signed checkpoint of that size was given");
    return { headers: { "content-type": "text/plain; charset=utf-8" }, body: note };
  });
}

function open(request: Request): { tables: Tables; collaboration: Uint8Array; head: Head } {
  reader(request.caller);
  const collaboration = collaborationOf(request);
  const tables = new Tables();
  const head = tables.head(collaboration);
  if (head === null) throw new Refusal("unknown-collaboration", "no log of this collaboration is held");
  return { tables, collaboration, head };
}

function unknownPosition(head: Head): Refusal {
  return new Refusal("unknown-position", `the log is held up to ${head.frontier.size}`);
}

/** The shortest head of a CBOR item. */
function cborHead(major: number, argument: number): Uint8Array {
  const initial = major << 5;
  if (argument < 24) return Uint8Array.of(initial | argument);
  if (argument < 2 ** 8) return Uint8Array.of(initial | 24, argument);
  if (argument < 2 ** 16) return Uint8Array.of(initial | 25, argument >> 8, argument & 255);
  const out = new Uint8Array(argument < 2 ** 32 ? 5 : 9);
  const view = new DataView(out.buffer);
  out[0] = initial | (out.length === 5 ? 26 : 27);
  if (out.length === 9) view.setUint32(1, Math.floor(argument / 2 ** 32));
  view.setUint32(out.length - 4, argument % 2 ** 32);
  return out;
}
