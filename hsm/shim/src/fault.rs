//! What happens to a call.

use std::{fmt, io, ptr, thread, time::Duration};

use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_BUFFER_TOO_SMALL, CKR_GENERAL_ERROR};

use crate::{
    alter::Alteration,
    calls::{self, Asked},
    codes, orders, real,
};

/// What an order does to a call that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Return(CK_RV),
    ReturnAfter(CK_RV),
    Delay(Duration),
    Hang,
    Crash,
    Alter(Alteration),
}

/// Why a call could not be answered as ordered.
#[derive(Debug)]
pub(crate) enum Trouble {
    NoFolder,
    Folder(io::Error),
    Order { name: String, reason: String },
    Module(String),
}

/// The ways in which one call can be carried out by the module behind the shim.
pub(crate) struct Ways<'a> {
    /// As it was made.
    pub(crate) forward: &'a dyn Fn(&CK_FUNCTION_LIST) -> CK_RV,
    /// With its output thrown away, to end the operation that would end when the call fails.
    pub(crate) end: &'a dyn Fn(&CK_FUNCTION_LIST),
    /// With its answer altered.
    pub(crate) alter: &'a dyn Fn(Alteration, CK_RV) -> CK_RV,
}

/// Answers a call, by the module behind the shim or by an order.
pub(crate) fn answer(asked: Asked, ways: &Ways<'_>) -> CK_RV {
    match carry_out(asked, ways) {
        Ok((code, after)) => {
            calls::log(asked, &codes::name(code), after.map(codes::name));
            code
        }
        Err(trouble) => {
            calls::complain(trouble);
            calls::log(asked, &codes::name(CKR_GENERAL_ERROR), None);
            CKR_GENERAL_ERROR
        }
    }
}

/// The code to return and, if an order put it in the place of another one, that one.
fn carry_out(asked: Asked, ways: &Ways<'_>) -> Result<(CK_RV, Option<CK_RV>), Trouble> {
    let real = real::functions()?;
    let Some(fault) = orders::claim(orders::folder()?, asked)? else {
        return Ok(((ways.forward)(real), None));
    };
    Ok(match fault {
        Fault::Return(code) => {
            if code != CKR_BUFFER_TOO_SMALL {
                (ways.end)(real);
            }
            (code, None)
        }
        Fault::ReturnAfter(code) => (code, Some((ways.forward)(real))),
        Fault::Delay(time) => {
            thread::sleep(time);
            ((ways.forward)(real), None)
        }
        Fault::Hang => {
            calls::log(asked, "hang", None);
            loop {
                thread::park();
            }
        }
        Fault::Crash => {
            calls::log(asked, "crash", None);
            crash();
            (CKR_GENERAL_ERROR, None)
        }
        Fault::Alter(alteration) => ((ways.alter)(alteration, (ways.forward)(real)), None),
    })
}

/// Dies as a module with a bad pointer does.
///
/// The address is one above NULL, on the page that no process can write to: with debug assertions
/// Rust itself would notice NULL, and abort instead.
fn crash() {
    let nowhere: *mut u8 = ptr::without_provenance_mut(1);
    // SAFETY: it is not, and that is what was ordered. The page is never mapped, so the write harms
    // nothing but this process, which a test started in order to see it die.
    unsafe { nowhere.write_volatile(1) };
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder => write!(formatter, "{} is not set", shim_orders::ORDERS),
            Self::Folder(error) => write!(formatter, "the folder of orders: {error}"),
            Self::Order { name, reason } => write!(formatter, "{name}.json: {reason}"),
            Self::Module(reason) => write!(formatter, "the module behind the shim: {reason}"),
        }
    }
}
