//! Writes that leave no entry by themselves, and why.

/// A check and a call change nothing by themselves; calls have tests of their own.
pub const NO_ENTRY: &[&str] = &[
    "POST /api/v1/orgs/{org}/audit/verify",
    // It does where something goes, which tests of retention see.
    "POST /api/v1/orgs/{org}/audit/retention/prune",
    "POST /api/v1/orgs/{org}/preview",
    "POST /api/v1/orgs/{org}/usage/replay",
    "POST /api/v1/orgs/{org}/guardrails/test",
    "POST /api/v1/orgs/{org}/call-rules/test",
    "POST /api/v1/orgs/{org}/call-rules/simulate",
    "POST /api/v1/orgs/{org}/access/explain",
    "POST /api/v1/orgs/{org}/access/who-can",
    "POST /api/v1/orgs/{org}/access/simulate",
    // They leave some, which tests of single sign-on see: afterwards no token could ask for them.
    "PUT /api/v1/orgs/{org}/sso/enforcement",
    "DELETE /api/v1/orgs/{org}/sso/enforcement",
    "POST /api/v1/auth/sso/{org}/{provider}/logout",
    // They leave theirs in the log of another organisation, which tests of operators see.
    "POST /api/v1/operator/orgs",
    "POST /api/v1/operator/orgs/{org}/suspend",
    "POST /api/v1/operator/orgs/{org}/resume",
    "POST /api/v1/operator/orgs/{org}/deletion",
    "POST /api/v1/operator/orgs/{org}/deletion/confirm",
    "DELETE /api/v1/operator/orgs/{org}/deletion",
    "POST /api/v1/operator/factor-resets",
    // They leave two, the second when the archive has left, which tests of exports see.
    "POST /api/v1/orgs/{org}/export",
    "POST /api/v1/operator/orgs/{org}/export",
    // They leave some for whom they are about, which tests of invitations see.
    "POST /api/v1/auth/password/forgotten",
    "POST /api/v1/auth/link",
    "POST /api/v1/auth/link/password",
    "POST /api/v1/auth/link/join",
    // They begin what is recorded when it ends.
    "POST /api/v1/me/identities",
    "POST /api/v1/auth/passkey/begin",
    "POST /api/v1/auth/second-factor/passkey",
    "POST /api/v1/auth/step-up/passkey",
    "POST /api/v1/auth/passkeys",
    "POST /api/v1/orgs/{org}/break-glass/passkey",
];
