//! The orders that concern a call, read and counted.

use std::{env, fs, sync::OnceLock, time::Duration};

use shim_orders::{Act, Folder, Order, Use};

use crate::{
    alter::Alteration,
    calls::Asked,
    codes,
    fault::{Fault, Trouble},
    forward,
};

/// The function by which a module is loaded. `*` leaves it alone.
const LOADED_BY: &str = "C_GetFunctionList";

/// The folder that the environment names.
pub(crate) fn folder() -> Result<&'static Folder, Trouble> {
    static FOLDER: OnceLock<Option<Folder>> = OnceLock::new();
    FOLDER
        .get_or_init(|| env::var_os(shim_orders::ORDERS).map(Folder::at))
        .as_ref()
        .ok_or(Trouble::NoFolder)
}

/// Finds what is to happen to a call, and counts it as used.
///
/// All orders are read before one is chosen, so a bad one is noticed whatever its name is.
pub(crate) fn claim(folder: &Folder, asked: Asked) -> Result<Option<Fault>, Trouble> {
    let _lock = folder.lock().map_err(Trouble::Folder)?;
    let mut orders = Vec::new();
    for name in folder.names().map_err(Trouble::Folder)? {
        let (order, fault) = read(folder, &name).map_err(|reason| Trouble::Order {
            name: name.clone(),
            reason,
        })?;
        orders.push((name, order, fault));
    }
    for (name, order, fault) in orders {
        if !concerns(&order, &fault, asked) {
            continue;
        }
        let count = |what| folder.count(&name, what).map_err(Trouble::Folder);
        if below(count(Use::Skipped)?, Some(order.skip)) {
            folder.add(&name, Use::Skipped).map_err(Trouble::Folder)?;
        } else if below(count(Use::Carried)?, order.times) {
            folder.add(&name, Use::Carried).map_err(Trouble::Folder)?;
            return Ok(Some(fault));
        }
    }
    Ok(None)
}

fn read(folder: &Folder, name: &str) -> Result<(Order, Fault), String> {
    let text = fs::read(folder.order(name)).map_err(|error| error.to_string())?;
    let order: Order = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if order.function != "*" && !forward::NAMES.contains(&order.function.as_str()) {
        return Err(format!("there is no function {}", order.function));
    }
    let fault = fault(&order.act)?;
    if let Fault::Alter(alteration) = &fault
        && alteration.function() != order.function
    {
        return Err(format!("this act is one of {}", alteration.function()));
    }
    Ok((order, fault))
}

fn fault(act: &Act) -> Result<Fault, String> {
    let code = |code| codes::value(code).ok_or_else(|| format!("there is no code {code:?}"));
    Ok(match act {
        Act::Return(returned) => Fault::Return(code(returned)?),
        Act::ReturnAfter(returned) => Fault::ReturnAfter(code(returned)?),
        Act::DelayMs(time) => Fault::Delay(Duration::from_millis(*time)),
        Act::Hang => Fault::Hang,
        Act::Crash => Fault::Crash,
        Act::WrongSignature => Fault::Alter(Alteration::WrongSignature),
        Act::TokenFlags { set } => {
            let mut flags = 0;
            for name in set {
                flags |= codes::token_flag(name)
                    .ok_or_else(|| format!("there is no flag {name} of a token"))?;
            }
            Fault::Alter(Alteration::TokenFlags(flags))
        }
        Act::NoSlots => Fault::Alter(Alteration::NoSlots),
    })
}

fn concerns(order: &Order, fault: &Fault, asked: Asked) -> bool {
    let named = if order.function == "*" {
        asked.function != LOADED_BY
    } else {
        order.function == asked.function
    };
    // A program that was told of slots, and then of none, would not have seen an absent token.
    let sizes = order.size_queries || *fault == Fault::Alter(Alteration::NoSlots);
    named && (sizes || !asked.size_query)
}

fn below(count: usize, limit: Option<u64>) -> bool {
    limit.is_none_or(|limit| u64::try_from(count).is_ok_and(|count| count < limit))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _, sync::Barrier, thread};

    use cryptoki_sys::CKR_PIN_LOCKED;
    use shim_orders::Orders;
    use tempfile::TempDir;

    use super::*;

    const SIGN: Asked = Asked {
        function: "C_Sign",
        size_query: false,
    };

    fn orders() -> (TempDir, Orders, Folder) {
        let home = tempfile::tempdir().unwrap();
        let orders = Orders::new(home.path());
        let folder = Folder::at(home.path());
        (home, orders, folder)
    }

    fn locked() -> Act {
        Act::Return("CKR_PIN_LOCKED".into())
    }

    #[test]
    fn an_order_skips_calls_and_then_is_used_so_often_and_no_more() {
        let (_home, orders, folder) = orders();
        orders.give("pin", &Order::new("C_Sign", locked()).skip(1).times(2));
        let seen: Vec<bool> = (0..5)
            .map(|_| claim(&folder, SIGN).unwrap().is_some())
            .collect();
        assert_eq!(seen, [false, true, true, false, false]);
        assert_eq!(orders.used("pin"), 2);
    }

    #[test]
    fn of_several_orders_the_first_by_name_with_uses_left_is_carried_out() {
        let (_home, orders, folder) = orders();
        orders.give("b", &Order::new("*", Act::Hang));
        orders.give("a", &Order::new("C_Sign", locked()).skip(1).times(1));
        let claimed = || claim(&folder, SIGN).unwrap();
        assert_eq!(claimed(), Some(Fault::Hang));
        assert_eq!(claimed(), Some(Fault::Return(CKR_PIN_LOCKED)));
        assert_eq!(claimed(), Some(Fault::Hang));
        orders.withdraw("b");
        assert_eq!(claimed(), None);
    }

    #[test]
    fn of_calls_at_the_same_time_an_order_for_one_concerns_exactly_one() {
        const THREADS: usize = 8;
        let (_home, orders, folder) = orders();
        for _ in 0..100 {
            orders.give("pin", &Order::new("C_Sign", locked()).times(1));
            let together = Barrier::new(THREADS);
            let claimed: usize = thread::scope(|scope| {
                let call = || {
                    together.wait();
                    usize::from(claim(&folder, SIGN).unwrap().is_some())
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(call)).collect();
                threads.into_iter().map(|it| it.join().unwrap()).sum()
            });
            assert_eq!((claimed, orders.used("pin")), (1, 1));
        }
    }

    #[test]
    fn a_size_query_is_concerned_only_when_the_order_says_so() {
        let (_home, orders, folder) = orders();
        let query = Asked {
            size_query: true,
            ..SIGN
        };
        orders.give("pin", &Order::new("C_Sign", locked()));
        assert_eq!(claim(&folder, query).unwrap(), None);
        orders.give("pin", &Order::new("C_Sign", locked()).size_queries_too());
        assert!(claim(&folder, query).unwrap().is_some());
    }

    #[test]
    fn an_order_for_every_function_leaves_loading_alone() {
        let (_home, orders, folder) = orders();
        orders.give("all", &Order::new("*", locked()));
        let loading = Asked {
            function: LOADED_BY,
            ..SIGN
        };
        assert_eq!(claim(&folder, loading).unwrap(), None);
        orders.give("all", &Order::new(LOADED_BY, locked()));
        assert!(claim(&folder, loading).unwrap().is_some());
    }

    #[test]
    fn an_order_that_makes_no_sense_is_trouble_for_every_call() {
        for (text, said) in [
            ("{", "EOF"),
            (r#"{"function":"C_Sing","act":"hang"}"#, "C_Sing"),
            (
                r#"{"function":"C_Login","act":{"return":"CKR_NO"}}"#,
                "CKR_NO",
            ),
            (
                r#"{"function":"C_Login","act":"wrong_signature"}"#,
                "C_Sign",
            ),
            (
                r#"{"function":"C_GetTokenInfo","act":{"token_flags":{"set":["CKF_NO"]}}}"#,
                "CKF_NO",
            ),
        ] {
            let (_home, orders, folder) = orders();
            orders.give("a", &Order::new("C_Sign", locked()));
            let mut file = File::create(folder.order("bad")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let trouble = claim(&folder, SIGN).unwrap_err().to_string();
            assert!(trouble.contains("bad.json"), "{trouble}");
            assert!(trouble.contains(said), "{trouble}");
        }
    }
}
