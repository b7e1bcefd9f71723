"""Verifies and makes COSE Receipts by scitt-cose, for ledger/tests/receipts_scitt.rs.

One JSON array of requests on standard input, one of answers on standard output, in their order.
Bytes are in hex.
"""

import json
import sys

import cbor2
from scitt_cose import CoseError, build_receipt, merkle_root, sign_sign1, verify_consistency
from scitt_cose import inclusion_proof, verify_receipt, verify_sign1
from scitt_cose.receipt import HDR_VDP, HDR_VDS

CONSISTENCY = -2


def inclusion(request: dict) -> dict:
    result = verify_receipt(
        bytes.fromhex(request["receipt"]),
        leaf_entry_hex=request["entry"],
        log_public_key_pem=request["key"],
    )
    return {"ok": result.ok, "root": result.root, "size": result.tree_size, "index": result.leaf_index}


def consistency(request: dict) -> dict:
    """scitt-cose has the signature and the proof apart; RFC 9942 section 5.3 puts them together."""
    receipt = bytes.fromhex(request["receipt"])
    try:
        message = verify_sign1(
            receipt,
            public_key_pem=request["key"],
            detached_payload=bytes.fromhex(request["new_root"]),
        )
        [proof] = message.unprotected[HDR_VDP][CONSISTENCY]
        old, new, path = cbor2.loads(proof)
        ok = message.protected[HDR_VDS] == 1 and verify_consistency(
            request["old_root"], request["new_root"], old, new, [node.hex() for node in path]
        )
    except (CoseError, ValueError, KeyError, TypeError, IndexError, AttributeError, cbor2.CBORDecodeError):
        return {"ok": False}
    return {"ok": ok, "old": old, "new": new} if ok else {"ok": False}


def make(request: dict) -> dict:
    """A receipt by scitt-cose with its protected header in canonical order, and one as it comes."""
    entries, index = request["entries"], request["index"]
    path = [bytes.fromhex(node) for node in inclusion_proof(entries, index)]
    kid = bytes.fromhex(request["kid"])
    canonical = sign_sign1(
        bytes.fromhex(merkle_root(entries)),
        alg="EdDSA",
        private_key_pem=request["private_key"],
        protected={1: -8, 4: kid, HDR_VDS: 1},
        unprotected={HDR_VDP: {-1: [cbor2.dumps([len(entries), index, path])]}},
        detached=True,
    )
    unordered = build_receipt(
        leaf_entry_hex=entries[index],
        leaf_index=index,
        tree_entries_hex=entries,
        alg="EdDSA",
        log_private_key_pem=request["private_key"],
        kid=kid,
    )
    return {"canonical": canonical.hex(), "unordered": unordered.hex()}


DO = {"inclusion": inclusion, "consistency": consistency, "make": make}

json.dump([DO[request["do"]](request) for request in json.load(sys.stdin)], sys.stdout)
