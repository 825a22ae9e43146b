//! Opening every source again, when an operator asks, and what came of it.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use hsm::KeyName;
use hsm::parent::{Module, Place};

use super::vault::Vault;
use super::{KeyFault, KeyFaults, Keyring};

/// What came of opening the sources again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reloaded {
    /// What keeps a source, or a key that the configuration names, from being used.
    pub troubles: Vec<String>,
    /// What else a token holds that is of no use. The configuration names it nowhere.
    pub remarks: Vec<String>,
}

impl Keyring {
    /// Opens the sources again, for keys that came since. On a fault of a file the old keys stay. With
    /// `forgive` a PIN that was refused is tried once more. Blocks until each token has told what came
    /// of it, for at most `within`.
    ///
    /// # Errors
    /// Every fault of the files at once; then nothing was touched.
    pub fn reload(&self, forgive: bool, within: Duration) -> Result<Reloaded, KeyFaults> {
        self.open_files()?;
        // All is forgiven before anybody looks: else one who shares a token with another would be
        // forgiven what that one has just learned, and try it again.
        if forgive {
            let modules = self.modules().map(|module| module.forgive());
            let all = modules.chain(self.vaults().map(Vault::forgive));
            all.collect::<Result<(), String>>().map_err(no_password)?;
        }
        let modules = self.modules().map(|module| (module, module.look_again()));
        let modules: Vec<_> = modules.collect();
        let vaults = self.vaults().map(|vault| (vault, vault.look_again()));
        let vaults: Vec<_> = vaults.collect();
        let begun = Instant::now();
        let in_time = |told: &Receiver<()>| {
            let left = within.saturating_sub(begun.elapsed());
            told.recv_timeout(left).is_ok()
        };
        let late = |what: String| {
            format!(
                "{what} has not answered within {within:?}; look later with `quorate key compare`"
            )
        };
        let mut reloaded = Reloaded::default();
        for (module, told) in modules {
            match in_time(&told) {
                true => reloaded.hear(module),
                false => reloaded.troubles.push(late(name(module.place()))),
            }
        }
        for (vault, told) in vaults {
            match in_time(&told) {
                true => reloaded.troubles.extend(vault.opened().troubles),
                false => {
                    let what = format!(
                        "the token of the sealed files in {}",
                        vault.folder().display()
                    );
                    reloaded.troubles.push(late(what));
                }
            }
        }
        self.tell();
        Ok(reloaded)
    }
}

impl Reloaded {
    fn hear(&mut self, module: &Module) {
        let (place, standing) = (module.place(), module.standing());
        let standing = standing.borrow();
        let wanted = |name: &KeyName| place.keys.iter().any(|key| key.name == *name);
        let token = name(place);
        if let Some(trouble) = &standing.trouble {
            let keys = place.keys.iter().map(|key| key.name.to_string());
            let keys: Vec<String> = keys.collect();
            self.troubles.push(match keys.as_slice() {
                [] => format!("no key of {token} can be used: {trouble}"),
                keys => format!("{} of {token} cannot be used: {trouble}", keys.join(", ")),
            });
            return;
        }
        for refused in &standing.refused {
            let what = format!(
                "the {} of {token} cannot be used: {}",
                refused.name, refused.why
            );
            match wanted(&refused.name) {
                true => self.troubles.push(what),
                false => self.remarks.push(what),
            }
        }
    }
}

/// A token, as people know it.
fn name(place: &Place) -> String {
    format!("the {} in {}", place.token, place.module.display())
}

fn no_password(what: String) -> KeyFaults {
    KeyFaults(vec![KeyFault::NoPassword { what }])
}
