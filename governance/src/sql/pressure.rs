//! A bound on trees, counted on tokens: what a parser would build must not be too deep to drop.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::{DEPTH_MAX, OPERATORS_MAX};

/// How much tree the tokens so far can stand for, on the path to the root.
///
/// The parser makes chains of operators without recursion, but dropping or comparing such a chain
/// recurses once a link. A comma ends the chain of its level.
#[derive(Default)]
pub(super) struct Pressure {
    below: Vec<usize>,
    here: usize,
    total: usize,
}

impl Pressure {
    /// Counts one more token; false once it is too much.
    pub(super) fn admits(&mut self, token: &Token) -> bool {
        match token {
            Token::LParen => {
                self.below.push(self.here);
                self.here = 0;
            }
            Token::RParen => {
                self.total -= self.here;
                self.here = self.below.pop().unwrap_or(0);
            }
            Token::Comma => {
                self.total -= self.here;
                self.here = 0;
            }
            token if chains(token) => {
                self.here += 1;
                self.total += 1;
            }
            _ => {}
        }
        self.total <= OPERATORS_MAX && self.below.len() <= DEPTH_MAX
    }
}

fn chains(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::NOTNULL
                | Keyword::IN
                | Keyword::BETWEEN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::SIMILAR
                | Keyword::AT
                | Keyword::COLLATE
                | Keyword::DIV
                | Keyword::OVERLAPS
                | Keyword::OPERATOR
                | Keyword::MATCH
                | Keyword::GLOB
                | Keyword::MEMBER
                | Keyword::CASE
                | Keyword::INTERVAL
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::MINUS
                | Keyword::SELECT
        ),
        Token::Eq
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
        | Token::Colon => true,
        _ => false,
    }
}
