//! The admin socket: `<data_dir>/admin.sock`, mode 0600, JSON over HTTP.

mod client;
mod words;

pub use client::{AdminClient, AdminError};
pub use words::{
    AskDrained, AskProof, DrainReport, Enrolled, Form, Formed, KeyReport, KeyReports, Loaded,
    MarkReport, MemberLine, NodeReport, Proof, Propose, Status, Trouble,
};
