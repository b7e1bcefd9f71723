//! Emitted string literals, read back by Spark's rules.

use super::{Literal, rewritten};

/// What Spark's `unescapeSQLString` makes of a literal's inner text, in versions 3 and 4 alike; a
/// quote or a `$` in the raw text would be read differently by version and session.
fn read_by_spark(raw: &str) -> String {
    assert!(!raw.contains(['\'', '$']), "{raw}");
    let mut value = String::new();
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        assert_eq!(rest.next(), Some('u'), "{raw}");
        let code: String = rest.by_ref().take(4).collect();
        value.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
    }
    value
}

fn emitted(value: &str) -> String {
    let text = rewritten(
        &[(1, "out", "SELECT seats FROM planes WHERE model = :v")],
        &[("v", Literal::String(value.to_owned()))],
    );
    let start = text[0].find('\'').unwrap() + 1;
    let end = text[0].rfind('\'').unwrap();
    text[0][start..end].to_owned()
}

#[test]
fn every_value_comes_back_as_itself() {
    let hard = [
        "",
        "'",
        "''",
        "\\",
        "\\'",
        "'\\",
        "\\\\'",
        "' OR 1=1 --",
        "\\u0027",
        "${env:HOME}",
        "$",
        "line\nfeed\r\t\0",
        "é😀\u{2028}",
        "\u{85}",
        "%_\\%",
        "/* x */ -- y ;",
        "\"`",
        ":v",
        "a\\",
    ];
    for value in hard {
        assert_eq!(read_by_spark(&emitted(value)), value);
    }
}

#[test]
fn doubled_quotes_and_dollars_of_the_author_are_read_alike_by_every_version() {
    let text = rewritten(&[(1, "out", "SELECT seats FROM planes WHERE model = 'it''s ${x}'")], &[]);
    assert_eq!(
        text,
        ["SELECT planes.seats FROM planes WHERE planes.Model = 'it\\u0027s \\u0024{x}'"]
    );
}

proptest::proptest! {
    #[test]
    fn any_string_comes_back_as_itself(value in "(?s).{0,40}") {
        proptest::prop_assert_eq!(read_by_spark(&emitted(&value)), value);
    }
}
