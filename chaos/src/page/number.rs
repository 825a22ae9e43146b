/// A whole number in groups of three, so that one can read it. No digit is rounded away.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Milliseconds, with the unit.
pub(super) fn ms(number: u64) -> String {
    format!("{} ms", whole(number))
}

/// `3 nodes`, `1 node`.
pub(super) fn nodes(ids: &[u64]) -> String {
    let names: Vec<String> = ids.iter().map(u64::to_string).collect();
    match names.as_slice() {
        [] => "all nodes".into(),
        [one] => format!("node {one}"),
        [rest @ .., last] => format!("nodes {} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_every_digit() {
        assert_eq!(whole(0), "0");
        assert_eq!(whole(1_234), "1234");
        assert_eq!(whole(12_345), "12\u{202f}345");
        assert_eq!(
            whole(u64::MAX).replace('\u{202f}', ""),
            u64::MAX.to_string()
        );
    }

    #[test]
    fn nodes_are_named_as_one_says_them() {
        assert_eq!(nodes(&[]), "all nodes");
        assert_eq!(nodes(&[2]), "node 2");
        assert_eq!(nodes(&[1, 2, 3]), "nodes 1, 2 and 3");
    }
}
