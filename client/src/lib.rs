//! A typed client of the signer API that fails over between nodes.
