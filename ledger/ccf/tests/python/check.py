"""Verifies CCF receipts and ledgers by PyPI's ccf and by scitt-cose, for ledger/ccf/tests/python.rs.

One JSON array of requests on standard input, one of answers on standard output, in their order: null
where it is accepted, else what was raised. Bytes are in hex.
"""

import json
import os
import sys
import tempfile
from hashlib import sha256

import ccf.cose
import ccf.ledger
import ccf.receipt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from scitt_cose import verify_receipt


def certificate(pem: str):
    return load_pem_x509_certificate(pem.encode())


def json_receipt(request: dict) -> None:
    """As CCF's documentation has it: leaf, root, signature, chain."""
    receipt = json.loads(bytes.fromhex(request["receipt"]))
    if "leaf_components" in receipt:
        parts = receipt["leaf_components"]
        leaf = sha256(
            bytes.fromhex(parts["write_set_digest"])
            + sha256(parts["commit_evidence"].encode()).digest()
            + bytes.fromhex(parts.get("claims_digest") or request["claims"])
        ).hexdigest()
    else:
        leaf = receipt["leaf"]
    node = certificate(receipt["cert"])
    ccf.receipt.verify(ccf.receipt.root(leaf, receipt["proof"]), receipt["signature"], node)
    earlier = [certificate(pem) for pem in receipt.get("service_endorsements", [])]
    ccf.receipt.check_endorsements(node, certificate(request["service"]), earlier)


def cose_receipt(request: dict) -> None:
    key = certificate(request["service"]).public_key()
    ccf.cose.verify_receipt(
        bytes.fromhex(request["receipt"]), key, bytes.fromhex(request["claims"])
    )


def scitt(request: dict) -> None:
    key = certificate(request["service"]).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    result = verify_receipt(
        bytes.fromhex(request["receipt"]),
        leaf_entry_hex=request["claims"],
        log_public_key_pem=pem,
    )
    if not result.ok:
        raise ValueError(str(result))


def ledger(request: dict) -> None:
    """The validator, and that it came to the end: it is silent about what is not signed."""
    # Shared between validators in this version.
    ccf.ledger.LedgerValidator.node_certificates = {}
    ccf.ledger.LedgerValidator.node_activity_status = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in request["files"].items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(bytes.fromhex(content))
        validator = ccf.ledger.LedgerValidator()
        for transaction in ccf.ledger.Ledger([folder]).transactions():
            validator.add_transaction(transaction)


DO = {"json": json_receipt, "cose": cose_receipt, "scitt": scitt, "ledger": ledger}


def answer(request: dict):
    try:
        DO[request["do"]](request)
    except Exception as error:  # Whatever it is: it was not accepted.
        return f"{type(error).__name__}: {error}"[:200]
    return None


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
