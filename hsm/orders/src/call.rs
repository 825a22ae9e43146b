//! One line of the log of calls.

use std::fmt;

/// A call of the module, as the shim logged it. Arguments are never logged: PINs are among them.
///
/// ```text
/// 4711 C_Login CKR_OK
/// 4711 C_Sign CKR_OK size
/// 4711 C_Sign CKR_DEVICE_ERROR after CKR_OK
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The process that called.
    pub pid: u32,
    /// The `C_` name.
    pub function: String,
    /// The name of the code that was returned, or its number; `hang` or `crash` if none ever was.
    pub answer: String,
    /// Whether the call only asked how long the output would be.
    pub size_query: bool,
    /// What the device had answered, when an order put another answer in its place.
    pub after: Option<String>,
}

impl Call {
    /// Reads a line back. None if it is not of a call: a complaint of the shim begins with `!`.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let pid = words.next()?.parse().ok()?;
        let function = words.next()?.to_owned();
        let answer = words.next()?.to_owned();
        let rest: Vec<&str> = words.collect();
        let after = rest.iter().skip_while(|&&word| word != "after").nth(1);
        Some(Self {
            pid,
            function,
            answer,
            size_query: rest.contains(&"size"),
            after: after.map(|&code| code.to_owned()),
        })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            function,
            answer,
            ..
        } = self;
        write!(formatter, "{pid} {function} {answer}")?;
        if self.size_query {
            write!(formatter, " size")?;
        }
        if let Some(code) = &self.after {
            write!(formatter, " after {code}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for size_query in [false, true] {
            for after in [None, Some("CKR_OK".to_owned())] {
                let call = Call {
                    pid: 4711,
                    function: "C_Sign".to_owned(),
                    answer: "CKR_DEVICE_ERROR".to_owned(),
                    size_query,
                    after,
                };
                assert_eq!(Call::parse(&call.to_string()), Some(call));
            }
        }
        assert_eq!(Call::parse("! 4711 bad.json: no such act"), None);
    }
}
