//! The functions of the module: each is forwarded, unless an order says otherwise.
#![expect(non_snake_case, reason = "these are the names that PKCS#11 gives")]

use cryptoki_sys::*;

use crate::{
    alter,
    calls::Asked,
    fault::{Ways, answer},
};

/// What an operation writes when its output is thrown away. More than any signature, and than any
/// message that a signer would decrypt; what does not fit leaves the operation active.
const THROWN_AWAY: usize = 65_536;

/// The same as [`THROWN_AWAY`], as PKCS#11 counts.
const THROWN_AWAY_LENGTH: CK_ULONG = 65_536;

/// Makes a function of each line, the list of them and their names.
///
/// After its arguments a line may name the buffer that is NULL when only a length is `asked` for,
/// the buffer and length of an operation that `ends` when the call fails, and the function of
/// [`alter`] that is given the answer and those arguments.
macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*)
        $(asked $asked:ident)? $(ends $output:ident $length:ident)?
        $(altered $alter:ident($($altered:ident),*))?;)*) => {
        $(
            unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
                let asked = Asked {
                    function: stringify!($name),
                    size_query: false $(|| $asked.is_null())? $(|| $output.is_null())?,
                };
                answer(asked, &Ways {
                    forward: &|real| match real.$name {
                        // SAFETY: the caller vouches for the arguments as PKCS#11 asks, and they go
                        // as they came to the function of the same name and type.
                        Some(function) => unsafe { function($($argument),*) },
                        None => CKR_FUNCTION_NOT_SUPPORTED,
                    },
                    end: &|real| {
                        $(
                            let mut thrown_away = vec![0; THROWN_AWAY];
                            let $output = thrown_away.as_mut_ptr();
                            let mut room = THROWN_AWAY_LENGTH;
                            let $length = &raw mut room;
                        )?
                        let ends: &[&str] = &[$(stringify!($output))?];
                        if !ends.is_empty() && let Some(function) = real.$name {
                            // SAFETY: as above, but for the output, which goes to a buffer that
                            // lives until the call returns and has the length that is told.
                            unsafe { function($($argument),*) };
                        }
                    },
                    alter: &|_alteration, code| {
                        $(
                            // SAFETY: the arguments are those of the call that was answered so.
                            let code = unsafe { alter::$alter(_alteration, code, $($altered),*) };
                        )?
                        code
                    },
                })
            }
        )*

        /// What an order can name.
        pub(crate) const NAMES: &[&str] = &["C_GetFunctionList", $(stringify!($name)),*];

        static LIST: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: CK_VERSION { major: 2, minor: 40 },
            C_GetFunctionList: Some(C_GetFunctionList),
            $($name: Some($name),)*
        };
    };
}

/// Gives the functions of this module, the only ones that it exports.
///
/// `C_GetInterface` of PKCS#11 3 is left out on purpose: who finds none asks for this list.
///
/// # Safety
/// As in PKCS#11: `list` is NULL or points to where a pointer can be written. What is written
/// points to a list that must not be changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    let asked = Asked {
        function: "C_GetFunctionList",
        size_query: false,
    };
    let give = || {
        if list.is_null() {
            return CKR_ARGUMENTS_BAD;
        }
        // SAFETY: the caller vouches for a pointer that is not NULL.
        unsafe { list.write((&raw const LIST).cast_mut()) };
        CKR_OK
    };
    answer(
        asked,
        &Ways {
            forward: &|_| give(),
            end: &|_| {},
            alter: &|_, code| code,
        },
    )
}

// One line each, as in the standard, whatever their length.
#[rustfmt::skip]
functions! {
    C_Initialize(arguments: CK_VOID_PTR);
    C_Finalize(reserved: CK_VOID_PTR);
    C_GetInfo(info: CK_INFO_PTR);
    C_GetSlotList(present: CK_BBOOL, slots: CK_SLOT_ID_PTR, count: CK_ULONG_PTR) asked slots altered slots(count);
    C_GetSlotInfo(slot: CK_SLOT_ID, info: CK_SLOT_INFO_PTR);
    C_GetTokenInfo(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) altered token(info);
    C_GetMechanismList(slot: CK_SLOT_ID, mechanisms: CK_MECHANISM_TYPE_PTR, count: CK_ULONG_PTR) asked mechanisms;
    C_GetMechanismInfo(slot: CK_SLOT_ID, mechanism: CK_MECHANISM_TYPE, info: CK_MECHANISM_INFO_PTR);
    C_InitToken(slot: CK_SLOT_ID, pin: CK_UTF8CHAR_PTR, pin_length: CK_ULONG, label: CK_UTF8CHAR_PTR);
    C_InitPIN(session: CK_SESSION_HANDLE, pin: CK_UTF8CHAR_PTR, pin_length: CK_ULONG);
    C_SetPIN(session: CK_SESSION_HANDLE, old: CK_UTF8CHAR_PTR, old_length: CK_ULONG, new: CK_UTF8CHAR_PTR, new_length: CK_ULONG);
    C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, application: CK_VOID_PTR, notify: CK_NOTIFY, session: CK_SESSION_HANDLE_PTR);
    C_CloseSession(session: CK_SESSION_HANDLE);
    C_CloseAllSessions(slot: CK_SLOT_ID);
    C_GetSessionInfo(session: CK_SESSION_HANDLE, info: CK_SESSION_INFO_PTR);
    C_GetOperationState(session: CK_SESSION_HANDLE, state: CK_BYTE_PTR, length: CK_ULONG_PTR) asked state;
    C_SetOperationState(session: CK_SESSION_HANDLE, state: CK_BYTE_PTR, length: CK_ULONG, encryption: CK_OBJECT_HANDLE, authentication: CK_OBJECT_HANDLE);
    C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: CK_UTF8CHAR_PTR, pin_length: CK_ULONG);
    C_Logout(session: CK_SESSION_HANDLE);
    C_CreateObject(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, object: CK_OBJECT_HANDLE_PTR);
    C_CopyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, copy: CK_OBJECT_HANDLE_PTR);
    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    C_GetObjectSize(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, size: CK_ULONG_PTR);
    C_GetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG);
    C_SetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG);
    C_FindObjectsInit(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG);
    C_FindObjects(session: CK_SESSION_HANDLE, objects: CK_OBJECT_HANDLE_PTR, most: CK_ULONG, count: CK_ULONG_PTR);
    C_FindObjectsFinal(session: CK_SESSION_HANDLE);
    C_EncryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_Encrypt(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_EncryptUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) asked output;
    C_EncryptFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_DecryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_Decrypt(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_DecryptUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) asked output;
    C_DecryptFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_DigestInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR);
    C_Digest(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_DigestUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG);
    C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE);
    C_DigestFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_SignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_Sign(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length altered signature(output, length);
    C_SignUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG);
    C_SignFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_SignRecoverInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_SignRecover(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_VerifyInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_Verify(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, signature: CK_BYTE_PTR, length: CK_ULONG);
    C_VerifyUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG);
    C_VerifyFinal(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, length: CK_ULONG);
    C_VerifyRecoverInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_VerifyRecover(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) ends output length;
    C_DigestEncryptUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) asked output;
    C_DecryptDigestUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) asked output;
    C_SignEncryptUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) asked output;
    C_DecryptVerifyUpdate(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_length: CK_ULONG, output: CK_BYTE_PTR, length: CK_ULONG_PTR) asked output;
    C_GenerateKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR);
    C_GenerateKeyPair(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, public: CK_ATTRIBUTE_PTR, public_count: CK_ULONG, private: CK_ATTRIBUTE_PTR, private_count: CK_ULONG, public_key: CK_OBJECT_HANDLE_PTR, private_key: CK_OBJECT_HANDLE_PTR);
    C_WrapKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, wrapping: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE, output: CK_BYTE_PTR, length: CK_ULONG_PTR) asked output;
    C_UnwrapKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, wrapping: CK_OBJECT_HANDLE, wrapped: CK_BYTE_PTR, length: CK_ULONG, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR);
    C_DeriveKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, base: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR);
    C_SeedRandom(session: CK_SESSION_HANDLE, seed: CK_BYTE_PTR, length: CK_ULONG);
    C_GenerateRandom(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, length: CK_ULONG);
    C_GetFunctionStatus(session: CK_SESSION_HANDLE);
    C_CancelFunction(session: CK_SESSION_HANDLE);
    C_WaitForSlotEvent(flags: CK_FLAGS, slot: CK_SLOT_ID_PTR, reserved: CK_VOID_PTR);
}
