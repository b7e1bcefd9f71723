import { beforeEach, test } from "node:test";
import assert from "node:assert/strict";

import { call, ccf } from "./stub.js";
import {
  allow, batch, COLLABORATION, encode, fieldsOf, fresh, index, leafOf, log, next, note, ORIGIN, other, push, READER,
  resealed, rootOf, service, settings, sha256, sign1, textOf, tohex, vector, WRITER,
} from "./support.js";
import { BATCH_LEN_MAX, ENTRIES_MAX } from "../src/accept.js";
import { head } from "../src/read.js";
import { batches } from "../src/write.js";

const demo = log("log-demo.cbor");
const rotation = log("log-rotation.cbor");
const rotatedAt = rotation.findIndex((entry) => fieldsOf(entry).get(2) === "ServiceKeyRotated");
const headNow = () => call(head, READER, { params: { collaboration: COLLABORATION } }).body;

function refused(body: Uint8Array, code: string, status: number, wrote = false): void {
  const answer = push(body);
  assert.equal(answer.body.error?.code, code, JSON.stringify(answer.body));
  assert.equal(answer.status, status);
  assert.equal(answer.claims, null);
  assert.equal(answer.wrote, wrote, "a refusal writes nothing");
}

beforeEach(fresh);

test("a log is taken whole, and its claims digest is over the checkpoint's text", () => {
  const answer = push(batch(0, demo, note(textOf(demo))));
  const golden = index.vectors.find((vector: any) => vector.file === "log-demo.cbor");
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(answer.body.root, golden.root);
  assert.equal(answer.body.size, golden.size);
  assert.equal(answer.body.origin, golden.origin);
  assert.equal(answer.body.transaction, null);
  assert.equal(answer.claims, answer.body.claims_digest);
  assert.equal(answer.claims, tohex(sha256(new TextEncoder().encode(textOf(demo)))));
});

test("every cut into batches comes to the same root", () => {
  for (let size = 1; size <= demo.length; size++) {
    fresh();
    for (let first = 0; first < demo.length; first += size) {
      const answer = push(batch(first, demo.slice(first, first + size)));
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const held = demo.slice(0, first + size);
      assert.equal(answer.body.root, tohex(rootOf(held.map(leafOf))));
      assert.equal(answer.claims, tohex(sha256(new TextEncoder().encode(textOf(held)))));
    }
  }
});

test("the golden checkpoint is taken with the batch that it closes", () => {
  const answer = push(batch(0, demo, note(textOf(demo))));
  assert.equal(answer.status, 200);
  assert.equal(headNow().signed, demo.length);
});

test("the same batch again is answered as the first time, with its transaction, and writes nothing", () => {
  const bodies = [batch(0, demo.slice(0, 10)), batch(10, demo.slice(10), note(textOf(demo)))];
  const first = bodies.map((body) => push(body));
  for (const [at, body] of bodies.entries()) {
    const again = push(body);
    assert.equal(again.status, 200);
    assert.equal(again.wrote, false);
    assert.equal(again.claims, null);
    assert.deepEqual(again.body, { ...first[at]!.body, transaction: first[at]!.transaction });
  }
});

test("a batch behind the head, or a position left out, is a gap", () => {
  refused(batch(1, demo.slice(1)), "gap", 409);
  push(batch(0, demo.slice(0, 5)));
  refused(batch(6, demo.slice(6)), "gap", 409);
  const skipping = resealed(demo[5]!, [[4, 7]]);
  refused(batch(5, [skipping]), "gap", 409);
});

test("what is held, in another cut, is a replay", () => {
  push(batch(0, demo.slice(0, 5)));
  refused(batch(0, demo.slice(0, 4)), "replay", 409);
  refused(batch(0, demo), "replay", 409);
  refused(batch(3, demo.slice(3, 5)), "replay", 409);
});

test("another sealed entry at a held position is a fork, and the first proof of it is kept", () => {
  push(batch(0, demo.slice(0, 5)));
  const forked = resealed(demo[3]!, [[9, 1]]);
  refused(batch(3, [forked]), "fork", 409, true);
  const proof = { position: 3, held: tohex(leafOf(demo[3]!)), offered: tohex(forked) };
  assert.deepEqual(headNow().fork, proof);
  refused(batch(3, [resealed(demo[3]!, [[9, 2]])]), "fork", 409);
  assert.deepEqual(headNow().fork, proof);
  assert.equal(headNow().size, 5);
  assert.equal(push(batch(5, demo.slice(5))).status, 200, "the log that was held goes on");
});

test("an entry that follows another history is a fork", () => {
  push(batch(0, demo.slice(0, 5)));
  const forked = resealed(demo[5]!, [[5, leafOf(demo[3]!)]]);
  refused(batch(5, [forked]), "fork", 409, true);
  assert.equal(headNow().fork.position, 5);
});

test("nothing is a fork that the service did not seal", () => {
  push(batch(0, demo.slice(0, 5)));
  refused(batch(3, [resealed(demo[3]!, [[9, 1]], other)]), "unsigned-entry", 403);
  refused(batch(3, [resealed(demo[3]!, [[9, 1]], other, service)]), "bad-seal", 403);
  refused(batch(3, [demo[4]!]), "gap", 409);
  const elsewhere = resealed(demo[3]!, [[3, new Uint8Array(16)]]);
  refused(batch(3, [elsewhere]), "wrong-collaboration", 400);
  assert.equal(headNow().fork, null);
});

test("entries by other keys and of other logs are refused", () => {
  push(batch(0, demo.slice(0, 5)));
  refused(batch(5, [resealed(demo[5]!, [], other)]), "unsigned-entry", 403);
  refused(batch(5, [resealed(demo[5]!, [], other, service)]), "bad-seal", 403);
  refused(batch(5, [resealed(demo[5]!, [[3, new Uint8Array(16)]])]), "wrong-collaboration", 400);
});

test("every bit of an entry counts", () => {
  push(batch(0, demo.slice(0, 5)));
  const good = demo[5]!;
  for (let at = 0; at < good.length; at++) {
    const altered = good.slice();
    altered[at]! ^= 1 << at % 8;
    const answer = push(batch(5, [altered]));
    assert.ok(answer.status >= 400 && !answer.wrote, `byte ${at}: ${JSON.stringify(answer.body)}`);
  }
  assert.equal(push(batch(5, [good])).status, 200);
});

test("the reject vectors are refused", () => {
  // What only the rules can tell is for the auditor: the mirror reads payloads of two types alone.
  const ofTheRules = /reject-entry-(event|subject|rotation)-/;
  const rejects = index.vectors.filter((vector: any) => vector.kind === "reject" && vector.read_as === "entry");
  assert.ok(rejects.length > 15);
  for (const { file } of rejects) {
    if (ofTheRules.test(file)) continue;
    fresh();
    const sealed = vector(file);
    const answer = push(batch(0, [sealed]));
    const expected = file.includes("by-another-key")
      ? ["unsigned-entry", "unknown-key", "malformed-entry"]
      : file.includes("signature-flipped") || file.includes("by-the-key-that-it-brings")
        ? ["bad-seal", "malformed-entry"]
        : ["malformed-entry"];
    assert.ok(expected.includes(answer.body.error?.code), `${file}: ${JSON.stringify(answer.body)}`);
  }
});

test("every entry of the vectors is read", () => {
  const entries = index.vectors.filter((vector: any) => vector.kind === "entry");
  assert.ok(entries.length > 30);
  const held = entries.map(({ file }: any) => vector(file));
  const answer = push(batch(0, held.slice(0, 34)));
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const golden = new TextDecoder().decode(vector("checkpoint-after-rotation.txt"));
  fresh();
  assert.equal(push(batch(0, held.slice(0, 34), golden)).status, 200);
});

test("a log begins with a key and a service that the consortium allowed", () => {
  const begin = batch(0, demo.slice(0, 1));
  for (const changes of [{ status: "retired" }, { name: "chancery.other" }]) {
    allow(service, changes);
    refused(begin, "unknown-key", 403);
  }
  fresh();
  const otherKey = new Map(fieldsOf(demo[0]!).get(10) as Map<string, string>).set("service_key", other.text);
  refused(batch(0, [resealed(demo[0]!, [[10, otherKey]])]), "unknown-key", 403);
  const es256 = new Map(fieldsOf(demo[0]!).get(10) as Map<string, string>).set("service_key", "ES256:AAAA");
  refused(batch(0, [resealed(demo[0]!, [[10, es256]])]), "unknown-key", 403);
  refused(batch(0, [resealed(demo[0]!, [[2, "WorkloadEnabled"]])]), "malformed-entry", 400);
  refused(batch(0, [resealed(demo[0]!, [], other)]), "unsigned-entry", 403);
  assert.equal(push(begin).status, 200);
});

test("a revoked key seals nothing more; a retired one goes on with what it began", () => {
  allow(service, { status: "revoked" });
  refused(batch(0, demo), "revoked-key", 403);
  allow(service);
  push(batch(0, demo.slice(0, 5)));
  allow(service, { status: "retired" });
  assert.equal(push(batch(5, demo.slice(5, 6))).status, 200);
  allow(service, { status: "revoked" });
  refused(batch(6, demo.slice(6)), "revoked-key", 403);
});

test("a rotation is followed, in whatever batch it comes", () => {
  for (const size of [1, 7, rotatedAt + 1, rotation.length]) {
    fresh();
    for (let first = 0; first < rotation.length; first += size) {
      const cut = rotation.slice(first, first + size);
      const held = rotation.slice(0, first + size);
      const inCharge = held.length > rotatedAt ? next : service;
      const answer = push(batch(first, cut, note(textOf(held), inCharge)));
      assert.equal(answer.status, 200, `${size} ${first} ${JSON.stringify(answer.body)}`);
    }
    assert.equal(headNow().key, next.text);
  }
});

test("after a rotation the old key seals neither entries nor checkpoints", () => {
  const upTo = rotation.slice(0, rotatedAt + 1);
  refused(batch(0, upTo, note(textOf(upTo), service)), "unsigned-checkpoint", 403);
  push(batch(0, upTo, note(textOf(upTo), next)));
  refused(batch(rotatedAt + 1, [resealed(rotation[rotatedAt + 1]!, [], service)]), "unsigned-entry", 403);
  const forked = resealed(rotation[rotatedAt]!, [[9, 1]]);
  refused(batch(rotatedAt, [forked]), "fork", 409, true);
});

test("under approval a log goes over to allowed keys only", () => {
  settings({ rotation: "approve" });
  refused(batch(0, rotation), "unknown-key", 403);
  allow(next, { status: "retired" });
  refused(batch(0, rotation), "unknown-key", 403);
  allow(next);
  assert.equal(push(batch(0, rotation)).status, 200);
});

test("a log never goes over to a revoked key", () => {
  allow(next, { status: "revoked" });
  refused(batch(0, rotation), "revoked-key", 403);
});

test("a rotation needs the new key's signature, for this log and the old key", () => {
  const good = rotation[rotatedAt]!;
  const fields = fieldsOf(good);
  const [, message, content] = fields.get(11) as [number, Uint8Array, Uint8Array];
  const command = fieldsOf(message);
  const signed = (changes: [number, any][], key = next, type = "application/chancery-service-command+cbor") =>
    sign1(type, encode(new Map([...command, ...changes])), key);
  const payload = fields.get(10) as Map<string, string>;
  push(batch(0, rotation.slice(0, rotatedAt)));
  const cases: [string, [number, any][]][] = [
    ["not by the new key", [[11, [4, signed([], service), content]]]],
    ["a member's command", [[11, [4, signed([], next, "application/chancery-command+cbor"), content]]]],
    ["another audience", [[11, [4, signed([[2, next.id]]), content]]]],
    ["another log", [[11, [4, signed([[3, new Uint8Array(16)]]), content]]]],
    ["another action", [[11, [4, signed([[4, "service.rotate"]]), content]]]],
    ["another signed subject", [[11, [4, signed([[5, "collaboration/x"]]), content]]]],
    ["another content", [[11, [4, message, encode(new Map([["key", next.text]]))]]]],
    ["another command id", [[8, new Uint8Array(16)]]],
    ["another field", [[11, [4, signed([[10, 1]]), content]]]],
    ["another actor", [[7, [2, service.id]]]],
    ["another subject", [[6, "collaboration/x"]]],
    ["another key in the payload", [[10, new Map([...payload, ["key", other.text]])]]],
    ["no key in the payload", [[10, new Map([["evidence", "x"]])]]],
    ["another authority", [[11, [3, 0]]]],
  ];
  for (const [what, changes] of cases) {
    const answer = push(batch(rotatedAt, [resealed(good, changes)]));
    assert.equal(answer.body.error?.code, "bad-rotation", `${what}: ${JSON.stringify(answer.body)}`);
    assert.equal(answer.wrote, false);
  }
  const flipped = message.slice();
  flipped[flipped.length - 1]! ^= 1;
  refused(batch(rotatedAt, [resealed(good, [[11, [4, flipped, content]]])]), "bad-rotation", 403);
  assert.equal(push(batch(rotatedAt, [good])).status, 200);
});

test("a log never goes back to a key", () => {
  const upTo = rotation.slice(0, rotatedAt + 1);
  push(batch(0, upTo));
  const fields = fieldsOf(rotation[rotatedAt]!);
  const content = encode(new Map([["key", service.text]]));
  const command = fieldsOf((fields.get(11) as Uint8Array[])[1]!);
  command.set(2, next.id).set(6, sha256(content));
  const message = sign1("application/chancery-service-command+cbor", encode(command), service);
  const back = resealed(rotation[rotatedAt]!, [
    [4, rotatedAt + 1],
    [5, leafOf(rotation[rotatedAt]!)],
    [7, [2, service.id]],
    [10, new Map([["key", service.text]])],
    [11, [4, message, content]],
  ], next);
  refused(batch(rotatedAt + 1, [back]), "bad-rotation", 403);
});

test("a checkpoint is of what the entries add up to, and signed by the key in charge", () => {
  const good = note(textOf(demo));
  const witness = "\u2014 witness.test AAAAAA==\n";
  const cases: [string, string, number][] = [
    ["", "bad-checkpoint", 400],
    [textOf(demo), "bad-checkpoint", 400],
    [`${textOf(demo)}\n`, "bad-checkpoint", 400],
    [good.slice(0, -1), "bad-checkpoint", 400],
    [good.replace("\n25\n", "\n025\n"), "bad-checkpoint", 400],
    [good.replace("\n", "\r\n"), "bad-checkpoint", 400],
    [`${good}not a line\n`, "bad-checkpoint", 400],
    [`${good}\u2014 w AAA\n`, "bad-checkpoint", 400],
    [good + "\u2014 w AAAAAA==\n".repeat(64), "bad-checkpoint", 400],
    [note(textOf(demo) + "extension\n"), "bad-checkpoint", 400],
    [good + `\u2014 ${"w".repeat(65_536)} AAAAAA==\n`, "bad-checkpoint", 400],
    [note(textOf(demo.slice(0, 24))), "checkpoint-of-another-state", 409],
    [note(textOf(demo, "chancery.test/other")), "checkpoint-of-another-state", 409],
    [note(textOf(demo).replace(/\n[^\n]+\n$/, `\n${"A".repeat(43)}=\n`)), "checkpoint-of-another-state", 409],
    [note(textOf(demo), other), "unsigned-checkpoint", 403],
    [note(textOf(demo), service, "chancery.other"), "unsigned-checkpoint", 403],
    [`${textOf(demo)}\n${witness}`, "unsigned-checkpoint", 403],
  ];
  for (const [given, code, status] of cases) refused(batch(0, demo, given), code, status);
  assert.equal(push(batch(0, demo, good + witness)).status, 200, "a witness's line does no harm");
});

test("a changed letter in a checkpoint is refused", () => {
  const good = note(textOf(demo));
  for (let at = 0; at < good.length; at++) {
    const altered = good.slice(0, at) + (good[at] === "A" ? "B" : "A") + good.slice(at + 1);
    const answer = push(batch(0, demo, altered));
    assert.ok(answer.status >= 400 && !answer.wrote, `position ${at}`);
  }
});

test("a body is the one encoding of a batch", () => {
  const good = batch(0, demo.slice(0, 2));
  const cases: [string, Uint8Array][] = [
    ["empty", new Uint8Array()],
    ["bytes left over", Uint8Array.of(...good, 0)],
    ["cut", good.slice(0, -1)],
    ["a version", encode([2, 0, demo.slice(0, 1), null])],
    ["no entries", encode([1, 0, [], null])],
    ["a text for an entry", encode([1, 0, ["x"], null])],
    ["three parts", encode([1, 0, demo.slice(0, 1)])],
    ["a number for a note", encode([1, 0, demo.slice(0, 1), 1])],
    ["a longer head", Uint8Array.of(0x84, 0x18, 0x01, ...good.slice(2))],
    ["an indefinite array", Uint8Array.of(0x9f, ...good.slice(1), 0xff)],
    ["a position beyond 2^53", encode([1, 2 ** 53, demo.slice(0, 1), null])],
    ["a last position beyond 2^53", encode([1, 2 ** 53 - 1, demo.slice(0, 1), null])],
    ["not UTF-8", Uint8Array.of(...encode([1, 0, demo.slice(0, 1)]).fill(0x84, 0, 1), 0x62, 0xc3, 0x28)],
  ];
  for (const [what, body] of cases) {
    const answer = push(body);
    assert.equal(answer.body.error?.code, "malformed-batch", `${what}: ${JSON.stringify(answer.body)}`);
    assert.equal(answer.status, 400);
  }
});

test("batches are bounded in entries and bytes", () => {
  refused(batch(0, Array(ENTRIES_MAX + 1).fill(demo[0])), "batch-too-large", 413);
  refused(batch(0, Array(ENTRIES_MAX).fill(demo[0])), "gap", 409);
  refused(new Uint8Array(BATCH_LEN_MAX + 1), "batch-too-large", 413);
  refused(new Uint8Array(BATCH_LEN_MAX), "malformed-batch", 400);
});

test("an entry has 1 MiB at most", () => {
  const padded = (length: number) => {
    const base = resealed(demo[0]!, [[10, new Map([["pad", ""]])]]).length;
    return resealed(demo[0]!, [[10, new Map([["pad", "x".repeat(length - base)]])]]);
  };
  // Longer heads of the text and of the payload: found by length, not by sum.
  const heads = padded(1 << 20).length - (1 << 20);
  const longest = padded((1 << 20) - heads);
  assert.equal(longest.length, 1 << 20);
  refused(batch(0, [longest]), "unknown-key", 403);
  refused(batch(0, [padded((1 << 20) - heads + 1)]), "malformed-entry", 400);
});

test("without settings, nothing is taken", () => {
  fresh();
  ccf.kv["public:ccf.gov.chancery.settings"]!.clear();
  refused(batch(0, demo), "not-set-up", 503);
});

test("digests alone are stored where the consortium said so, and forks are seen all the same", () => {
  settings({ store: "digests" });
  push(batch(0, demo.slice(0, 5)));
  assert.equal(ccf.kv["public:chancery.entries"]!.size, 0);
  assert.equal(ccf.kv["public:chancery.leaves"]!.size, 5);
  refused(batch(0, demo.slice(0, 3)), "replay", 409);
  refused(batch(3, [resealed(demo[3]!, [[9, 1]])]), "fork", 409, true);
});

test("where the last seal vouches for a batch, it must verify, and so must those that bring keys", () => {
  settings({ seals: "last" });
  assert.equal(push(batch(0, rotation, note(textOf(rotation), next))).status, 200);
  const flipped = (sealed: Uint8Array) => {
    const altered = sealed.slice();
    altered[altered.length - 1]! ^= 1;
    return altered;
  };
  fresh();
  settings({ seals: "last" });
  refused(batch(0, [flipped(demo[0]!)]), "bad-seal", 403);
  refused(batch(0, [...demo.slice(0, 4), flipped(demo[4]!)]), "bad-seal", 403);
  refused(batch(0, [flipped(demo[0]!), ...demo.slice(1, 4)]), "bad-seal", 403);
  // What follows a changed entry names the leaf hash of the true one: no fork, a bad seal.
  refused(batch(0, [...demo.slice(0, 2), flipped(demo[2]!), ...demo.slice(3, 5)]), "bad-seal", 403);
  refused(batch(0, [...demo.slice(0, 2), resealed(demo[2]!, [], other), ...demo.slice(3, 5)]), "unsigned-entry", 403);
  const turned = [...rotation.slice(0, rotatedAt), flipped(rotation[rotatedAt]!), ...rotation.slice(rotatedAt + 1)];
  refused(batch(0, turned), "bad-seal", 403);
  // Two that the service did seal, and that do not follow one another: a fork.
  const forked = resealed(demo[2]!, [[9, 1]]);
  push(batch(0, demo.slice(0, 2)));
  refused(batch(2, [forked, ...demo.slice(3, 5)]), "fork", 409, true);
});

test("logs do not touch one another", () => {
  const id = "01941f29-7c00-700c-8000-000000000002";
  push(batch(0, demo.slice(0, 5)));
  const answer = push(batch(0, demo.slice(0, 5)), id);
  assert.equal(answer.body.error.code, "wrong-collaboration");
  assert.equal(push(batch(5, demo.slice(5, 6)), id).body.error.code, "gap");
});

test("a collaboration is a hyphenated lower-case UUID", () => {
  for (const id of ["", "x", COLLABORATION.toUpperCase(), COLLABORATION.replaceAll("-", ""), `${COLLABORATION}0`]) {
    const answer = call(batches, WRITER, { params: { collaboration: id }, body: batch(0, demo) });
    assert.equal(answer.body.error?.code, "malformed-request", id);
  }
});

test("origins are names and collaborations", () => {
  push(batch(0, demo.slice(0, 1)));
  assert.equal(headNow().origin, ORIGIN);
});
