// Why a request is refused: the codes of docs/wire/mirror.md, each with its HTTP status.

const STATUS = {
  "malformed-request": 400,
  "malformed-batch": 400,
  "malformed-entry": 400,
  "wrong-collaboration": 400,
  "bad-checkpoint": 400,
  "not-a-writer": 403,
  "not-a-reader": 403,
  "unknown-key": 403,
  "revoked-key": 403,
  "unsigned-entry": 403,
  "bad-seal": 403,
  "bad-rotation": 403,
  "unsigned-checkpoint": 403,
  "unknown-collaboration": 404,
  "unknown-position": 404,
  "unknown-checkpoint": 404,
  "not-a-batch": 404,
  "not-a-signature": 404,
  gap: 409,
  replay: 409,
  fork: 409,
  "checkpoint-of-another-state": 409,
  "batch-too-large": 413,
  "not-set-up": 503,
} as const;

export type Code = keyof typeof STATUS;

export class Refusal extends Error {
  constructor(
    readonly code: Code,
    message: string,
  ) {
    super(message);
  }

  get status(): number {
    return STATUS[this.code];
  }
}
