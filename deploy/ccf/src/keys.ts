// Public keys of services: Ed25519, written `EdDSA:` and base64url, named by SHA-256 of their bytes.
import { ccf } from "./ccf.js";
import { base64, buffer, concat, fromBase64Url, hex } from "./bytes.js";
import { sha256 } from "./merkle.js";

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const SPKI = Uint8Array.from([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);
const KEY_LEN = 32;
const SIGNATURE_LEN = 64;

/** The y coordinates of the points of small order without the sign bit: such keys verify nothing. */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

export class PublicKey {
  private constructor(
    readonly text: string,
    readonly bytes: Uint8Array,
    readonly id: Uint8Array,
    private readonly pem: string,
  ) {}

  /** Reads `EdDSA:` and base64url; null for other algorithms, lengths, and keys of small order. */
  static parse(text: string): PublicKey | null {
    if (!text.startsWith("EdDSA:")) return null;
    const bytes = fromBase64Url(text.slice("EdDSA:".length));
    if (bytes === null || bytes.length !== KEY_LEN) return null;
    const y = bytes.slice();
    y[KEY_LEN - 1]! &= 0x7f;
    if (SMALL_ORDER.includes(hex(y))) return null;
    const pem = `-----BEGIN PUBLIC KEY-----\n${base64(concat(SPKI, bytes))}\n-----END PUBLIC KEY-----\n`;
    return new PublicKey(text, bytes, sha256(buffer(bytes)), pem);
  }

  verifies(signature: Uint8Array, message: ArrayBuffer): boolean {
    if (signature.length !== SIGNATURE_LEN) return false;
    return ccf.crypto.verifySignature({ name: "EdDSA" }, this.pem, buffer(signature), message);
  }
}
