//! The analyser never panics, and no accepted text reads what is closed.

use proptest::prelude::*;
use sqlparser::dialect::DatabricksDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::{Literal, run};
use crate::sql::Analysis;

const SEEDS: &[&str] = &[
    "SELECT f.carrier, p.model, COUNT(*) AS n, AVG(f.dep_delay) AS d FROM flights f JOIN planes p ON f.tailnum = p.tailnum WHERE f.distance > :least GROUP BY f.carrier, p.model HAVING COUNT(*) > 3 ORDER BY n DESC LIMIT 10",
    "SELECT city, SUM(pay * age) AS s, COUNT(DISTINCT city) AS c FROM people GROUP BY city HAVING s > 1 OR city = 'x'",
    "SELECT * FROM weather w LEFT JOIN planes p ON w.origin = p.tailnum AND (w.wind > 3 OR p.seats IS NULL)",
    "SELECT w.*, CASE WHEN wind > 3 THEN 'a' ELSE upper(origin) END AS x, CAST(wind AS BIGINT) AS y FROM weather w WHERE wind BETWEEN 1 AND 2 AND origin IN ('a', 'it''s')",
    "SELECT year(time_hour) AS y, MIN(wind) AS m FROM weather WHERE time_hour < TIMESTAMP '2013-01-01 00:00:00' GROUP BY y",
    "SELECT tailnum, COUNT(*) AS n FROM flights JOIN planes USING (tailnum) GROUP BY tailnum",
];

/// Texts of more than one query, over inputs with floors.
const NESTED: &[&str] = &[
    "WITH w AS (SELECT p.city, p.pay FROM people p WHERE p.age > 3) SELECT d.city, AVG(d.pay) AS m FROM (SELECT * FROM w) AS d GROUP BY d.city",
    "SELECT w.origin FROM weather w WHERE w.wind > (SELECT AVG(p.pay) FROM people p) AND w.origin IN (SELECT f.carrier FROM flights f GROUP BY f.carrier)",
    "SELECT p.city, COUNT(*) AS n FROM people p WHERE EXISTS (SELECT 1 FROM weather w WHERE w.origin = p.city) GROUP BY p.city",
    "SELECT city, COUNT(*) AS n FROM people GROUP BY city UNION ALL SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier",
    "SELECT d.city, RANK() OVER (ORDER BY d.n) AS r FROM (SELECT city, COUNT(*) AS n FROM people GROUP BY city) AS d",
    "SELECT t.x, COUNT(*) AS n FROM people p LATERAL VIEW explode(split(p.city, ',')) t AS x GROUP BY t.x",
];

/// Words that change what a text means, closed names among them.
const WORDS: &[&str] = &[
    "station",
    "passenger",
    "name",
    "id",
    "*",
    "w.*",
    "f.*",
    "people",
    "flights",
    "weather",
    "planes",
    "(",
    ")",
    ",",
    "UNION",
    "SELECT",
    "FROM",
    "JOIN",
    "USING (origin)",
    "ON true",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT 1",
    "DISTINCT",
    "AS",
    "OVER ()",
    "--",
    "/*",
    "*/",
    "`",
    "\"",
    "'",
    "\\",
    ";",
    ":least",
    "$",
    "{",
    "csv.`/x`",
    "COUNT(*)",
    "SUM(",
    "CASE",
    "WHEN",
    "END",
    "NOT",
    "-",
    "OR",
    "AND",
    "1",
    "0.5",
    "'x'",
    "x",
    ".",
    "[",
    "]",
    "LATERAL VIEW",
    "TABLESAMPLE",
    "INTERVAL 1 DAY",
    "EXISTS",
    "IN",
    "IS NULL",
    "->",
    "::",
];

/// The closed columns of each input; `id` of people may only be counted.
const CLOSED: &[&str] = &["station", "passenger", "name", "id"];

fn least() -> [(&'static str, Literal); 1] {
    [("least", Literal::Long(-5))]
}

fn analysed(text: &str) -> Option<Analysis> {
    let early = [(1, "early", text), (2, "out", "SELECT COUNT(*) AS n FROM early")];
    let mut accepted = None;
    for parameters in [&least()[..], &[]] {
        let _ = run(&early, parameters);
        accepted = accepted.or_else(|| run(&[(1, "out", text)], parameters).ok());
    }
    accepted
}

/// No closed column stands in the text that runs, but for the identity inside the counts we added.
fn check(analysis: &Analysis) {
    for segment in &analysis.segments {
        let text = segment.rewritten.as_str();
        let tokens = Tokenizer::new(&DatabricksDialect {}, text).tokenize().unwrap();
        let words: Vec<&str> = tokens
            .iter()
            .filter_map(|token| match token {
                Token::Word(word) => Some(word.value.as_str()),
                _ => None,
            })
            .collect();
        for (index, word) in words.iter().enumerate() {
            let closed = CLOSED.iter().any(|closed| closed.eq_ignore_ascii_case(word));
            let counted = *word == "id"
                && index >= 3
                && words[index - 3] == "COUNT"
                && words[index - 2] == "DISTINCT";
            let carried = *word == "id"
                && words.get(index + 1) == Some(&"AS")
                && words.get(index + 2) == Some(&"__chancery_id_people");
            let alias = index > 0 && words[index - 1] == "AS";
            let used_alias =
                segment.output.iter().any(|output| output.name.eq_ignore_ascii_case(word));
            let relation =
                words.windows(2).any(|pair| pair[0] == "AS" && pair[1].eq_ignore_ascii_case(word));
            assert!(
                !closed || counted || carried || alias || used_alias || relation,
                "{word} in {text}"
            );
        }
        for output in &segment.output {
            assert!(
                output.sources.iter().all(|(_, column)| !CLOSED.contains(&column.as_str())),
                "{text}"
            );
        }
        let floored = segment
            .reads
            .keys()
            .filter(|relation| ["flights", "people"].contains(&relation.as_str()))
            .count();
        assert_eq!(segment.groups.len(), floored, "{text}");
        assert_eq!(
            text.matches(" >= 50").count() + text.matches(" >= 10").count(),
            floored,
            "{text}"
        );
    }
}

/// A text of more than one query shows nothing closed, and nothing of an input without its floor.
fn check_floors(analysis: &Analysis) {
    let segment = &analysis.segments[0];
    let text = segment.rewritten.as_str();
    for (input, floor) in [("flights", "__chancery_row_flights) >= 50"), ("people", ") >= 10")] {
        assert!(!segment.reads.contains_key(input) || text.contains(floor), "{input}: {text}");
    }
    for output in &segment.output {
        let closed = |(_, column): &(String, String)| CLOSED.contains(&column.as_str());
        assert!(!output.sources.iter().any(closed), "{text}");
        assert!(!output.name.starts_with("__chancery_"), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_text_never_panics(text in "(?s).{0,200}") {
        let _ = analysed(&text);
    }

    #[test]
    fn random_words_never_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        let _ = analysed(&words.join(" "));
        let _ = analysed(&format!("SELECT {}", words.join(" ")));
    }

    #[test]
    fn a_mutated_text_reads_nothing_closed(
        seed in prop::sample::select(SEEDS),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(WORDS)), 1..4),
    ) {
        let mut words: Vec<String> = split(seed);
        for (place, kind, word) in edits {
            let at = place.index(words.len());
            match kind {
                0 => words[at] = word.to_owned(),
                1 => words.insert(at, word.to_owned()),
                _ => words[at] = format!("{}{word}", words[at]),
            }
        }
        if let Some(analysis) = analysed(&words.join(" ")) {
            check(&analysis);
        }
    }

    #[test]
    fn a_mutated_text_of_many_queries_keeps_its_floors(
        seed in prop::sample::select(NESTED),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(WORDS)), 1..4),
    ) {
        let mut words: Vec<String> = split(seed);
        for (place, kind, word) in edits {
            let at = place.index(words.len());
            match kind {
                0 => words[at] = word.to_owned(),
                1 => words.insert(at, word.to_owned()),
                _ => words[at] = format!("{}{word}", words[at]),
            }
        }
        if let Some(analysis) = analysed(&words.join(" ")) {
            check_floors(&analysis);
        }
    }

    #[test]
    fn names_swapped_for_names_read_nothing_closed(
        seed in prop::sample::select(SEEDS),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&["station", "passenger", "name", "id", "origin", "tailnum", "wind", "seats", "pay", "f.passenger", "w.station", "f.*", "p.*"][..])), 1..3),
    ) {
        let mut words = split(seed);
        for (place, name) in edits {
            let names: Vec<usize> = words
                .iter()
                .enumerate()
                .filter(|(_, word)| word.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.' | '*')))
                .map(|(index, _)| index)
                .collect();
            let at = names[place.index(names.len())];
            words[at] = name.to_owned();
        }
        if let Some(analysis) = analysed(&words.join(" ")) {
            check(&analysis);
        }
    }
}

fn split(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_seeds_of_many_queries_are_accepted() {
    for seed in NESTED {
        let analysis = analysed(seed).unwrap_or_else(|| panic!("{seed}"));
        check_floors(&analysis);
    }
}

#[test]
fn the_seeds_are_accepted() {
    for seed in SEEDS {
        let analysis = analysed(seed).unwrap_or_else(|| panic!("{seed}"));
        check(&analysis);
    }
}
