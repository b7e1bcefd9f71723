//! From text to one parsed query: bounds and a token allow-list stand before the parser.
//!
//! Strings keep their raw text (`with_unescape(false)`), so that nothing is read here in a way that
//! Spark would read differently; `bind` re-encodes each of them.

use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::DatabricksDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use super::names::{is_identifier, is_reserved};
use super::pressure::Pressure;
use super::refusal::{Clause, RefusalCode, Refusals};
use super::{DEPTH_MAX, OPERATORS_MAX, RESERVED_PREFIX, SEGMENT_BYTES_MAX};

/// Levels that the parser may recurse; an expression level takes about one of them.
const PARSER_DEPTH_MAX: usize = 64;
/// Digits, point and exponent of one number.
const NUMBER_BYTES_MAX: usize = 48;

/// Parses a segment's text into its one query, or says why not.
pub(super) fn parse(sql: &str, refusals: &mut Refusals) -> Option<Query> {
    let before = refusals.len();
    let text = Span::empty();
    if sql.len() > SEGMENT_BYTES_MAX {
        let detail =
            format!("the text has {} bytes, at most {SEGMENT_BYTES_MAX} are read", sql.len());
        refusals.push(RefusalCode::TooLong, Clause::Text, text, detail);
        return None;
    }
    check_characters(sql, refusals);
    let tokens = match Tokenizer::new(&DatabricksDialect {}, sql)
        .with_unescape(false)
        .tokenize_with_location()
    {
        Ok(tokens) => tokens,
        Err(error) => {
            refusals.push_at(RefusalCode::Syntax, Clause::Text, error.location, error.message);
            return None;
        }
    };
    check_tokens(&tokens, refusals);
    check_statement(&tokens, refusals);
    if refusals.len() > before {
        return None;
    }
    match statements(tokens) {
        Ok(mut statements) => match (statements.len(), statements.pop()) {
            (1, Some(Statement::Query(query))) => Some(*query),
            (count, _) => {
                let detail = format!(
                    "a segment is one SELECT; here are {count} statements or another kind of statement"
                );
                refusals.push(RefusalCode::NotOneSelect, Clause::Text, text, detail);
                None
            }
        },
        Err(ParserError::RecursionLimitExceeded) => {
            refusals.push(RefusalCode::TooDeep, Clause::Text, text, "the text nests too deep");
            None
        }
        Err(ParserError::ParserError(message) | ParserError::TokenizerError(message)) => {
            let (message, at) = split_position(&message);
            refusals.push_at(RefusalCode::Syntax, Clause::Text, at, message);
            None
        }
    }
}

/// Parses printed text again, for the fixpoint check.
pub(super) fn reparse(sql: &str) -> Option<Query> {
    let tokens = Tokenizer::new(&DatabricksDialect {}, sql)
        .with_unescape(false)
        .tokenize_with_location()
        .ok()?;
    let mut statements = statements(tokens).ok()?;
    match (statements.len(), statements.pop()) {
        (1, Some(Statement::Query(query))) => Some(*query),
        _ => None,
    }
}

fn statements(tokens: Vec<TokenWithSpan>) -> Result<Vec<Statement>, ParserError> {
    Parser::new(&DatabricksDialect {})
        .with_recursion_limit(PARSER_DEPTH_MAX)
        .with_tokens_with_locations(tokens)
        .parse_statements()
}

/// Outside strings and line comments only printable ASCII, tab and line ends may stand: letters and
/// spaces that look like others are a way to show a reviewer one text and Spark another.
fn check_characters(sql: &str, refusals: &mut Refusals) {
    let mut at = Location { line: 1, column: 1 };
    let (mut string, mut comment, mut previous) = (false, false, ' ');
    for character in sql.chars() {
        match character {
            '\n' => comment = false,
            '\'' if !comment => string = !string,
            '-' if previous == '-' && !string => comment = true,
            _ => {}
        }
        let plain = matches!(character, ' '..='~' | '\n' | '\t' | '\r');
        if !plain && !string && !comment {
            let detail = format!(
                "character U+{:04X} may stand in string literals only",
                u32::from(character)
            );
            refusals.push_at(RefusalCode::Character, Clause::Text, at, detail);
        }
        previous = if comment { ' ' } else { character };
        at = match character {
            '\n' => Location { line: at.line + 1, column: 1 },
            _ => Location { line: at.line, column: at.column + 1 },
        };
    }
}

fn check_tokens(tokens: &[TokenWithSpan], refusals: &mut Refusals) {
    let mut pressure = Pressure::default();
    let mut after_period = false;
    for token in tokens {
        if let Some((code, detail)) = objection(&token.token, after_period) {
            refusals.push(code, Clause::Text, token.span, detail);
        }
        after_period = token.token == Token::Period;
        if !pressure.admits(&token.token) {
            let detail = format!(
                "at most {DEPTH_MAX} levels and {OPERATORS_MAX} operators above one another are read"
            );
            refusals.push(RefusalCode::TooDeep, Clause::Text, token.span, detail);
            return;
        }
    }
}

/// What other statements begin with, by what they do.
const STATEMENTS: &[(RefusalCode, &[&str])] = &[
    (
        RefusalCode::WritesData,
        &["insert", "update", "delete", "merge", "truncate", "load", "copy", "export", "import"],
    ),
    (
        RefusalCode::Definition,
        &[
            "create", "drop", "alter", "replace", "rename", "comment", "grant", "revoke", "deny",
            "msck", "repair", "undrop", "declare",
        ],
    ),
    (
        RefusalCode::SessionCommand,
        &[
            "set", "reset", "use", "cache", "uncache", "refresh", "clear", "add", "list", "show",
            "describe", "desc", "explain", "analyze", "call", "execute", "begin", "commit",
            "rollback", "optimize", "vacuum", "restore", "kill", "print", "return",
        ],
    ),
];

/// Names the kind of another statement by its first word: the parser knows some of Spark's only.
fn check_statement(tokens: &[TokenWithSpan], refusals: &mut Refusals) {
    let mut tokens = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let Some(TokenWithSpan { token: Token::Word(word), span }) = tokens.next() else {
        return;
    };
    let begins = |words: &[&str]| words.iter().any(|first| first.eq_ignore_ascii_case(&word.value));
    for (code, words) in STATEMENTS {
        if begins(words) {
            let detail = format!("a segment is one SELECT, and this is {}", word.value);
            refusals.push(*code, Clause::Text, *span, detail);
        }
    }
}

/// Why a token may not stand in a segment; an allow-list, so that new tokens are refused.
fn objection(token: &Token, after_period: bool) -> Option<(RefusalCode, String)> {
    match token {
        Token::EOF
        | Token::Whitespace(
            Whitespace::Space
            | Whitespace::Newline
            | Whitespace::Tab
            | Whitespace::SingleLineComment { comment: _, prefix: _ },
        )
        | Token::Comma
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Spaceship
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::LParen
        | Token::RParen
        | Token::Period
        | Token::Colon
        | Token::SemiColon => None,
        Token::Whitespace(Whitespace::MultiLineComment(text)) if text.starts_with('+') => {
            Some((RefusalCode::Hint, "optimiser hints are not passed on".to_owned()))
        }
        Token::Whitespace(Whitespace::MultiLineComment(_)) => {
            Some((RefusalCode::BlockComment, "comments are written with --".to_owned()))
        }
        Token::Word(word) => word_objection(word, after_period),
        Token::DoubleQuotedString(_) => {
            Some((RefusalCode::QuotedIdentifier, "strings are written in single quotes".to_owned()))
        }
        Token::Number(number, _) => {
            let fits = number.len() <= NUMBER_BYTES_MAX
                && number
                    .chars()
                    .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
            (!fits).then(|| {
                (
                    RefusalCode::ConstructNotSupported,
                    format!("the number {number} is not supported"),
                )
            })
        }
        Token::SingleQuotedString(text) => text.contains('\\').then(|| {
            let detail =
                "a backslash in a string literal is not supported; bind the value as a parameter";
            (RefusalCode::ConstructNotSupported, detail.to_owned())
        }),
        other => Some((RefusalCode::ConstructNotSupported, format!("{other} is not supported"))),
    }
}

fn word_objection(word: &Word, after_period: bool) -> Option<(RefusalCode, String)> {
    let Word { value, quote_style, keyword: _ } = word;
    if is_reserved(value) {
        return Some((
            RefusalCode::ReservedName,
            format!("names that start with {RESERVED_PREFIX} are not for queries"),
        ));
    }
    match quote_style {
        None if is_identifier(value) => None,
        None => Some((RefusalCode::InvalidName, format!("{value} is not a name"))),
        Some(_) if after_period || !is_identifier(value) => {
            Some((RefusalCode::PathRelation, "a name in quotes can stand for a path".to_owned()))
        }
        Some(_) => {
            Some((RefusalCode::QuotedIdentifier, "names are written without quotes".to_owned()))
        }
    }
}

/// Takes the place off the end of a parser's message.
fn split_position(message: &str) -> (&str, Location) {
    let nowhere = Location { line: 0, column: 0 };
    let Some((text, place)) = message.rsplit_once(" at Line: ") else {
        return (message, nowhere);
    };
    let Some((line, column)) = place.split_once(", Column: ") else {
        return (message, nowhere);
    };
    match (line.parse(), column.parse()) {
        (Ok(line), Ok(column)) => (text, Location { line, column }),
        _ => (message, nowhere),
    }
}
