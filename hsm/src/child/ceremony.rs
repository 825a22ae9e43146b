//! The steps that people take with a token, one question each.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::session::Holder;
use super::{Given, copying, generation, importing, initialisation, sealing};
use crate::ceremony::{Outcome, Step};
use crate::wire::Said;
use crate::{KeyName, Trouble, TroubleKind};

/// Takes one step. Each has a session of its own, which is closed afterwards: what is in it for a
/// moment, such as the key that wraps another, ends with it.
pub(super) fn perform(holder: &Holder, step: Step, bytes: &[u8]) -> Result<Given, Trouble> {
    let outcome = match step {
        Step::Initialise { module, label } => {
            Outcome::Token(initialisation::initialise(&module, &label, bytes)?)
        }
        Step::Generate {
            curve,
            name,
            copyable,
        } => Outcome::Key(generation::generate(
            &holder.writing()?,
            curve,
            &name,
            copyable,
        )?),
        Step::Import { public_key, name } => {
            let name = importing::import(&holder.writing()?, &public_key, bytes, &name)?;
            Outcome::Named(name, public_key)
        }
        Step::Request => Outcome::Request(copying::request(&holder.writing()?)?),
        Step::Send { request, name } => {
            Outcome::Package(copying::send(&holder.writing()?, &request, &name)?)
        }
        Step::Receive { package, name } => {
            copying::receive(&holder.writing()?, &package, &name)?;
            Outcome::Key(package.public_key)
        }
        Step::Close { name } => Outcome::Key(copying::close(&holder.writing()?, &name)?),
        Step::HasSealingKey { label } => Outcome::Is(sealing::has_key(&holder.writing()?, &label)?),
        Step::MakeSealingKey { label } => {
            sealing::make_key(&holder.writing()?, &label)?;
            Outcome::Done
        }
        Step::Seal { label, bound_to } => {
            let sealed = sealing::seal(&holder.writing()?, &label, &bound_to, bytes)?;
            return Ok((said(Outcome::Bytes), Zeroizing::new(sealed)));
        }
        Step::Unseal { label, bound_to } => {
            let plain = sealing::unseal(&holder.writing()?, &label, &bound_to, bytes)?;
            return Ok((said(Outcome::Bytes), plain));
        }
    };
    Ok((said(outcome), Zeroizing::default()))
}

fn said(outcome: Outcome) -> Said {
    Said::Ceremony(Box::new(outcome))
}

/// Refuses a name that an object of the token bears already: nothing is ever overwritten, and two
/// keys of one name could not be told apart. The id and the label are each looked for alone.
pub(super) fn free(session: &Session, name: &KeyName) -> Result<(), Trouble> {
    let id = name.id.clone().map(Attribute::Id);
    let label = name.label.clone();
    let label = label.map(|label| Attribute::Label(label.into_bytes()));
    for word in id.into_iter().chain(label) {
        for class in [
            ObjectClass::PRIVATE_KEY,
            ObjectClass::PUBLIC_KEY,
            ObjectClass::SECRET_KEY,
        ] {
            let found = session.find_objects(&[Attribute::Class(class), word.clone()])?;
            if !found.is_empty() {
                return Err(Trouble::unfit(format!(
                    "the token has an object of that name already (the {name}), and nothing is \
                     overwritten: choose another --id and --label"
                )));
            }
        }
    }
    Ok(())
}

/// Reads back that the token keeps a secret as it was told to: sensitive, and extractable or not.
pub(super) fn kept(
    session: &Session,
    object: ObjectHandle,
    extractable: bool,
) -> Result<(), Trouble> {
    let asked = [AttributeType::Sensitive, AttributeType::Extractable];
    let told = session.get_attributes(object, &asked)?;
    let is = |wanted: &Attribute| told.contains(wanted);
    match is(&Attribute::Sensitive(true)) && is(&Attribute::Extractable(extractable)) {
        true => Ok(()),
        false => Err(Trouble::unfit(format!(
            "the token keeps the key otherwise than it was told: {told:?}, instead of sensitive and \
             extractable = {extractable}"
        ))),
    }
}

/// Random bytes of the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Trouble> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Trouble::new(TroubleKind::Device, format!("no randomness: {error}")))?;
    Ok(bytes)
}
