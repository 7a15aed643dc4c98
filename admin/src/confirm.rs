//! The question before what cannot be undone by itself. Where nobody can be asked, `--yes` must have been said.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::error::Error;

/// Fails at once, before anything is looked up, when `--yes` is missing and nobody is there to be asked.
pub(crate) fn askable(yes: bool) -> Result<(), Error> {
    if yes || (io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(());
    }
    Err(Error::Usage(
        "there is no terminal to ask on; say --yes if you mean it".to_owned(),
    ))
}

/// Says what will happen and waits for a yes. Asks on standard error, so that the output can go elsewhere.
pub(crate) fn ask(what: &str) -> Result<(), Error> {
    put(what, &mut io::stdin().lock(), &mut io::stderr().lock())
}

fn put(what: &str, input: &mut impl BufRead, out: &mut impl Write) -> Result<(), Error> {
    write!(out, "{what}\nGo on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    let answer = answer.trim();
    if answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        Err(Error::Declined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, is_yes) in [
            ("y\n", true),
            ("YES\n", true),
            (" yes \r\n", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("yesterday\n", false),
        ] {
            let mut out = Vec::new();
            let said = put("Two go.", &mut answer.as_bytes(), &mut out);
            assert_eq!(said.is_ok(), is_yes, "{answer:?}");
            assert_eq!(String::from_utf8(out).unwrap(), "Two go.\nGo on? [y/N] ");
        }
    }
}
