//! Answers of the device, altered.
//!
//! Each function here gets what the module behind the shim answered and the output that it wrote.

use cryptoki_sys::{
    CK_BYTE, CK_FLAGS, CK_RV, CK_TOKEN_INFO, CK_ULONG, CKR_BUFFER_TOO_SMALL, CKR_OK,
};

/// What becomes of an answer of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alteration {
    WrongSignature,
    TokenFlags(CK_FLAGS),
    NoSlots,
}

impl Alteration {
    /// The one function whose output this is about.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::WrongSignature => "C_Sign",
            Self::TokenFlags(_) => "C_GetTokenInfo",
            Self::NoSlots => "C_GetSlotList",
        }
    }
}

/// Flips the lowest bit of the last byte, so that the signature keeps its form.
///
/// # Safety
/// The pointers are those of a `C_Sign` that answered `code`.
pub(crate) unsafe fn signature(
    alteration: Alteration,
    code: CK_RV,
    signature: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    if alteration != Alteration::WrongSignature || code != CKR_OK || signature.is_null() {
        return code;
    }
    // SAFETY: a `C_Sign` that succeeded has written the length here.
    let length = unsafe { length.read() };
    let Some(last) = length
        .checked_sub(1)
        .and_then(|at| usize::try_from(at).ok())
    else {
        return code;
    };
    // SAFETY: the last of the bytes that a `C_Sign` that succeeded has written.
    let last = unsafe { signature.add(last) };
    // SAFETY: as above; the buffer is the caller's until `C_Sign` returns, so nothing else uses it.
    unsafe { *last ^= 1 };
    code
}

/// Sets flags in what a token says of itself.
///
/// # Safety
/// The pointer is that of a `C_GetTokenInfo` that answered `code`.
pub(crate) unsafe fn token(
    alteration: Alteration,
    code: CK_RV,
    token: *mut CK_TOKEN_INFO,
) -> CK_RV {
    let Alteration::TokenFlags(flags) = alteration else {
        return code;
    };
    if code == CKR_OK {
        // SAFETY: a `C_GetTokenInfo` that succeeded has written the whole structure here.
        unsafe { (*token).flags |= flags };
    }
    code
}

/// Makes the list of slots an empty one, which fits into any buffer.
///
/// # Safety
/// The pointer is that of a `C_GetSlotList` that answered `code`.
pub(crate) unsafe fn slots(alteration: Alteration, code: CK_RV, count: *mut CK_ULONG) -> CK_RV {
    if alteration != Alteration::NoSlots || !matches!(code, CKR_OK | CKR_BUFFER_TOO_SMALL) {
        return code;
    }
    // SAFETY: with either answer, `C_GetSlotList` has written the number of slots here.
    unsafe { count.write(0) };
    CKR_OK
}
