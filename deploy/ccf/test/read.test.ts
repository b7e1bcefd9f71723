import { beforeEach, test } from "node:test";
import assert from "node:assert/strict";

import type { AuthnIdentity, Request, Response } from "@microsoft/ccf-app/endpoints.js";

import { asHistory, call, put, reset } from "./stub.js";
import {
  allow, batch, COLLABORATION, collaboration, encode, fresh, leafOf, log, note, ORIGIN, push, READER, rootOf, service,
  settings, sha256, textOf, tohex, WRITER,
} from "./support.js";
import { callerId } from "../src/access.js";
import { Reader } from "../src/cbor.js";
import { receipt, signature } from "../src/history.js";
import { batchOf, checkpoint, entries, head, list } from "../src/read.js";
import { batches } from "../src/write.js";

const demo = log("log-demo.cbor");
const at = (query = "", params = {}) => ({ params: { collaboration: COLLABORATION, ...params }, query });
const get = (endpoint: (request: Request) => Response, query = "", params = {}) => call(endpoint, READER, at(query, params));
const entriesAt = (query: string) => new Reader(new Uint8Array(get(entries, query).body)).value() as any[];

let transactions: string[];
beforeEach(() => {
  fresh();
  transactions = [
    push(batch(0, demo.slice(0, 10), note(textOf(demo.slice(0, 10))))),
    push(batch(10, demo.slice(10))),
  ].map(({ transaction }) => transaction);
});

test("the head says what is held and which transaction made it so", () => {
  assert.deepEqual(get(head).body, {
    collaboration: COLLABORATION,
    origin: ORIGIN,
    size: 25,
    root: tohex(rootOf(demo.map(leafOf))),
    leaf: tohex(leafOf(demo[24]!)),
    key: service.text,
    signed: 10,
    transaction: transactions[1],
    fork: null,
  });
});

test("entries come back byte by byte", () => {
  assert.deepEqual(entriesAt(""), [1, 0, "entries", demo]);
  assert.deepEqual(entriesAt("first=3&count=2"), [1, 3, "entries", demo.slice(3, 5)]);
  assert.deepEqual(entriesAt("first=24&count=256"), [1, 24, "entries", demo.slice(24)]);
});

test("an answer ends where what is stored changes", () => {
  reset();
  settings();
  allow(service);
  push(batch(0, demo.slice(0, 4)));
  settings({ store: "digests" });
  push(batch(4, demo.slice(4)));
  assert.deepEqual(entriesAt("first=2"), [1, 2, "entries", demo.slice(2, 4)]);
  assert.deepEqual(entriesAt("first=4"), [1, 4, "digests", demo.slice(4).map(leafOf)]);
});

test("the batch of a position is found wherever in it the position is", () => {
  for (let position = 0; position < 25; position++) {
    const { body } = get(batchOf, `position=${position}`);
    const [first, size, transaction] = position < 10 ? [0, 10, transactions[0]] : [10, 25, transactions[1]];
    const root = tohex(rootOf(demo.slice(0, size as number).map(leafOf)));
    const claims_digest = tohex(sha256(new TextEncoder().encode(textOf(demo.slice(0, size as number)))));
    assert.deepEqual(body, { collaboration: COLLABORATION, origin: ORIGIN, first, size, root, claims_digest, transaction });
  }
});

test("a position at the edge of the longest batch is found", () => {
  fresh();
  const many = [demo[0]!];
  for (let first = 0; first < 1; first++) push(batch(0, many));
  assert.equal(get(batchOf, "position=0").body.first, 0);
  assert.equal(get(batchOf, "position=1").body.error.code, "unknown-position");
});

test("checkpoints are as they came", () => {
  const { body } = get(checkpoint, "", { size: "10" });
  assert.equal(body, note(textOf(demo.slice(0, 10))));
  assert.equal(get(checkpoint, "", { size: "latest" }).body, body);
  assert.equal(get(checkpoint, "", { size: "25" }).body.error.code, "unknown-checkpoint");
});

test("what is not there is said so", () => {
  assert.equal(call(head, READER, { params: { collaboration: ORIGIN.slice(-36).replace(/1$/, "2") } }).status, 404);
  const codes: [(request: Request) => Response, string, object, number, string][] = [
    [entries, "first=25", {}, 404, "unknown-position"],
    [batchOf, "position=25", {}, 404, "unknown-position"],
    [batchOf, "", {}, 400, "malformed-request"],
    [entries, "first=-1", {}, 400, "malformed-request"],
    [entries, "first=01", {}, 400, "malformed-request"],
    [entries, "first=9007199254740992", {}, 400, "malformed-request"],
    [entries, "count=0", {}, 400, "malformed-request"],
    [entries, "count=257", {}, 400, "malformed-request"],
    [entries, "first=1&first=2", {}, 400, "malformed-request"],
    [entries, "other=1", {}, 400, "malformed-request"],
    [entries, "first=1=2", {}, 400, "malformed-request"],
    [checkpoint, "", { size: "0" }, 400, "malformed-request"],
    [checkpoint, "", { size: "newest" }, 400, "malformed-request"],
    [list, "limit=1001", {}, 400, "malformed-request"],
    [list, "after=x", {}, 400, "malformed-request"],
  ];
  for (const [endpoint, query, params, status, code] of codes) {
    const answer = get(endpoint, query, params);
    assert.deepEqual([answer.status, answer.body.error?.code], [status, code], `${query} ${JSON.stringify(params)}`);
  }
});

test("collaborations are listed in order, page by page", () => {
  assert.deepEqual(get(list).body, { collaborations: [COLLABORATION] });
  assert.deepEqual(get(list, `after=${COLLABORATION}`).body, { collaborations: [] });
  const later = collaboration.slice();
  later[15] = 9;
  put("public:chancery.heads", later, {});
  const second = COLLABORATION.replace(/1$/, "9");
  assert.deepEqual(get(list, "limit=1").body, { collaborations: [COLLABORATION] });
  assert.deepEqual(get(list, `after=${COLLABORATION}&limit=1`).body, { collaborations: [second] });
});

test("a receipt comes with the text that its claims digest is over", () => {
  const text = textOf(demo);
  const claims = tohex(sha256(new TextEncoder().encode(text)));
  const given = { leaf_components: { claims_digest: claims } };
  asHistory("2.12", given);
  const { body } = get(receipt);
  assert.equal(body.text, text);
  assert.equal(body.transaction, "2.12");
  assert.deepEqual(body.receipt, given);
  assert.deepEqual([body.batch.first, body.batch.size, body.batch.claims_digest], [10, 25, claims]);
});

test("a transaction that is no batch of the log has no such receipt", () => {
  asHistory("2.13", { leaf_components: { claims_digest: "00".repeat(32) } });
  assert.equal(get(receipt).body.error.code, "not-a-batch");
  asHistory("2.13", { leaf: "00".repeat(32) });
  assert.equal(get(receipt).body.error.code, "not-a-batch");
  const elsewhere = call(receipt, READER, { params: { collaboration: COLLABORATION.replace(/1$/, "2") } });
  assert.equal(elsewhere.body.error.code, "not-a-batch");
});

test("CCF's signature comes as the message that it is", () => {
  const message = Uint8Array.of(0xd2, 0x84, 1, 2, 3);
  put("public:ccf.internal.cose_signatures", new Uint8Array(8), Buffer.from(message).toString("base64"));
  asHistory("2.14", { is_signature_transaction: true });
  assert.deepEqual(new Uint8Array(get(signature).body), message);
  asHistory("2.15", { is_signature_transaction: false });
  assert.equal(get(signature).body.error.code, "not-a-signature");
});

const token = (payload: object, keyIssuer = "https://login.example"): AuthnIdentity => ({
  policy: "jwt",
  jwt: { keyIssuer, header: {}, payload },
});
const member = (id: string): AuthnIdentity => ({ policy: "member_cert", id, data: null, cert: "" });

test("who may write and who may read", () => {
  for (const role of ["writer", "reader"]) {
    const row = { issuer: "https://login.example", subject: role, audience: "mirror", role };
    put("public:ccf.gov.chancery.callers", callerId(row.issuer, role), row);
  }
  put("public:ccf.gov.members.info", "active", { status: "Active" });
  put("public:ccf.gov.members.info", "accepted", { status: "Accepted" });
  const cases: [AuthnIdentity | undefined, boolean, boolean][] = [
    [WRITER, true, true],
    [READER, false, true],
    [{ ...READER, data: { chancery: "reader" } }, false, true],
    [member("active"), false, true],
    [member("accepted"), false, false],
    [member("nobody"), false, false],
    [{ ...member("active"), data: { chancery: "writer" } } as AuthnIdentity, false, true],
    [token({ sub: "writer", aud: "mirror" }), true, true],
    [token({ sub: "writer", aud: ["other", "mirror"] }), true, true],
    [token({ sub: "reader", aud: "mirror" }), false, true],
    [token({ sub: "writer", aud: "other" }), false, false],
    [token({ sub: "writer" }), false, false],
    [token({ aud: "mirror" }), false, false],
    [token({ sub: "writer", aud: "mirror" }, "https://other.example"), false, false],
    [{ policy: "no_auth" }, false, false],
    [undefined, false, false],
  ];
  for (const [caller, writes, reads] of cases) {
    const what = JSON.stringify(caller);
    const write = call(batches, caller, { ...at(), body: encode([1, 0, demo, null]) });
    assert.equal(write.body.error?.code, writes ? "replay" : "not-a-writer", what);
    for (const endpoint of [head, entries, batchOf, checkpoint, list]) {
      const query = endpoint === batchOf ? "position=0" : "";
      const read = call(endpoint, caller, at(query, { size: "latest" }));
      assert.equal(read.status === 200, reads, what);
      if (!reads) assert.deepEqual([read.status, read.body.error.code], [403, "not-a-reader"]);
    }
    for (const endpoint of [receipt, signature]) {
      if (!reads) assert.equal(call(endpoint, caller, at()).body.error.code, "not-a-reader");
    }
  }
});
