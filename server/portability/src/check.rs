//! The check of an archive, offline: that every file is there and unchanged, and that its log is what was signed.
//!
//! It needs no database and no network. What it reads it reads as a stream, so the size does not matter.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use age::{DecryptError, Decryptor, IdentityFile};
use flate2::bufread::DeflateDecoder;
use ralex_audit::offline::{self, Finding, Trust, Verdict};
use sha2::{Digest, Sha256};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

pub use crate::manifest::Manifest;
use crate::manifest::{DISCLOSURES, ExportedFile, FORM, LOG, MANIFEST};

/// What every file of age begins with.
const AGE: &[u8] = b"age-encryption.org/v1";
/// What the last bytes of an archive begin with, and how many they are.
const END: &[u8; 4] = b"PK\x05\x06";
const END_LENGTH: u64 = 22;
/// No manifest is longer.
const LONGEST_MANIFEST: u64 = 16 << 20;

/// What the check found.
#[derive(Debug)]
pub struct Checked {
    pub finding: Finding,
    /// One sentence for people.
    pub reason: String,
    /// What the archive says of itself; absent where it could not be read so far.
    pub manifest: Option<Manifest>,
    /// Of its log, once that was looked at.
    pub log: Option<Verdict>,
}

/// Why there is no finding.
#[derive(Debug, thiserror::Error)]
pub enum Cannot {
    #[error("{0} cannot be read: {1}.")]
    Read(PathBuf, #[source] io::Error),
    #[error(
        "{0} is encrypted. Name the file with the private key (AGE-SECRET-KEY-1…) with --identity."
    )]
    NoIdentity(PathBuf),
    #[error("{0} holds no private key of age: {1}.")]
    Identity(PathBuf, #[source] io::Error),
    #[error("{0} is not encrypted to the key in {1}; name another one with --identity.")]
    OtherKey(PathBuf, PathBuf),
    #[error("{0} is neither an archive of an export nor one that age has encrypted.")]
    Unknown(PathBuf),
}

trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// Where the bytes of one file lie.
struct Place {
    start: u64,
    packed: u64,
    is_packed: bool,
}

struct Opening<'a> {
    path: &'a Path,
    identity: Option<&'a Path>,
}

/// Why it ends before everything was looked at.
enum Ends {
    Cannot(Cannot),
    Found(Finding, String),
}

impl From<Cannot> for Ends {
    fn from(cannot: Cannot) -> Self {
        Self::Cannot(cannot)
    }
}

fn tampered(reason: impl Into<String>) -> Ends {
    Ends::Found(Finding::Tampered, reason.into())
}

fn incomplete(reason: impl Into<String>) -> Ends {
    Ends::Found(Finding::Incomplete, reason.into())
}

/// Checks an archive, decrypted with the key in `identity` where it is encrypted.
///
/// # Errors
/// Where it cannot be read at all, so that nothing can be said of it.
pub fn check(path: &Path, identity: Option<&Path>, trust: &Trust) -> Result<Checked, Cannot> {
    let opening = Opening { path, identity };
    let mut checked =
        Checked { finding: Finding::Good, reason: String::new(), manifest: None, log: None };
    match opening.look(&mut checked, trust) {
        Ok(()) => checked.reason.push_str("every file is there and unchanged"),
        Err(Ends::Cannot(cannot)) => return Err(cannot),
        Err(Ends::Found(finding, reason)) => (checked.finding, checked.reason) = (finding, reason),
    }
    Ok(checked)
}

impl Opening<'_> {
    fn look(&self, checked: &mut Checked, trust: &Trust) -> Result<(), Ends> {
        let places = self.places()?;
        let manifest = self.manifest(&places)?;
        let files = &checked.manifest.insert(manifest).files;
        for file in files {
            self.compare(&places, file)?;
        }
        let listed = |name: &str| name == MANIFEST || files.iter().any(|file| file.path == name);
        if let Some(more) = places.keys().find(|name| !listed(name)) {
            return Err(tampered(format!("{more} is not in the manifest")));
        }
        let manifest = checked.manifest.as_ref();
        let root =
            manifest.map(|it| (it.audit.tree_size, it.audit.root.clone(), it.org.id.clone()));
        let log = self.log(&places, trust)?;
        let (finding, reason) = (log.finding, log.reason.clone());
        let said = (log.tree_size, log.root.clone());
        let of_org = root.as_ref().is_some_and(|(.., org)| log.origin.ends_with(org.as_str()));
        checked.log = Some(log);
        if finding != Finding::Good {
            return Err(Ends::Found(finding, format!("{LOG}: {reason}")));
        }
        if !of_org || root.is_none_or(|(size, root, _)| said != (size, root)) {
            return Err(tampered(format!("{LOG} is not the log that the manifest names")));
        }
        Ok(())
    }

    fn read(&self, error: io::Error) -> Ends {
        match error.kind() {
            // Of what is packed or encrypted, and comes out as nothing.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => tampered(format!(
                "it was changed or cut off: its bytes are not as they were written ({error})"
            )),
            io::ErrorKind::UnexpectedEof => incomplete("its end is missing"),
            _ => Cannot::Read(self.path.to_owned(), error).into(),
        }
    }

    /// The archive as it was packed.
    fn source(&self) -> Result<Box<dyn Source>, Ends> {
        let cannot = |error| Cannot::Read(self.path.to_owned(), error);
        let file = File::open(self.path).map_err(cannot)?;
        let mut file = BufReader::with_capacity(1 << 17, file);
        if !file.fill_buf().map_err(cannot)?.starts_with(AGE) {
            return Ok(Box::new(file));
        }
        let key = self.identity.ok_or_else(|| Cannot::NoIdentity(self.path.to_owned()))?;
        let no_key = |error| Cannot::Identity(key.to_owned(), error);
        let text = File::open(key).map(BufReader::new).map_err(no_key)?;
        let keys = IdentityFile::from_buffer(text).map_err(no_key)?;
        let keys = keys.into_identities().map_err(|error| no_key(io::Error::other(error)))?;
        let keys = keys.iter().map(|key| -> &dyn age::Identity { key.as_ref() });
        let opened = Decryptor::new_buffered(file).and_then(|it| it.decrypt(keys));
        match opened {
            Ok(source) => Ok(Box::new(source)),
            Err(DecryptError::NoMatchingKeys) => {
                Err(Cannot::OtherKey(self.path.to_owned(), key.to_owned()).into())
            }
            Err(DecryptError::Io(error)) => Err(self.read(error)),
            Err(error) => Err(tampered(format!("it is not as age wrote it ({error})"))),
        }
    }

    /// Where its files lie, by the table of contents at its end.
    fn places(&self) -> Result<BTreeMap<String, Place>, Ends> {
        let mut source = self.source()?;
        let mut start = [0; 2];
        match source.read_exact(&mut start) {
            Ok(()) if &start == b"PK" => {}
            Ok(()) => return Err(Cannot::Unknown(self.path.to_owned()).into()),
            Err(error) => return Err(self.read(error)),
        }
        // The table of contents comes last, so what broke off has none.
        let mut end = [0; 4];
        let length = source.seek(SeekFrom::End(0)).map_err(|error| self.read(error))?;
        source
            .seek(SeekFrom::Start(length.saturating_sub(END_LENGTH)))
            .and_then(|_| source.read_exact(&mut end))
            .map_err(|error| self.read(error))?;
        if &end != END {
            return Err(incomplete("its end is missing: it broke off, or was cut off"));
        }
        source.rewind().map_err(|error| self.read(error))?;
        let mut zip = ZipArchive::new(source).map_err(|error| self.unzipped(error))?;
        let mut places = BTreeMap::new();
        for index in 0..zip.len() {
            let file = zip.by_index_raw(index).map_err(|error| self.unzipped(error))?;
            let name = file.name().map_err(|error| self.unzipped(error))?.into_owned();
            let start = file.data_start().ok_or_else(|| tampered("a file begins nowhere"))?;
            let is_packed = match file.compression() {
                CompressionMethod::Deflated => true,
                CompressionMethod::Stored => false,
                _ => return Err(tampered(format!("{name} is packed as no export is"))),
            };
            let place = Place { start, packed: file.compressed_size(), is_packed };
            if places.contains_key(&name) {
                return Err(tampered(format!("{name} is in it twice")));
            }
            places.insert(name, place);
        }
        Ok(places)
    }

    fn unzipped(&self, error: ZipError) -> Ends {
        match error {
            ZipError::Io(error) => self.read(error),
            error => tampered(format!("its table of contents is not as it was written ({error})")),
        }
    }

    fn open(&self, places: &BTreeMap<String, Place>, name: &str) -> Result<Box<dyn BufRead>, Ends> {
        let Some(place) = places.get(name) else {
            return Err(incomplete(format!("{name} is missing")));
        };
        let mut source = self.source()?;
        source.seek(SeekFrom::Start(place.start)).map_err(|error| self.read(error))?;
        let packed = BufReader::with_capacity(1 << 16, source.take(place.packed));
        if place.is_packed {
            return Ok(Box::new(BufReader::with_capacity(1 << 16, DeflateDecoder::new(packed))));
        }
        Ok(Box::new(packed))
    }

    fn manifest(&self, places: &BTreeMap<String, Place>) -> Result<Manifest, Ends> {
        let mut text = Vec::new();
        let manifest = self.open(places, MANIFEST)?;
        manifest
            .take(LONGEST_MANIFEST)
            .read_to_end(&mut text)
            .map_err(|error| self.read_of(MANIFEST, error))?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| {
            tampered(format!("{MANIFEST} is no manifest of an export ({error})"))
        })?;
        if manifest.ralex_org_export == FORM {
            return Ok(manifest);
        }
        let of = manifest.ralex_org_export;
        let why =
            format!("it is of form {of}, and this program reads form {FORM}; take a newer one");
        Err(Cannot::Read(self.path.to_owned(), io::Error::other(why)).into())
    }

    fn read_of(&self, name: &str, error: io::Error) -> Ends {
        match self.read(error) {
            Ends::Found(finding, why) => Ends::Found(finding, format!("{name}: {why}")),
            cannot @ Ends::Cannot(_) => cannot,
        }
    }

    fn compare(&self, places: &BTreeMap<String, Place>, file: &ExportedFile) -> Result<(), Ends> {
        let mut reader = self.open(places, &file.path)?;
        let (mut digest, mut rows, mut bytes) = (Sha256::new(), 0, 0);
        loop {
            let part = reader.fill_buf().map_err(|error| self.read_of(&file.path, error))?;
            if part.is_empty() {
                break;
            }
            digest.update(part);
            rows += memchr::memchr_iter(b'\n', part).count() as u64;
            let length = part.len();
            bytes += length as u64;
            reader.consume(length);
        }
        if hex::encode(digest.finalize()) == file.sha256 && (rows, bytes) == (file.rows, file.bytes)
        {
            return Ok(());
        }
        Err(tampered(format!("{} is not what the manifest says", file.path)))
    }

    fn log(&self, places: &BTreeMap<String, Place>, trust: &Trust) -> Result<Verdict, Ends> {
        let inner = |name: &str| self.open(places, name);
        let told = inner(DISCLOSURES)?;
        let again = || {
            inner(LOG).map_err(|ends| match ends {
                Ends::Cannot(cannot) => io::Error::other(cannot),
                Ends::Found(_, why) => io::Error::new(io::ErrorKind::InvalidData, why),
            })
        };
        offline::verify_disclosures(again, told, trust).map_err(|error| self.read_of(LOG, error))
    }
}
