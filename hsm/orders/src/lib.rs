//! Orders for the PKCS#11 shim: which call of a module goes wrong, how and how often.
//!
//! A test gives orders to a folder and starts the program under test with the shim as its module.
//! The shim looks into the folder at each call, so orders come and go while the program runs, and
//! what was counted stays when it is started again. The schema of an order exists only here; the
//! shim reads with the types that a test writes with.
//!
//! ```no_run
//! use shim_orders::{Act, Order, Orders, shim, softhsm};
//!
//! let orders = Orders::new("orders");
//! let module = softhsm().expect("SoftHSM is installed");
//! orders.give("gone", &Order::new("C_Sign", Act::Return("CKR_DEVICE_REMOVED".into())).times(1));
//! // ... start the program with `orders.environment(&module)` and with `shim()` as its module ...
//! assert_eq!(orders.used("gone"), 1);
//! assert_eq!(orders.calls("C_Login"), 2);
//! # let _ = (shim(), orders.environment(&module));
//! ```

mod call;
mod folder;
mod module;
mod order;
mod orders;
mod skip;

pub use call::Call;
pub use folder::{Folder, Use};
pub use module::{MODULE, ORDERS, shim, softhsm};
pub use order::{Act, Code, Order};
pub use orders::Orders;
pub use skip::skip;
