//! Rows of a DynamoDB table, exported as JSON: what `aws dynamodb scan --output json` prints, or the
//! lines of an export to S3.
//!
//! Source of tacoinfra's rows: tacoinfra/remote-signer, commit `d957f5b8ef73be06e1798ebf8e8c75be65a3e21e`,
//! `tezos_signer/ddbchainratchet.py` (`sig_type`, `lastblock`, `lastround`) and `validatesigner.py`
//! (`<Baking|Preendorsement|Endorsement>_<chain>_<key>`). Source of Signatory's: ecadlabs/signatory,
//! commit `1199064c48a6a38238d81213fc96f5da5c50f014`, `pkg/signatory/watermark/aws.go` (`idx` is
//! `<chain>/<key>`, `request`, `lvl`, `round`).

use serde_json::{Map, Value};
use tezos::Kind;

use super::entry::{Entry, Signer};
use super::fault::Fault;
use super::signatory;

type Row = Map<String, Value>;

/// The marks of an export.
///
/// # Errors
/// [`Fault::NotUnderstood`]; also for an export that was cut off.
pub fn rows(file: &str, text: &str) -> Result<Vec<Entry>, Fault> {
    let not = |what: String| Fault::NotUnderstood {
        file: file.to_owned(),
        signer: Signer::Tacoinfra,
        what,
    };
    let found = items(text).map_err(not)?;
    let entries = found.into_iter().enumerate().map(|(at, row)| {
        let number = at.saturating_add(1);
        entry(file, &row).map_err(|what| not(format!("row {number}: {what}")))
    });
    entries.collect()
}

/// The rows, whichever way they were exported.
fn items(text: &str) -> Result<Vec<Row>, String> {
    let values = serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .collect::<Result<Vec<Value>, _>>()
        .map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for value in values {
        match value {
            Value::Array(rows) => found.extend(rows),
            Value::Object(mut scan) if scan.contains_key("Items") => {
                let cut_off = ["LastEvaluatedKey", "NextToken"]
                    .iter()
                    .find(|word| scan.get(**word).is_some_and(|value| !value.is_null()));
                if let Some(word) = cut_off {
                    return Err(format!(
                        "it is one page of several ({word}): export all of the table"
                    ));
                }
                match scan.remove("Items") {
                    Some(Value::Array(rows)) => found.extend(rows),
                    Some(_) | None => return Err("Items is no list".to_owned()),
                }
            }
            Value::Object(mut line) if line.contains_key("Item") => {
                found.extend(line.remove("Item"))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => {
                return Err(
                    "expected the Items of a scan, or a line with an Item for each row".to_owned(),
                );
            }
        }
    }
    let rows = found.into_iter().map(|row| {
        let Value::Object(row) = row else {
            return Err("a row is no JSON object".to_owned());
        };
        Ok(row)
    });
    rows.collect()
}

fn entry(file: &str, row: &Row) -> Result<Entry, String> {
    if row.contains_key("idx") {
        return of_signatory(file, row);
    }
    // `type` is the name that versions before 2024 gave it.
    let name = word(row, "sig_type").or_else(|_absent| word(row, "type"))?;
    let mut parts = name.splitn(3, '_');
    let (Some(kind), Some(chain), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("sig_type {name:?} names no kind, chain and key"));
    };
    Ok(Entry {
        file: file.to_owned(),
        signer: Signer::Tacoinfra,
        key: key.to_owned(),
        chain: chain.to_owned(),
        kind: match kind {
            "Baking" => Ok(Kind::Block),
            "Preendorsement" => Ok(Kind::Preattestation),
            "Endorsement" => Ok(Kind::Attestation),
            other => Err(other.to_owned()),
        },
        level: number(row, "lastblock")?,
        round: row
            .contains_key("lastround")
            .then(|| number(row, "lastround"))
            .transpose()?,
    })
}

fn of_signatory(file: &str, row: &Row) -> Result<Entry, String> {
    let idx = word(row, "idx")?;
    let (chain, key) = idx
        .split_once('/')
        .ok_or_else(|| format!("idx {idx:?} is not CHAIN/KEY"))?;
    let request = word(row, "request")?;
    let kind = signatory::kind_of(&request).ok_or(request);
    Ok(Entry {
        file: file.to_owned(),
        signer: Signer::Signatory,
        key: key.to_owned(),
        chain: chain.to_owned(),
        round: signatory::round_of(kind.as_ref().ok().copied(), Some(number(row, "round")?)),
        kind,
        level: number(row, "lvl")?,
    })
}

/// `{"S": "..."}` as AWS writes it, or the bare string.
fn word(row: &Row, name: &str) -> Result<String, String> {
    let value = row.get(name).ok_or_else(|| format!("no {name}"))?;
    let text = value.get("S").unwrap_or(value).as_str();
    text.map(str::to_owned)
        .ok_or_else(|| format!("{name} is no string"))
}

/// `{"N": "123"}` as AWS writes it, or the bare number.
fn number(row: &Row, name: &str) -> Result<i64, String> {
    let value = row.get(name).ok_or_else(|| format!("no {name}"))?;
    let value = value.get("N").unwrap_or(value);
    let number = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number.ok_or_else(|| format!("{name} is no whole number"))
}
