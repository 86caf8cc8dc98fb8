//! The archive as it is written: files one after the other, packed, and encrypted where somebody's key is
//! known. What is written is taken away as it comes, so none of it piles up.
//!
//! A ZIP has its table of contents at its end, and age marks its last part as the last; so an archive that
//! ends early opens as neither.

use std::io::{self, Write};
use std::sync::Arc;

use age::Encryptor;
use age::stream::StreamWriter as Encrypting;
use age::x25519::Recipient;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use zip::CompressionMethod;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

use crate::manifest::{ExportedFile, MANIFEST, Manifest, TABLES};

/// What is written and not yet sent.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Out {
    Plain(Written),
    Encrypted(Box<Encrypting<Written>>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Encrypted(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Encrypted(out) => out.flush(),
        }
    }
}

struct Open {
    path: String,
    digest: Sha256,
    rows: u64,
    bytes: u64,
}

/// An archive that is being written.
pub(crate) struct Archive {
    zip: Box<ZipWriter<StreamWriter<Out>>>,
    written: Written,
    open: Option<Open>,
    files: Vec<ExportedFile>,
}

impl Archive {
    /// Encrypted where there is anybody to encrypt it to.
    pub(crate) fn new(recipients: &[Recipient]) -> io::Result<Self> {
        let written = Written::default();
        let out = if recipients.is_empty() {
            Out::Plain(written.clone())
        } else {
            let keys = recipients.iter().map(|key| -> &dyn age::Recipient { key });
            let to = Encryptor::with_recipients(keys).map_err(io::Error::other)?;
            Out::Encrypted(Box::new(to.wrap_output(written.clone())?))
        };
        let zip = Box::new(ZipWriter::new_stream(out));
        Ok(Self { zip, written, open: None, files: Vec::new() })
    }

    /// Begins a file; the one before it is complete.
    pub(crate) fn begin(&mut self, path: &str) -> io::Result<()> {
        self.close();
        // How long a file becomes is not known before, and a table may be longer than four gigabytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .unix_permissions(0o600)
            .large_file(true);
        self.zip.start_file(path, options)?;
        let path = path.to_owned();
        self.open = Some(Open { path, digest: Sha256::new(), rows: 0, bytes: 0 });
        Ok(())
    }

    /// Goes on with the file that was begun last.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let open = self.open.as_mut().ok_or_else(|| io::Error::other("no file was begun"))?;
        open.digest.update(bytes);
        open.bytes += bytes.len() as u64;
        open.rows += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.zip.write_all(bytes)
    }

    fn close(&mut self) {
        let Some(Open { path, digest, rows, bytes }) = self.open.take() else { return };
        let sha256 = hex::encode(digest.finalize());
        self.files.push(ExportedFile { path, rows, bytes, sha256 });
    }

    /// What is complete so far.
    pub(crate) fn files(&self) -> &[ExportedFile] {
        &self.files
    }

    /// How many rows of tables there are so far.
    pub(crate) fn rows(&self) -> u64 {
        let closed = self.files.iter().map(|file| (file.path.as_str(), file.rows));
        let open = self.open.iter().map(|open| (open.path.as_str(), open.rows));
        closed.chain(open).filter(|(path, _)| path.starts_with(TABLES)).map(|(_, rows)| rows).sum()
    }

    /// How many bytes wait to be taken away.
    pub(crate) fn waiting(&self) -> usize {
        self.written.0.lock().len()
    }

    /// Takes away what has been written since the last time.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.written.0.lock())
    }

    /// Writes the manifest as the last file, and what an archive ends with. Says its rest, and the SHA-256
    /// of the manifest.
    pub(crate) fn finish(mut self, mut manifest: Manifest) -> io::Result<(Vec<u8>, String)> {
        self.close();
        manifest.files = std::mem::take(&mut self.files);
        let text = serde_json::to_vec_pretty(&manifest)?;
        self.begin(MANIFEST)?;
        self.write(&text)?;
        match (*self.zip).finish()?.into_inner() {
            Out::Plain(_) => {}
            Out::Encrypted(out) => {
                out.finish()?;
            }
        }
        let rest = std::mem::take(&mut *self.written.0.lock());
        Ok((rest, hex::encode(Sha256::digest(&text))))
    }
}
