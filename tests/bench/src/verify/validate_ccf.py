"""Validates a CCF ledger, as often as fits into the seconds that each line of input names.

Answers each line with the ledger's entries and signatures, the passes made and the seconds that
they took.
"""

import os
import sys
import time

import ccf.ledger


def passed(folder):
    """Reads and validates everything: signatures over the Merkle root, certificates, the tree."""
    # A validator keeps these on its class.
    ccf.ledger.LedgerValidator.node_certificates = {}
    ccf.ledger.LedgerValidator.node_activity_status = {}
    validator = ccf.ledger.LedgerValidator()
    entries = 0
    for chunk in ccf.ledger.Ledger([folder]):
        for transaction in chunk:
            validator.add_transaction(transaction)
            entries += 1
    if validator.signature_count == 0:
        sys.exit("the ledger has no signature that was validated")
    return entries, validator.signature_count


def main():
    folder = sys.argv[1]
    # What it prints must not cost it time.
    ledger_output = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        seconds, passes, begun = float(line), 0, time.perf_counter()
        while True:
            entries, signatures = passed(folder)
            passes += 1
            elapsed = time.perf_counter() - begun
            if elapsed >= seconds:
                break
        print(entries, signatures, passes, elapsed, file=ledger_output, flush=True)


main()
