//! What the break-glass access never gives, as the policies say it.

use std::collections::BTreeMap;

use crate::policies::Refusal;
use crate::{Permission, Permissions};

/// What no operator can take off the list: the record of what happens, what is denied, what takes two
/// people, and the break-glass access itself.
const LEAST: [Permission; 9] = [
    Permission::AuditRead,
    Permission::AuditExport,
    Permission::AuditForward,
    Permission::AuditRetain,
    // The whole log is in it.
    Permission::OrgExport,
    Permission::RoleDeny,
    Permission::CallRuleSet,
    Permission::FourEyesManage,
    Permission::BreakGlassArm,
];

/// Reads the list: names of permissions, each with a reason.
pub(crate) fn read(text: &str) -> Result<Permissions, Refusal> {
    let written: BTreeMap<String, String> = toml::from_str(text)
        .map_err(|why| Refusal::Malformed { file: "break-glass.toml", reason: why.to_string() })?;
    let mut never = Permissions::NONE;
    for name in written.keys() {
        let permission: Permission =
            name.parse().map_err(|why| Refusal::Never(format!("{why}")))?;
        never = never.with(permission);
    }
    match LEAST.into_iter().find(|permission| !never.contains(*permission)) {
        Some(missing) => Err(Refusal::Never(format!("\"{missing}\" is missing"))),
        None => Ok(never),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_lacks_what_must_never_be_given_is_refused() {
        let text = include_str!("../../../policies/access/break-glass.toml");
        let never = read(text).unwrap();
        assert!(never.contains(Permission::AuditRetain) && !never.contains(Permission::RoleBind));
        for permission in LEAST {
            let line = format!("\"{permission}\" =");
            assert!(text.contains(&line), "{permission}");
            let less = text.replace(&line, "\"org.delete_nothing\" =");
            assert!(matches!(read(&less), Err(Refusal::Never(_))), "{permission}");
            let less: String = text.lines().filter(|it| !it.starts_with(&line)).collect();
            assert!(read(&less).is_err(), "{permission}");
        }
        let more = format!("{text}\n\"secret.delete\" = \"Nothing is destroyed in haste.\"");
        assert!(read(&more).unwrap().contains(Permission::SecretDelete));
    }
}
