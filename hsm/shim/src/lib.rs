//! A PKCS#11 module that forwards to a real one, and goes wrong on command.
//!
//! It is what a program under test loads as its module. `QUORATE_SHIM_MODULE` names the module
//! behind it and `QUORATE_SHIM_ORDERS` a folder; [`shim_orders`] says what an order in that folder
//! looks like, and writes them. A log in the same folder has one line for each call.
//!
//! What is asked for once and answered with a code, an order to `return` it, is not forwarded.
//! PKCS#11 ends the operation of a session when `C_Sign` and its like fail, so the shim then ends
//! it in the module behind too, by letting it write to a buffer that is thrown away: else the next
//! `C_SignInit` would find an operation active that no real device would have kept.
//!
//! Calls that only ask how long the output would be (a NULL buffer) are forwarded and neither
//! change nor count, unless an order says `size_queries`. cryptoki asks so before each signature.
//!
//! An order that cannot be read or makes no sense fails every call with `CKR_GENERAL_ERROR`, and
//! leaves a line in the log that begins with `!`.
//!
//! **Invariant:** no argument is ever logged, since PINs are among them.

mod alter;
mod calls;
mod codes;
mod fault;
mod forward;
mod orders;
mod real;

pub use forward::C_GetFunctionList;
