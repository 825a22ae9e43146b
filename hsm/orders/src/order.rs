//! One order, as it stands in its file.

use serde::{Deserialize, Serialize};

/// What goes wrong, at which calls of which function.
///
/// ```json
/// {"function": "C_Sign", "act": {"return": "CKR_SESSION_HANDLE_INVALID"}, "times": 1, "skip": 2}
/// ```
///
/// Of several orders that concern one call, the first by name that still has uses left is carried
/// out, and it alone. A call that an order skips is open to the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The `C_` name; `*` is every function but `C_GetFunctionList`, by which the module is loaded.
    pub function: String,
    /// What happens instead of a plain answer.
    pub act: Act,
    /// How many calls it happens to, in all processes together. Without it, to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How many calls pass before the first one that it happens to.
    #[serde(default)]
    pub skip: u64,
    /// Whether calls that only ask how long the output would be (a NULL buffer) are concerned and
    /// counted too. Only `no_slots` does so without being told.
    #[serde(default)]
    pub size_queries: bool,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// The code is returned and the device has done nothing.
    Return(Code),
    /// The device does what it was asked, output included, and then the code is returned.
    ReturnAfter(Code),
    /// So many milliseconds pass, and then the call is as any other.
    DelayMs(u64),
    /// The call never returns.
    Hang,
    /// The process dies by SIGSEGV.
    Crash,
    /// One bit of the signature is flipped. Only of `C_Sign`.
    WrongSignature,
    /// Flags are set in what the token says of itself. Only of `C_GetTokenInfo`.
    TokenFlags {
        /// `CKF_` names, such as `CKF_USER_PIN_FINAL_TRY`.
        set: Vec<String>,
    },
    /// The module lists no slot: the token is absent. Only of `C_GetSlotList`, where one listing is
    /// two calls, one for the number and one for the slots.
    #[serde(with = "only_true")]
    NoSlots,
}

/// A return value, by its `CKR_` name or by its number. The shim knows the names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Code {
    /// As `CKR_PIN_LOCKED`.
    Name(String),
    /// As `164`, for codes that have no name, such as those of vendors.
    Number(u64),
}

impl Order {
    /// An order for every call of a function.
    #[must_use]
    pub fn new(function: &str, act: Act) -> Self {
        Self {
            function: function.to_owned(),
            act,
            times: None,
            skip: 0,
            size_queries: false,
        }
    }

    /// The same for so many calls and no more.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// The same after so many calls.
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// The same for calls that only ask how long the output would be too.
    #[must_use]
    pub fn size_queries_too(mut self) -> Self {
        self.size_queries = true;
        self
    }
}

impl From<&str> for Code {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<u64> for Code {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// `{"no_slots": true}` reads as what it does, and `false` would be an order to do nothing.
mod only_true {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        if bool::deserialize(deserializer)? {
            Ok(())
        } else {
            Err(D::Error::custom("only `true` says anything here"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(order: &Order) -> String {
        serde_json::to_string(order).unwrap()
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let acts = [
            Act::Return("CKR_PIN_LOCKED".into()),
            Act::ReturnAfter(0x8000_0001.into()),
            Act::DelayMs(60_000),
            Act::Hang,
            Act::Crash,
            Act::WrongSignature,
            Act::TokenFlags {
                set: vec!["CKF_USER_PIN_FINAL_TRY".to_owned()],
            },
            Act::NoSlots,
        ];
        for act in acts {
            let order = Order::new("C_Sign", act)
                .times(2)
                .skip(1)
                .size_queries_too();
            assert_eq!(
                serde_json::from_str::<Order>(&written(&order)).unwrap(),
                order
            );
        }
    }

    #[test]
    fn an_order_can_be_written_by_hand() {
        let read = |text: &str| serde_json::from_str::<Order>(text);
        assert_eq!(
            read(r#"{"function": "C_Login", "act": "hang"}"#).unwrap(),
            Order::new("C_Login", Act::Hang)
        );
        assert_eq!(
            read(r#"{"function": "C_GetSlotList", "act": {"no_slots": true}, "times": 2}"#)
                .unwrap(),
            Order::new("C_GetSlotList", Act::NoSlots).times(2)
        );
        assert!(read(r#"{"function": "C_GetSlotList", "act": {"no_slots": false}}"#).is_err());
        assert!(read(r#"{"function": "C_Sign", "act": "hang", "time": 2}"#).is_err());
    }
}
