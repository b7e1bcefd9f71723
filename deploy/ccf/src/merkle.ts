// The Merkle tree of RFC 9162 section 2.1, kept as its frontier: the roots of the complete subtrees
// that a tree of this size is made of, largest first. As many as the size has bits set.
import { ccf } from "./ccf.js";
import { DIGEST_LEN } from "./bytes.js";

export function sha256(buffer: ArrayBuffer): Uint8Array {
  return new Uint8Array(ccf.crypto.digest("SHA-256", buffer));
}

export function leafHash(sealed: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + sealed.length);
  input.set(sealed, 1);
  return sha256(input.buffer);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * DIGEST_LEN);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + DIGEST_LEN);
  return sha256(input.buffer);
}

export class Frontier {
  constructor(
    private count: number,
    private readonly roots: Uint8Array[],
  ) {}

  get size(): number {
    return this.count;
  }

  get subtrees(): readonly Uint8Array[] {
    return this.roots;
  }

  append(leaf: Uint8Array): void {
    let node = leaf;
    for (let low = this.count; low % 2 === 1; low = (low - 1) / 2) {
      const left = this.roots.pop();
      if (left === undefined) throw new Error("the frontier is not that of the size");
      node = nodeHash(left, node);
    }
    this.roots.push(node);
    this.count += 1;
  }

  root(): Uint8Array {
    if (this.count === 0) return sha256(new ArrayBuffer(0));
    return this.roots.reduceRight((right, left) => nodeHash(left, right));
  }
}
