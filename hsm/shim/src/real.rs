//! The module behind the shim.

use std::{env, ptr, sync::OnceLock};

use cryptoki_sys::{CK_C_GetFunctionList, CK_FUNCTION_LIST, CKR_OK};
use libloading::Library;

use crate::{codes, fault::Trouble};

/// The module behind the shim, which stays loaded as long as its functions can be called.
struct Real {
    list: CK_FUNCTION_LIST,
    _library: Library,
}

/// The functions of the module behind the shim, which is loaded at the first call.
pub(crate) fn functions() -> Result<&'static CK_FUNCTION_LIST, Trouble> {
    static REAL: OnceLock<Result<Real, String>> = OnceLock::new();
    match REAL.get_or_init(load) {
        Ok(real) => Ok(&real.list),
        Err(trouble) => Err(Trouble::Module(trouble.clone())),
    }
}

fn load() -> Result<Real, String> {
    let path = env::var_os(shim_orders::MODULE)
        .ok_or_else(|| format!("{} is not set", shim_orders::MODULE))?;
    // SAFETY: the test names a PKCS#11 module, and loading one runs no more than its constructors,
    // which a program that uses this module without the shim would run too.
    let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
    // SAFETY: PKCS#11 fixes the type of the one function with this name.
    let get_list = unsafe { library.get::<CK_C_GetFunctionList>(b"C_GetFunctionList\0") }
        .map_err(|error| error.to_string())?
        .ok_or("C_GetFunctionList is NULL")?;
    let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
    // SAFETY: the function writes one pointer, to where there is room for one.
    let code = unsafe { get_list(&raw mut list) };
    if code != CKR_OK {
        return Err(format!("C_GetFunctionList: {}", codes::name(code)));
    }
    // SAFETY: a module that answered CKR_OK points to a list that it keeps as long as it is loaded.
    let list = unsafe { list.as_ref() }.ok_or("the function list is NULL")?;
    Ok(Real {
        list: *list,
        _library: library,
    })
}
