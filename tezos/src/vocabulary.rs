//! Small closed sets of words: each has a name that people read and a code that is stored.
//!
//! The code is written here by hand, since the order of an enum's variants would change the bytes
//! on disk the day somebody sorts them.

/// Declares an enum whose variants have a stable code and a name, with `Display`, `FromStr` and
/// both serde forms (name in text formats, code in binary ones).
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        pub enum $type:ident as $what:literal known $known:literal {
            $($(#[$word_meta:meta])* $word:ident = $code:literal $name:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum $type {
            $($(#[$word_meta])* $word,)+
        }

        impl $type {
            /// Every word of this vocabulary, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$word,)+];

            /// The name, as people read and write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$word => $name,)+ }
            }

            /// The code that stands for this word in stored bytes. It never changes.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$word => $code,)+ }
            }

            /// The word that `code` stands for.
            ///
            /// # Errors
            /// [`ParseError::UnknownCode`](crate::ParseError::UnknownCode).
            pub const fn from_code(code: u8) -> Result<Self, $crate::ParseError> {
                match code {
                    $($code => Ok(Self::$word),)+
                    _ => Err($crate::ParseError::UnknownCode { what: $what, code }),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$word),)+
                    _ => Err($crate::ParseError::UnknownWord { what: $what, known: $known }),
                }
            }
        }

        impl $crate::two_forms::TwoForms for $type {
            const WHAT: &'static str = $what;

            fn to_binary(&self) -> Vec<u8> {
                vec![self.code()]
            }

            fn from_binary(bytes: &[u8]) -> Result<Self, $crate::ParseError> {
                match bytes {
                    [code] => Self::from_code(*code),
                    _ => Err($crate::ParseError::Length {
                        what: $what,
                        expected: 1,
                        found: bytes.len(),
                    }),
                }
            }
        }

        $crate::two_forms::serde_in_two_forms!($type);
    };
}

pub(crate) use vocabulary;
