"""Every way a run can fail: stable codes, and the one exception that carries them."""

import os
import traceback
from enum import StrEnum

DETAIL_CHARS_MAX = 300


class Code(StrEnum):
    """Stable failure codes. They are part of status.json: rename none."""

    # the spec is refused, before anything of Spark starts
    SPEC_UNREADABLE = "spec_unreadable"
    SPEC_MALFORMED = "spec_malformed"
    SPEC_NOT_CANONICAL = "spec_not_canonical"
    EXECUTOR_KEY_MISMATCH = "executor_key_mismatch"
    SPEC_SIGNATURE_INVALID = "spec_signature_invalid"
    SPEC_INVALID = "spec_invalid"
    AUDIENCE_MISMATCH = "audience_mismatch"
    SPEC_EXPIRED = "spec_expired"
    MEASUREMENT_MISMATCH = "measurement_mismatch"
    DIGEST_MISMATCH = "digest_mismatch"
    OUTPUT_EXISTS = "output_exists"
    # an input is not what the spec says
    DATASET_UNREADABLE = "dataset_unreadable"
    DATASET_SCHEMA_MISMATCH = "dataset_schema_mismatch"
    DATASET_NOT_DECRYPTED = "dataset_not_decrypted"
    SECRET_MISSING = "secret_missing"
    SECRET_INVALID = "secret_invalid"
    # a segment asks for more than the spec declares
    SEGMENT_PARSE_FAILED = "segment_parse_failed"
    STATEMENT_REFUSED = "statement_refused"
    UNDECLARED_RELATION = "undeclared_relation"
    FUNCTION_REFUSED = "function_refused"
    # Spark understood a text differently from the analysis that was voted on
    PLAN_MISMATCH = "plan_mismatch"
    # a rule of the query or of a dataset's policy does not hold
    PRE_CONDITION_FAILED = "pre_condition_failed"
    POST_FILTER_COLUMN_MISSING = "post_filter_column_missing"
    POST_FILTER_COLUMN_NOT_NUMERIC = "post_filter_column_not_numeric"
    GROUP_COLUMN_MISSING = "group_column_missing"
    MINIMUM_GROUP_VIOLATED = "minimum_group_violated"
    HIDDEN_COLUMN_IN_OUTPUT = "hidden_column_in_output"
    OUTPUT_COLUMNS_INVALID = "output_columns_invalid"
    # the noise that the spec asks for would cost more than it states
    PRIVACY_LOSS_EXCEEDED = "privacy_loss_exceeded"
    # the engine could not do it
    SEGMENT_ANALYSIS_FAILED = "segment_analysis_failed"
    SEGMENT_EXECUTION_FAILED = "segment_execution_failed"
    ENGINE_ERROR = "engine_error"


class AppError(Exception):
    """A failure with a code and one line of detail that holds no value from any dataset."""

    def __init__(self, code: Code, detail: str):
        self.code = code
        self.detail = one_line(detail)
        super().__init__(f"{code.value}: {self.detail}")


def one_line(text: str) -> str:
    """`text` without control characters or line breaks, at most DETAIL_CHARS_MAX long."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:DETAIL_CHARS_MAX]


def unexpected(error: BaseException) -> AppError:
    """An exception nobody foresaw. Its text may quote rows, so only its class and place are kept."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if os.path.dirname(f.filename) == os.path.dirname(__file__)]
    place = f" at {os.path.basename(own[-1].filename)}:{own[-1].lineno}" if own else ""
    return AppError(Code.ENGINE_ERROR, f"{type(error).__name__}{place}")
