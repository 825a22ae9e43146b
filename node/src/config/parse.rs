//! From text to the raw structs, with every fault and not only the first.
//!
//! serde stops at its first error. So each error's entry is taken out of the parsed table and the
//! rest is read again, until it reads or nothing is left to take out.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::fault::Checker;
use super::raw;

/// Reads the raw file; what could not be read is in `checker` and absent from the result. `None` if
/// the structure of the document is broken: then it says nothing reliable about its fields.
pub(super) fn parse(text: &str, checker: &mut Checker<'_>) -> Option<raw::File> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            checker.fault(
                error.span(),
                "",
                error.message(),
                "correct the TOML of this line",
            );
        }
        return None;
    }
    loop {
        let error = match raw::File::deserialize(Deserializer::from(table.clone())) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let path = error
            .span()
            .and_then(|span| take_from_table(table.get_mut(), &span));
        let field = path.as_ref().map(|path| path.join(".")).unwrap_or_default();
        let write = match error.message().starts_with("unknown field") {
            true => "correct its name or remove it",
            false => "write a value of the right type",
        };
        checker.fault(error.span(), &field, error.message(), write);
        path?;
    }
}

/// Removes the entry whose name or value stands at `span`, and returns its path.
fn take_from_table(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    let here = table
        .iter()
        .find(|(name, value)| name.span() == *span || value.span() == *span);
    if let Some(name) = here.map(|(name, _)| name.get_ref().to_string()) {
        table.remove(name.as_str());
        return Some(vec![name]);
    }
    let names: Vec<String> = table
        .iter()
        .map(|(name, _)| name.get_ref().to_string())
        .collect();
    names.into_iter().find_map(|name| {
        let mut path = take_from_value(table.get_mut(name.as_str())?, span)?;
        path.insert(0, name);
        Some(path)
    })
}

fn take_from_value(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Vec<String>> {
    match value.get_mut() {
        DeValue::Table(table) => take_from_table(table, span),
        DeValue::Array(array) => take_from_array(array, span),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

fn take_from_array(array: &mut DeArray<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    if let Some(index) = array.iter().position(|element| element.span() == *span) {
        let mut kept = DeArray::new();
        for (at, element) in array.iter().enumerate() {
            if at != index {
                kept.push(element.clone());
            }
        }
        *array = kept;
        return Some(vec![index.to_string()]);
    }
    array.iter_mut().enumerate().find_map(|(index, element)| {
        let mut path = take_from_value(element, span)?;
        path.insert(0, index.to_string());
        Some(path)
    })
}
