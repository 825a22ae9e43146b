//! TLS 1.3 with raw public keys (RFC 7250): no certificates, no authority, no dates. A key is
//! accepted because it is pinned, as SSH does it, and because its owner signed the handshake.

use std::sync::Arc;

use raft_store::identity::{NodeKey, fingerprint_of};
use raft_store::types::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring::default_provider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, ServerConfig,
    SignatureScheme,
};

use super::pins::{PinError, PinSet};

/// The node's own key in the form that TLS wants it. The "certificate" is the bare public key.
#[derive(Clone, Debug)]
pub struct OwnKey(Arc<CertifiedKey>);

impl OwnKey {
    /// Reads the key of a folder's identity.
    ///
    /// # Errors
    /// If rustls does not take it as an Ed25519 key.
    pub fn new(key: &NodeKey) -> Result<Self, Error> {
        let private = PrivatePkcs8KeyDer::from(key.pkcs8().to_vec());
        let private = default_provider()
            .key_provider
            .load_private_key(private.into())?;
        Ok(Self(Arc::new(CertifiedKey::new(
            vec![key.spki().into()],
            private,
        ))))
    }
}

/// Replaces the whole certificate logic: the key must be pinned, and its signature valid.
#[derive(Debug)]
enum PinVerifier {
    Server { node: u64, pin: Fingerprint },
    Client(PinSet),
}

impl PinVerifier {
    fn verify_pin(&self, spki: &[u8]) -> Result<(), Error> {
        let got = fingerprint_of(spki);
        match self {
            Self::Server { pin, .. } if *pin == got => Ok(()),
            Self::Server { node, pin } => Err(PinError::WrongServer {
                node: *node,
                want: *pin,
                got,
            }
            .into()),
            Self::Client(pins) => match pins.node(&got) {
                Some(_) => Ok(()),
                None => Err(pins.refusal(got).into()),
            },
        }
    }
}

/// The half that both verifier traits have word for word.
macro_rules! raw_key_signatures {
    () => {
        fn requires_raw_public_keys(&self) -> bool {
            true
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            spki: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            if signature.scheme != SignatureScheme::ED25519 {
                return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
            }
            let spki = SubjectPublicKeyInfoDer::from(spki.as_ref());
            let algorithms = default_provider().signature_verification_algorithms;
            verify_tls13_signature_with_raw_key(message, &spki, signature, &algorithms)
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("TLS 1.2 is off".into()))
        }
    };
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        spki: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify_pin(spki)
            .map(|()| ServerCertVerified::assertion())
    }

    raw_key_signatures!();
}

impl ClientCertVerifier for PinVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        spki: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify_pin(spki)
            .map(|()| ClientCertVerified::assertion())
    }

    raw_key_signatures!();
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// Accepts every pinned key; which node it is, the accept loop finds after the handshake.
///
/// **Invariant:** nothing is resumed. A resumed handshake calls no verifier, so a removed peer would
/// come back with it.
///
/// # Errors
/// If this build of the cryptography has no TLS 1.3.
pub fn server_config(me: &OwnKey, pins: &PinSet) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(PinVerifier::Client(pins.clone())))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(
            Arc::clone(&me.0),
        )));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Accepts one key only: that of the node to be called.
///
/// # Errors
/// If this build of the cryptography has no TLS 1.3.
pub fn client_config(me: &OwnKey, node: u64, pin: Fingerprint) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinVerifier::Server { node, pin }))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            Arc::clone(&me.0),
        )));
    config.alpn_protocols = vec![b"http/1.1".to_vec()]; // reqwest adds none to a given config
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}
