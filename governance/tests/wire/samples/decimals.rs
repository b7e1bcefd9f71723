//! Decimals: columns of the type, at its limits too, and a parameter.

use chancery_governance::command::{Command, DraftQuery, PublishDataset};
use chancery_governance::dataset::{Column, ColumnType};
use chancery_governance::decimal::Decimal;
use chancery_governance::query::Parameter;
use chancery_governance::sql::Literal;

use super::{definition, descriptor};

fn published() -> PublishDataset {
    let mut descriptor = descriptor();
    for (name, (precision, scale)) in
        [("price", (15, 2)), ("units", (38, 0)), ("share", (38, 38)), ("flag", (1, 0))]
    {
        let kind = ColumnType::Decimal(Decimal::new(precision, scale).unwrap());
        descriptor.columns.push(Column { name: name.into(), kind });
    }
    PublishDataset { descriptor }
}

fn drafted() -> DraftQuery {
    let mut definition = definition();
    let value = Literal::Decimal(Decimal::new(15, 2).unwrap(), "-12.50".into());
    definition.parameters.push(Parameter { name: "p".into(), value });
    DraftQuery { definition }
}

pub fn contents() -> Vec<(&'static str, Command)> {
    vec![("dataset.publish-decimal", published().into()), ("query.draft-decimal", drafted().into())]
}
