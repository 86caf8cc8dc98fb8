//! Takes the console's WebAssembly apart and makes its JavaScript glue: `bindgen INPUT.wasm OUTPUT-FOLDER`.
//!
//! The main file goes to `console_bg.wasm` with its glue `console.js`; every part to `split_NAME.wasm`, and what
//! several parts share to `chunk_NUMBER.wasm`, one file for each set of parts. The glue imports what fetches a part
//! from `./parts.js`, which `tools/parts.mjs` is. The input must be linked with `--emit-relocs`, which tells what
//! needs what.
//!
//! The same libraries as the `wasm-bindgen` and `wasm-split-cli` commands, without the hundred crates of the former's
//! test server. The version of wasm-bindgen in this folder's `Cargo.lock` must equal the one in the console's;
//! `tools/console` sees to it.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support::{Options, transform};

const LOADER: &str = "./parts.js";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: bindgen INPUT.wasm OUTPUT-FOLDER");
        return ExitCode::from(3);
    };
    let output = Path::new(&output);
    let main = output.join("main.wasm");
    if let Err(error) = split(Path::new(&input), output, &main) {
        eprintln!("wasm-split: {error:?}");
        return ExitCode::FAILURE;
    }
    if let Err(error) = glue(&main, output) {
        eprintln!("wasm-bindgen: {error:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Before wasm-bindgen, which knows nothing of relocations and would make them wrong.
fn split(input: &Path, output: &Path, main: &Path) -> Result<(), Box<dyn Error>> {
    let whole = std::fs::read(input)?;
    let mut options = Options::new(&whole);
    options.output_dir = output;
    options.main_out_path = main;
    options.link_name = LOADER;
    transform(options)?;
    // Its loader fetches a file for every set of parts, several dozen of them. The console's own fetches one.
    std::fs::remove_file(output.join(LOADER))?;
    Ok(())
}

fn glue(main: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(main)
        .out_name("console")
        .typescript(false)
        .remove_name_section(false)
        .remove_producers_section(true)
        // The parts use the memory, the table and the stack of the main file.
        .keep_lld_exports(true);
    bindgen.web(true)?.generate(output)?;
    std::fs::remove_file(main)?;
    Ok(())
}
