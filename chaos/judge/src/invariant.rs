//! One file per promise. Each looks at the lines in their order, and remembers what it needs.

mod evidence;
mod one_message;
mod one_signature;

use crate::case::{Case, Fact};
use crate::findings::Findings;

/// One promise, on its way through a history.
pub(crate) trait Check<'c> {
    /// Looks at one more line.
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings);

    /// Looks back, when there are no more.
    fn end(&mut self, _case: &'c Case<'c>, _found: &mut Findings) {}
}

/// All promises, and whether the history can show that they were kept.
pub(crate) fn all<'c>() -> Vec<Box<dyn Check<'c> + 'c>> {
    vec![
        Box::new(evidence::Evidence::default()),
        Box::new(one_message::OneMessage::default()),
        Box::new(one_signature::OneSignature::default()),
    ]
}
