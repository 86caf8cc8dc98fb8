//! Makes the JavaScript glue of the console's WebAssembly: `bindgen INPUT.wasm OUTPUT-FOLDER`.
//!
//! The same library as the `wasm-bindgen` command, without the hundred crates of that command's test server.
//! Its version in this folder's `Cargo.lock` must equal `wasm-bindgen`'s in the console's; `tools/console` sees to it.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: bindgen INPUT.wasm OUTPUT-FOLDER");
        return ExitCode::from(3);
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("console")
        .typescript(false)
        .remove_name_section(false)
        .remove_producers_section(true);
    match bindgen.web(true).and_then(|web| web.generate(output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasm-bindgen: {error:?}");
            ExitCode::FAILURE
        }
    }
}
