// COSE_Sign1 (RFC 9052 section 4.2) in the ledger's one form: tagged, payload attached, unprotected
// header empty, protected header exactly alg (EdDSA), content type and kid. That header has one
// encoding for a content type and a kid, so it is compared, not parsed.
import { concat, DIGEST_LEN, equal, utf8 } from "./bytes.js";
import { Major, Malformed, Reader } from "./cbor.js";
import { PublicKey } from "./keys.js";

export type ContentType = "application/chancery-entry+cbor" | "application/chancery-service-command+cbor";

const TAG_SIGN1 = 0xd2;
/** An array of four, and "Signature1" as text. */
const CONTEXT = Uint8Array.from([0x84, 0x6a, 0x53, 0x69, 0x67, 0x6e, 0x61, 0x74, 0x75, 0x72, 0x65, 0x31]);
const NO_EXTERNAL_DATA = 0x40;

/** The header up to the kid: `{1: -8, 3: content type, 4: kid}`. */
function headerOf(content: ContentType): Uint8Array {
  return concat(
    Uint8Array.from([0xa3, 0x01, 0x27, 0x03, 0x78, content.length]),
    utf8(content),
    Uint8Array.from([0x04, 0x58, DIGEST_LEN]),
  );
}

const headers = new Map<ContentType, Uint8Array>();

export class Sign1 {
  private constructor(
    readonly keyId: Uint8Array,
    readonly payload: Uint8Array,
    private readonly signature: Uint8Array,
    private readonly signed: Uint8Array,
  ) {}

  /** Reads a message of that kind. Throws `Malformed`; the signature is not checked here. */
  static parse(content: ContentType, bytes: Uint8Array): Sign1 {
    if (bytes[0] !== TAG_SIGN1) throw new Malformed("not a tagged COSE_Sign1");
    const body = bytes.subarray(1);
    const reader = new Reader(body);
    if (reader.head(Major.Array) !== 4) throw new Malformed("not four parts");
    const protectedFrom = reader.position;
    const header = reader.byteString();
    const protectedTo = reader.position;
    if (reader.head(Major.Map) !== 0) throw new Malformed("the unprotected header is not empty");
    const payloadFrom = reader.position;
    const payload = reader.byteString();
    const payloadTo = reader.position;
    const signature = reader.byteString();
    reader.end();
    let expected = headers.get(content);
    if (expected === undefined) headers.set(content, (expected = headerOf(content)));
    if (header.length !== expected.length + DIGEST_LEN || !equal(header.subarray(0, expected.length), expected)) {
      throw new Malformed("another protected header");
    }
    const signed = concat(
      CONTEXT,
      body.subarray(protectedFrom, protectedTo),
      Uint8Array.of(NO_EXTERNAL_DATA),
      body.subarray(payloadFrom, payloadTo),
    );
    return new Sign1(header.subarray(expected.length), payload, signature, signed);
  }

  isBy(key: PublicKey): boolean {
    return equal(this.keyId, key.id);
  }

  /** Whether `key` is the one named and signed these bytes. */
  verifies(key: PublicKey): boolean {
    return this.isBy(key) && key.verifies(this.signature, this.signed.buffer as ArrayBuffer);
  }
}
