//! Cells of tables that people open in a spreadsheet.

/// A spreadsheet takes a cell that starts like this for a formula; an apostrophe makes it text
/// (OWASP, *CSV Injection*).
pub fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_spreadsheet_would_run_is_left() {
        for cell in ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx"] {
            assert_eq!(harmless(cell.to_owned()), format!("'{cell}"));
        }
        assert_eq!(harmless("gpt-5".to_owned()), "gpt-5");
    }
}
