// What the consortium decides about the mirror. CCF concatenates the files of a constitution: this
// one comes after the default `actions.js`, whose `actions`, `Action` and checks it uses.

function chanceryKeyId(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const match = /^EdDSA:([A-Za-z0-9_-]{43})$/.exec(text);
  if (match === null) {
    throw new Error("key must be `EdDSA:` and 32 bytes in base64url");
  }
  const bytes = [];
  let bits = 0;
  let held = 0;
  for (const char of match[1]) {
    held = (held << 6) | alphabet.indexOf(char);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push(held >> bits);
      held &= (1 << bits) - 1;
    }
  }
  if (held !== 0) {
    throw new Error("key must be `EdDSA:` and 32 bytes in base64url");
  }
  return chanceryHex(ccf.crypto.digest("SHA-256", new Uint8Array(bytes).buffer));
}

function chanceryHex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function chanceryCallerId(args) {
  const text = `${args.issuer}\n${args.subject}`;
  return chanceryHex(ccf.crypto.digest("SHA-256", ccf.strToBuf(text)));
}

function chanceryCheckText(value, field) {
  checkType(value, "string", field);
  if (value === "" || value.length > 255 || /[\u0000-\u001f]/.test(value)) {
    throw new Error(`${field} must be a text of 1 to 255 characters without control characters`);
  }
}

const chanceryKeys = "public:ccf.gov.chancery.keys";
const chancerySettings = "public:ccf.gov.chancery.settings";
const chanceryCallers = "public:ccf.gov.chancery.callers";

// The mirror's settings: whether entries are stored whole or as digests only; whether a service may go
// over to a new key by itself (`follow`) or only to one that the consortium allowed (`approve`); and
// whether the seal of each entry is checked, or of a batch's last one, which vouches for those before.
actions.set(
  "chancery_set_settings",
  new Action(
    function (args) {
      checkEnum(args.store, ["entries", "digests"], "store");
      checkEnum(args.rotation, ["follow", "approve"], "rotation");
      checkEnum(args.seals, ["each", "last"], "seals");
    },
    function (args) {
      const settings = { store: args.store, rotation: args.rotation, seals: args.seals };
      ccf.kv[chancerySettings].set(getSingletonKvKey(), ccf.jsonCompatibleToBuf(settings));
    },
  ),
);

// Allows a service to begin logs with a key. The name is the one in the origin of its checkpoints.
actions.set(
  "chancery_set_service_key",
  new Action(
    function (args) {
      chanceryCheckText(args.name, "name");
      if (/[\s+]/.test(args.name)) {
        throw new Error("name must have neither spaces nor a plus");
      }
      checkType(args.key, "string", "key");
      chanceryKeyId(args.key);
    },
    function (args) {
      const key = { name: args.name, key: args.key, status: "active" };
      const id = ccf.strToBuf(chanceryKeyId(args.key));
      ccf.kv[chanceryKeys].set(id, ccf.jsonCompatibleToBuf(key));
    },
  ),
);

// `retired`: begins no more logs. `revoked`: seals nothing more. A key that came by rotation, and was
// never allowed by name, can be revoked too.
actions.set(
  "chancery_end_service_key",
  new Action(
    function (args) {
      checkType(args.key, "string", "key");
      chanceryKeyId(args.key);
      checkEnum(args.status, ["retired", "revoked"], "status");
    },
    function (args) {
      const id = ccf.strToBuf(chanceryKeyId(args.key));
      const before = ccf.kv[chanceryKeys].get(id);
      const name = before === undefined ? "" : ccf.bufToJsonCompatible(before).name;
      const key = { name, key: args.key, status: args.status };
      ccf.kv[chanceryKeys].set(id, ccf.jsonCompatibleToBuf(key));
    },
  ),
);

// Lets the holder of a token read, or write. Its issuer is set up by CCF's own `set_jwt_issuer`.
actions.set(
  "chancery_set_caller",
  new Action(
    function (args) {
      for (const field of ["issuer", "subject", "audience"]) {
        chanceryCheckText(args[field], field);
      }
      checkEnum(args.role, ["writer", "reader"], "role");
    },
    function (args) {
      const { issuer, subject, audience, role } = args;
      const id = ccf.strToBuf(chanceryCallerId(args));
      const caller = { issuer, subject, audience, role };
      ccf.kv[chanceryCallers].set(id, ccf.jsonCompatibleToBuf(caller));
    },
  ),
);

actions.set(
  "chancery_remove_caller",
  new Action(
    function (args) {
      chanceryCheckText(args.issuer, "issuer");
      chanceryCheckText(args.subject, "subject");
    },
    function (args) {
      ccf.kv[chanceryCallers].delete(ccf.strToBuf(chanceryCallerId(args)));
    },
  ),
);
