//! HTTPS for the signer API: a certificate chain and a key from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// Why there is no HTTPS listener. The texts name the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file cannot be read, or holds no PEM of its kind.
    #[error("cannot read {what} from {}: {source}", file.display())]
    Unreadable {
        /// What was looked for.
        what: &'static str,
        /// Where.
        file: PathBuf,
        /// Why not.
        source: pem::Error,
    },
    /// The file is there and holds no certificate.
    #[error("{} holds no certificate; write the chain in PEM, the node's own first", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// Certificate and key do not fit, or the key is of a kind that TLS does not know.
    #[error("the certificate {} and the key {} do not serve TLS: {source}", certificate.display(), key.display())]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
}

/// Reads the files and makes an acceptor of them. No client certificates: bakers
/// show who they are in the request itself.
///
/// # Errors
/// [`TlsFault`]; a configuration fault, before a port is bound.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsFault> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable("a certificate chain", &files.certificate))?;
    if chain.is_empty() {
        return Err(TlsFault::NoCertificate {
            file: files.certificate.clone(),
        });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(unreadable("a private key", &files.key))?;
    let unfit = |source| TlsFault::Unfit {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unreadable(what: &'static str, file: &Path) -> impl Fn(pem::Error) -> TlsFault {
    let file = file.to_owned();
    move |source| TlsFault::Unreadable {
        what,
        file: file.clone(),
        source,
    }
}
