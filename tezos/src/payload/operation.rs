//! Generic operations: what an account's owner signs outside consensus.

use super::content::Content;
use super::reader::Reader;
use super::{DecodeError, magic};
use crate::Digest;

/// One or several operations in one message, and the bytes they were decoded from. They have no
/// slot, and no chain id either: the branch is what ties them to a chain.
///
/// **Invariant:** the contents, the digest and the bytes are of one and the same message: only
/// [`Payload::decode`](super::Payload::decode) makes one, and nothing changes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation {
    contents: Contents,
    digest: Digest,
    message: Vec<u8>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Contents {
    branch: [u8; 32],
    list: Vec<Content>,
}

impl Contents {
    /// Reads what follows the magic byte, to the end of the message: the list has no length.
    pub(super) fn read(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let branch = reader.array("branch")?;
        let mut list = Vec::new();
        while !reader.is_empty() {
            list.push(Content::read(&mut reader)?);
        }
        if list.is_empty() {
            return Err(DecodeError::NoContent);
        }
        let alone = list.iter().find(|content| !content.is_manager());
        match alone {
            Some(content) if list.len() > 1 => Err(DecodeError::NotAlone {
                name: content.name(),
                count: list.len(),
            }),
            Some(_) | None => Ok(Self { branch, list }),
        }
    }
}

impl Operation {
    pub(super) fn new(contents: Contents, message: Vec<u8>) -> Self {
        Self {
            contents,
            digest: Digest::of(&message),
            message,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![magic::OPERATION];
        out.extend(self.contents.branch);
        for content in &self.contents.list {
            content.write(&mut out);
        }
        out
    }

    /// The operations, in their order. There is at least one.
    #[must_use]
    pub fn contents(&self) -> &[Content] {
        &self.contents.list
    }

    /// The 32 bytes of the block hash the operation builds on.
    #[must_use]
    pub const fn branch(&self) -> &[u8; 32] {
        &self.contents.branch
    }

    /// BLAKE2b-256 of the whole message.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The whole message, as it was asked for and as it is signed.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }
}
