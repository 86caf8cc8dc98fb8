//! An organisation's policy as lines that casbin reads, out and in.

use ralex_kernel::Code;

crate::words! {
    /// What lines that are taken in mean for what there is.
    #[derive(Default)]
    pub enum PolicyImportMode {
        /// What they say is added; nothing is taken away.
        #[default]
        Add = "add",
        /// What they do not say is taken away, except for what people come by otherwise: by single
        /// sign-on, by a directory, or by a request for a while.
        Replace = "replace",
    }
}

crate::request! {
    /// Policy lines, and what is to become of them.
    #[derive(PartialEq)]
    pub struct PolicyImport {
        /// Lines as the export has them; empty ones and those that begin with `#` are passed over.
        pub lines: String,
        #[serde(default)]
        pub mode: PolicyImportMode,
        /// Whether it is done. Otherwise only what would be done is told.
        #[serde(default)]
        pub apply: bool,
        /// The slug of the organisation that the lines were exported from, where it is another one.
        #[serde(default)]
        pub from: Option<String>,
    }
}

crate::answer! {
    /// What taking in policy lines does, or would do.
    pub struct PolicyImported {
        /// Whether it was done.
        pub applied: bool,
        /// The version of the organisation's policies that it was compared with.
        pub version: i64,
        pub added: Vec<PolicyLine>,
        pub removed: Vec<PolicyLine>,
        /// How many lines say what is so already.
        pub kept: u32,
        /// What is refused, and why. Nothing is done where anything is.
        pub refused: Vec<RefusedLine>,
    }

    pub struct PolicyLine {
        /// Its number among those that were sent; absent for what they do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub line: Option<u32>,
        pub text: String,
    }

    pub struct RefusedLine {
        /// Its number among those that were sent; absent for what they do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub line: Option<u32>,
        pub text: String,
        pub code: Code,
        pub reason: String,
    }
}
