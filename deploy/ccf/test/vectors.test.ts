import { beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import "./stub.js";
import { allow, fresh, next, push, sha256, tohex } from "./support.js";

const MIRROR = new URL("../../../../../docs/wire/vectors/mirror-v1/", import.meta.url);
const { batches } = JSON.parse(readFileSync(new URL("index.json", MIRROR), "utf8"));

beforeEach(() => {
  fresh();
  allow(next);
});

test("the golden batches are taken, and claim what they claimed", () => {
  assert.equal(batches.length, 4);
  let before = 0;
  for (const { file, first, size, root, claims_digest, sha256: digest } of batches) {
    if (first !== before) fresh();
    const body = new Uint8Array(readFileSync(new URL(file, MIRROR)));
    assert.equal(tohex(sha256(body)), digest, file);
    const answer = push(body);
    assert.equal(answer.status, 200, `${file}: ${JSON.stringify(answer.body)}`);
    assert.deepEqual([answer.body.first, answer.body.size, answer.body.root], [first, size, root]);
    assert.equal(answer.claims, claims_digest);
    before = size;
  }
});
