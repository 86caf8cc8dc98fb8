//! Files as they are kept: in chunks, each compressed on its own, with the hash of the whole.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use ralex_kernel::{Code, Problem};
use sha2::{Digest, Sha256};

use crate::document::too_large;

/// What a chunk holds before it is compressed; a download keeps one in memory.
pub(crate) const CHUNK: usize = 1 << 20;

/// A file that is made.
pub(crate) struct Packed {
    pub bytes: u64,
    pub sha256: [u8; 32],
    pub chunks: Vec<Vec<u8>>,
}

/// A file on its way.
pub(crate) struct Packer {
    most: usize,
    taken: usize,
    hash: Sha256,
    waiting: Vec<u8>,
    chunks: Vec<Vec<u8>>,
}

impl Packer {
    /// Refuses to hold more than `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { most, taken: 0, hash: Sha256::new(), waiting: Vec::new(), chunks: Vec::new() }
    }

    pub fn add(&mut self, mut part: &[u8]) -> Result<(), Problem> {
        self.taken += part.len();
        if self.taken > self.most {
            return Err(too_large(self.most));
        }
        self.hash.update(part);
        while !part.is_empty() {
            let (now, later) = part.split_at(part.len().min(CHUNK - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            part = later;
            if self.waiting.len() == CHUNK {
                self.pack()?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<Packed, Problem> {
        if !self.waiting.is_empty() {
            self.pack()?;
        }
        let sha256 = self.hash.finalize().into();
        Ok(Packed { bytes: self.taken as u64, sha256, chunks: self.chunks })
    }

    fn pack(&mut self) -> Result<(), Problem> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(&self.waiting).and_then(|()| encoder.finish());
        self.chunks.push(packed.map_err(|error| unpackable(&error))?);
        self.waiting.clear();
        Ok(())
    }
}

pub(crate) fn pack(content: &[u8], most: usize) -> Result<Packed, Problem> {
    let mut packer = Packer::new(most);
    packer.add(content)?;
    packer.finish()
}

/// What a chunk held. Never more than one can hold, whatever the database says.
pub(crate) fn unpack(chunk: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut content = Vec::new();
    let limit = CHUNK as u64;
    let read = DeflateDecoder::new(chunk).take(limit).read_to_end(&mut content);
    read.map_err(|error| unpackable(&error))?;
    Ok(content)
}

fn unpackable(error: &std::io::Error) -> Problem {
    Problem::new(Code::Internal, format!("A file of the report cannot be read or written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_in_parts_comes_out_as_it_went_in() {
        let content: Vec<u8> = (0..=250_u8).cycle().take(CHUNK * 2 + 17).collect();
        let mut packer = Packer::new(usize::MAX);
        for part in content.chunks(700_001) {
            packer.add(part).unwrap();
        }
        let packed = packer.finish().unwrap();
        assert_eq!((packed.chunks.len(), packed.bytes), (3, content.len() as u64));
        assert_eq!(packed.sha256, <[u8; 32]>::from(Sha256::digest(&content)));
        let parts: Vec<u8> =
            packed.chunks.iter().flat_map(|chunk| unpack(chunk).unwrap()).collect();
        assert!(parts == content);
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        assert_eq!(pack(&[0; 11], 10).err().unwrap().code, Code::TooLarge);
        assert_eq!(pack(&[0; 10], 10).unwrap().bytes, 10);
    }
}
