//! What this process gives up before it loads somebody else's code.

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit, umask,
};
use rustix::thread::set_no_new_privs;

/// No core dump and no debugger (a PIN passes through here), no set-uid program, no file that others
/// may read; and the kernel ends it with the thread that started it.
///
/// Each is a second lock behind another one, so a kernel without it does not keep the node from
/// signing. Open files are no question: everything in the node is opened close-on-exec.
pub(super) fn drop() {
    umask(Mode::RWXG | Mode::RWXO);
    set_parent_process_death_signal(Some(Signal::KILL)).ok();
    set_no_new_privs(true).ok();
    set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).ok();
}
