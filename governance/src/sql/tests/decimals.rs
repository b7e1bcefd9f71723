//! Decimals: what the analysis tells of them, and parameters. `executor/spark/tests/test_types.py` asks
//! Spark about the same rules.

use super::{Dataset, Literal, codes, dataset, run_over};
use crate::dataset::ColumnType;
use crate::decimal::Decimal;

fn decimal(precision: u8, scale: u8) -> Decimal {
    Decimal::new(precision, scale).unwrap()
}

fn prices() -> [Dataset; 1] {
    let columns = [
        ("price", ColumnType::Decimal(decimal(15, 2))),
        ("wide", ColumnType::Decimal(decimal(38, 10))),
        ("count", ColumnType::Long),
        ("rate", ColumnType::Double),
    ];
    [dataset("prices", &columns, None)]
}

fn told(expression: &str) -> Option<String> {
    let text = format!("SELECT {expression} AS r FROM prices");
    let analysis = run_over(&prices(), &[(1, "out", &text)], &[]).unwrap();
    analysis.segments[0].output[0].kind.map(|kind| kind.to_string())
}

#[test]
fn types_follow_the_rules_of_spark() {
    for (expression, expected) in [
        ("price", "decimal(15,2)"),
        ("0.05", "decimal(2,2)"),
        ("price + price", "decimal(16,2)"),
        ("price * (1 - 0.05)", "decimal(20,4)"),
        ("price * 5", "decimal(17,2)"),
        ("price * -5", "decimal(17,2)"),
        ("price * (2 + 3)", "decimal(26,2)"),
        ("price * count", "decimal(36,2)"),
        ("price / count", "decimal(36,23)"),
        ("price % 3", "decimal(3,2)"),
        ("price * rate", "double"),
        ("wide * wide", "decimal(38,6)"),
        ("SUM(price)", "decimal(25,2)"),
        ("AVG(price)", "decimal(19,6)"),
        ("MAX(price)", "decimal(15,2)"),
        ("ROUND(price, 1)", "decimal(15,1)"),
        ("ROUND(price, -20)", "decimal(21,0)"),
        ("FLOOR(price)", "decimal(14,0)"),
        ("CASE WHEN count > 1 THEN price ELSE 0 END", "decimal(15,2)"),
        ("COALESCE(price, count)", "decimal(22,2)"),
        ("CAST(rate AS DECIMAL(7, 3))", "decimal(7,3)"),
        ("count + 1", "long"),
        ("price > 1.5", "boolean"),
    ] {
        assert_eq!(told(expression).as_deref(), Some(expected), "{expression}");
    }
    for expression in ["ROUND(price, 1 + 1)", "CAST(price AS FLOAT)", "COALESCE(price, NULL)"] {
        assert_eq!(told(expression), None, "{expression}");
    }
}

#[test]
fn a_parameter_keeps_its_digits_and_its_type() {
    let text = "SELECT price * :rate AS r FROM prices WHERE price > :least";
    let parameters = [
        ("rate", Literal::Decimal(decimal(5, 2), "1.1".to_owned())),
        ("least", Literal::Decimal(decimal(38, 2), format!("-{}.05", "9".repeat(36)))),
    ];
    let analysis = run_over(&prices(), &[(1, "out", text)], &parameters).unwrap();
    let [segment] = analysis.segments.as_slice() else { panic!("{analysis:?}") };
    assert_eq!(
        segment.rewritten,
        format!(
            "SELECT prices.price * CAST('1.1' AS DECIMAL(5,2)) AS r FROM prices WHERE prices.price > CAST('-{}.05' AS DECIMAL(38,2))",
            "9".repeat(36)
        )
    );
    assert_eq!(segment.output[0].kind, Some(ColumnType::Decimal(decimal(21, 4))));
}

#[test]
fn a_parameter_with_a_digit_too_many_is_refused() {
    let text = "SELECT COUNT(*) AS n FROM weather WHERE wind > :least";
    for value in ["1000", "0.001", "1.000", "1e2", "", "NaN", "1' OR '1"] {
        let value = Literal::Decimal(decimal(5, 2), value.to_owned());
        assert_eq!(
            codes(&[(1, "out", text)], &[("least", value.clone())]),
            ["sql_invalid_parameter"],
            "{value:?}"
        );
    }
}
