//! Uses a module as a signer does, step by step, and prints what came of each step.
//!
//! A module is initialised once in a process, and crashes and hangs take the process with them, so
//! each test of the shim starts this program: `shim-probe MODULE STEP...`.
#![expect(clippy::print_stdout, reason = "what it prints is what a test reads")]

use std::{env, error::Error, process::ExitCode};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::Error as ModuleError,
    mechanism::Mechanism,
    object::{Attribute, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};

/// The curve P-256, by its object identifier in DER.
const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// What is signed: as long as a digest, since the mechanism does not hash.
const DIGEST: [u8; 32] = [7; 32];

type Outcome = Result<String, Box<dyn Error>>;

/// What the steps so far have made. A session goes before the module that it is one of.
#[derive(Default)]
struct Probe {
    signature: Vec<u8>,
    keys: Option<(ObjectHandle, ObjectHandle)>,
    session: Option<Session>,
    slot: Option<Slot>,
    module: Option<Pkcs11>,
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(path) = arguments.next() else {
        println!("usage: shim-probe MODULE STEP...");
        return ExitCode::FAILURE;
    };
    let mut probe = Probe::default();
    for step in arguments {
        let said = probe
            .step(&path, &step)
            .unwrap_or_else(|error| said(&*error));
        println!("{step}: {said}");
    }
    ExitCode::SUCCESS
}

/// The name of the code for what the module answered, and the whole error for all else.
fn said(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref() {
        Some(ModuleError::Pkcs11(code, _)) => format!("{code:?}"),
        _ => format!("{error:?}"),
    }
}

impl Probe {
    fn step(&mut self, path: &str, step: &str) -> Outcome {
        match step {
            "initialize" => self.initialize(path),
            "slots" => self.slots(),
            "flags" => self.flags(),
            "open" => self.open(),
            "login" => self.login("1234"),
            "mistype" => self.login("4321"),
            "generate" => self.generate(),
            "sign" => self.sign(),
            "verify" => self.verify(),
            _ => Err("no such step".into()),
        }
    }

    fn module(&self) -> Result<&Pkcs11, &'static str> {
        self.module.as_ref().ok_or("no module")
    }

    fn session(&self) -> Result<&Session, &'static str> {
        self.session.as_ref().ok_or("no session")
    }

    fn keys(&self) -> Result<(ObjectHandle, ObjectHandle), &'static str> {
        self.keys.ok_or("no keys")
    }

    fn slot(&self) -> Result<Slot, &'static str> {
        self.slot.ok_or("no slot")
    }

    fn initialize(&mut self, path: &str) -> Outcome {
        let module = Pkcs11::new(path)?;
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        self.slot = module.get_slots_with_initialized_token()?.first().copied();
        self.module = Some(module);
        Ok("ok".to_owned())
    }

    fn slots(&self) -> Outcome {
        let slots = self.module()?.get_slots_with_initialized_token()?;
        Ok(slots.len().to_string())
    }

    fn flags(&self) -> Outcome {
        let token = self.module()?.get_token_info(self.slot()?)?;
        Ok(format!(
            "final try {}, login required {}",
            token.user_pin_final_try(),
            token.login_required()
        ))
    }

    fn open(&mut self) -> Outcome {
        self.session = Some(self.module()?.open_rw_session(self.slot()?)?);
        Ok("ok".to_owned())
    }

    fn login(&self, pin: &str) -> Outcome {
        let pin = AuthPin::new(pin.into());
        self.session()?.login(UserType::User, Some(&pin))?;
        Ok("ok".to_owned())
    }

    fn generate(&mut self) -> Outcome {
        let keys = self.session()?.generate_key_pair(
            &Mechanism::EccKeyPairGen,
            &[
                Attribute::Token(false),
                Attribute::Verify(true),
                Attribute::EcParams(P256.to_vec()),
            ],
            &[Attribute::Token(false), Attribute::Sign(true)],
        )?;
        self.keys = Some(keys);
        Ok("ok".to_owned())
    }

    fn sign(&mut self) -> Outcome {
        let (_, private) = self.keys()?;
        self.signature = self.session()?.sign(&Mechanism::Ecdsa, private, &DIGEST)?;
        Ok("ok".to_owned())
    }

    fn verify(&self) -> Outcome {
        let (public, _) = self.keys()?;
        self.session()?
            .verify(&Mechanism::Ecdsa, public, &DIGEST, &self.signature)?;
        Ok("ok".to_owned())
    }
}
