//! One file per promise. Each looks at the lines in their order, and remembers what it needs.

mod agreement;
mod asked;
mod durable;
mod everywhere;
mod evidence;
mod falling;
mod in_the_log;
mod lives;
mod marks;
mod one_message;
mod one_signature;
mod operators;
mod order;
mod policy;
mod reason;
mod recovery;
mod terms;
mod told;
mod verified;

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
        Box::<evidence::Evidence>::default(),
        Box::<one_message::OneMessage<'c>>::default(),
        Box::<lives::Lives>::default(),
        Box::<marks::Marks<'c>>::default(),
        Box::<durable::Durable<'c>>::default(),
        Box::<everywhere::Everywhere<'c>>::default(),
        Box::<recovery::Recovery<'c>>::default(),
        Box::<terms::Terms>::default(),
        Box::<falling::Falling>::default(),
        Box::<one_signature::OneSignature>::default(),
        Box::<order::Order<'c>>::default(),
        Box::<verified::Verified<'c>>::default(),
        Box::<operators::Operators<'c>>::default(),
        Box::<in_the_log::InTheLog<'c>>::default(),
        Box::<policy::Policies<'c>>::default(),
        Box::<agreement::Agreement<'c>>::default(),
        Box::<asked::AskedFor>::default(),
        Box::<told::Told>::default(),
        Box::<reason::Reasons<'c>>::default(),
    ]
}
