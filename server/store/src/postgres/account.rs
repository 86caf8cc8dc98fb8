//! Under whose name PostgreSQL runs: it refuses root, so root lends it to another account.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use tokio::process::Command;

use super::error::StartError;

/// An unprivileged account, used only when Ralex itself runs as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

/// The account for `cluster`: `None` where Ralex's own will do, and for root the one that already
/// owns the cluster, else `postgres`, else `nobody`.
pub(crate) fn account_for(cluster: &Path) -> Result<Option<Account>, StartError> {
    let me = rustix::process::geteuid().as_raw();
    let owner = fs::metadata(cluster).ok().map(|found| (found.uid(), found.gid()));
    if me != 0 {
        return match owner {
            Some((uid, _)) if uid != me => {
                Err(StartError::WrongOwner { folder: cluster.to_owned(), owner: uid })
            }
            Some(_) | None => Ok(None),
        };
    }
    if let Some((uid, gid)) = owner.filter(|(uid, _)| *uid != 0) {
        return Ok(Some(Account { name: format!("#{uid}"), uid, gid }));
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = ["postgres", "nobody"].iter().find_map(|name| named(&accounts, name));
    found.map(Some).ok_or(StartError::NoAccount)
}

/// One line of `/etc/passwd`: `name:password:uid:gid:…`.
fn named(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok().filter(|uid| *uid != 0)?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { name: name.to_owned(), uid, gid })
    })
}

/// Lets `command` run as the account. The supplementary groups go too: std drops them with root.
pub(crate) fn run_as<'a>(command: &'a mut Command, account: Option<&Account>) -> &'a mut Command {
    if let Some(account) = account {
        command.gid(account.gid).uid(account.uid);
    }
    command
}

/// Gives a file or folder to the account.
pub(crate) fn give(path: &Path, account: Option<&Account>) -> io::Result<()> {
    match account {
        Some(account) => chown(path, Some(account.uid), Some(account.gid)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_its_line_and_never_root() {
        let accounts =
            "root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/:/bin/sh\ntoor:x:0:0::/:/\n";
        let postgres = named(accounts, "postgres").unwrap();
        assert_eq!((postgres.uid, postgres.gid), (101, 104));
        assert_eq!(named(accounts, "toor"), None);
        assert_eq!(named(accounts, "nobody"), None);
    }
}
