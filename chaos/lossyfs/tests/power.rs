//! What a power cut takes, and what it never takes.

mod rig;

use std::{fs, io::Write as _, os::unix::fs::FileExt as _};

use lossyfs::{Options, Order, Survival};
use rig::Rig;

fn modes() -> impl Iterator<Item = (Order, Survival, u64)> {
    [Order::Journal, Order::Strict]
        .into_iter()
        .flat_map(|order| {
            Survival::ALL
                .into_iter()
                .flat_map(move |survival| (0..4).map(move |seed| (order, survival, seed)))
        })
}

#[test]
fn what_was_fsynced_before_a_cut_is_there_byte_for_byte_in_every_mode() {
    for (order, survival, seed) in modes() {
        let Some(rig) = Rig::start(Options {
            order,
            ..Options::default()
        }) else {
            return;
        };
        let bytes: Vec<u8> = (0..9000_u32).flat_map(u32::to_le_bytes).collect();
        let file = rig.durable("kept", &bytes);
        let mut later = rig.create("later");
        later.write_all(&[7; 5000]).unwrap();
        file.write_all_at(&[9; 700], 40_000).unwrap();
        rig.control.cut();
        assert!(file.write_at(&[1], 0).is_err(), "a write after the cut");
        assert!(fs::read(rig.path("kept")).is_err(), "a read after the cut");
        let report = rig.control.reboot(survival, seed);
        let read = rig.read("kept").expect("its name was fsynced too");
        assert_eq!(read[..bytes.len()], bytes, "{order:?} {survival} {seed}");
        assert_eq!(
            report.pending_ops,
            report.kept_ops + report.torn_ops + report.dropped_ops
        );
        match survival {
            Survival::Drop => {
                assert_eq!(read.len(), bytes.len());
                assert_eq!(rig.read("later"), None);
                assert_eq!(report.dropped_bytes, 5700);
            }
            Survival::Keep => {
                assert_eq!(read[40_000..], [9; 700]);
                assert_eq!(rig.read("later").unwrap(), [7; 5000]);
                assert_eq!(report.dropped_bytes, 0);
            }
            Survival::Prefix | Survival::Torn | Survival::Random => {}
        }
    }
}
